"""`.preview.yaml`: what the application is, said by whoever can push. The policy can only be tightened by it.

Values of `command`, `env` and `url` may use `{sha}`, `{number}`, `{url}`, and `{host}` and `{port}` to listen on;
filled in after a command is split into words, so that no value becomes a second word, and nothing is ever given to a
shell.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from smoke.documents import Duration, Size, Strict, load
from smoke.spec import Check, EnvName, FilePath, Suite, Words

FILE = ".preview.yaml"

OURS = "mayfly/"
"""Begins the names of the checks that we report ourselves."""

ServiceName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$")]
CheckName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]


class Resources(Strict):
    memory: Size = 512 * 2**20
    """Most memory of one process of the service, in bytes (`512Mi`)."""
    cpu: float = Field(1.0, gt=0, le=64)
    """Cores (Kubernetes only; on the embedded platform all previews share the machine evenly)."""


class Build(Strict):
    """Made once for its inputs, and used again by every revision and preview that has the same."""

    command: Words
    inputs: list[FilePath] = []
    """Files or folders that decide the result; the whole repository where none are named."""
    outputs: list[FilePath] = Field(min_length=1)
    """Files or folders that the command makes."""


class ServiceSpec(Strict):
    command: Words | None = None
    """What to run: words, or a list of words. No shell is involved unless you name one."""
    image: str | None = None
    """Container image (Kubernetes only); may use `{sha}` and `{number}`: `ghcr.io/acme/web:{sha}`."""
    build: Build | None = None
    port: int | None = Field(None, ge=1, le=65535)
    """The port it listens on. On the embedded platform it gets a free one instead: use `{port}` or `$PORT`."""
    health: str | None = Field(None, pattern=r"^/")
    """Path that answers below 400 once the service works; where there is none, an open port is enough."""
    env: dict[EnvName, str] = {}
    depends_on: list[ServiceName] = []
    resources: Resources = Resources()


class SeedCommand(Strict):
    command: Words
    """Fills the empty database in `$DATABASE_URL`."""
    inputs: list[FilePath] = Field(min_length=1)
    """Files or folders that decide what it makes: the seed is made again only when they change."""


def _kind_of_seed(value: object) -> str:
    return "command" if isinstance(value, dict | SeedCommand) else "files"


Seed = Annotated[
    Annotated[list[FilePath], Tag("files")] | Annotated[SeedCommand, Tag("command")], Discriminator(_kind_of_seed)
]


class Postgres(Strict):
    seed: Seed | None = None
    """SQL files loaded in order, or a command. Made once per distinct seed, then cloned for every preview."""
    migrate: Words | None = None
    """Runs in the checkout on the populated clone, with the database's URL in `env`."""
    image: str | None = None
    """PostgreSQL with the seed already in its data (Kubernetes with a server per preview): no `seed` is run then."""
    env: EnvName = "DATABASE_URL"
    """The variable that carries the database's URL to the services, the migration, and `command` checks."""
    on_push: Literal["fresh", "keep"] = "fresh"
    """`fresh`: every revision starts from the seed, so that its migrations are tried as they will be on main.
    `keep`: data that people entered stays, and only new migrations run."""


class Undo(Strict):
    command: Words
    """Runs in the checkout of the release that is given up, before the earlier one starts, with the database's URL in
    its variable; `{to}` is the revision that comes back."""


class DatabaseSpec(Strict):
    postgres: Postgres | None = None
    rollback: Literal["safe", "never"] | Undo | None = None
    """Whether an earlier release works on the database that this one's migrations left: `safe`, once a `command` ran,
    or `never`, which is assumed where a migration changed something: main is not rolled back by itself then."""


class Checks(Strict):
    smoke: Suite = []
    """Quick checks, run first."""
    e2e: Suite = []
    """Run once smoke has passed."""
    shards: int = Field(1, ge=1, le=20)
    """In how many Jobs the e2e checks run side by side (Kubernetes only), balanced by how long they took before."""

    def suites(self) -> Mapping[str, list[Check]]:
        """In the order they run; empty ones are left out."""
        return {name: checks for name, checks in (("smoke", self.smoke), ("e2e", self.e2e)) if checks}


class Helm(Strict):
    chart: FilePath
    """Folder of the chart."""
    values: list[FilePath] = []


class Deploy(Strict):
    """The repository's own manifests (Kubernetes only), instead of those made from `services`: exactly one of these.

    `services` then names the Services among them that have a host or that checks use, each with its `port`.
    """

    manifests: FilePath | None = None
    """Folder of YAML, plain or Jinja2 (`*.j2`)."""
    kustomize: FilePath | None = None
    """Folder with a kustomization.yaml."""
    helm: Helm | None = None

    @model_validator(mode="after")
    def _one(self) -> "Deploy":
        if sum(way is not None for way in (self.manifests, self.kustomize, self.helm)) != 1:
            raise ValueError("`deploy` has exactly one of `manifests`, `kustomize` and `helm`")
        return self


class Trigger(Strict):
    drafts: bool = True
    """Whether a draft pull request gets a preview."""
    authors: list[str] = []
    """Only these authors' pull requests; everybody's where empty."""
    paths: list[str] = []
    """Globs (`src/**`): only pull requests that change one of them; any where empty."""
    after: list[CheckName] = Field([], max_length=10)
    """Deployed once these checks of the head have succeeded: names of check runs (of GitHub Actions: of jobs, without
    the workflow's), or contexts of commit statuses. Not ours, which come after it."""

    @field_validator("after")
    @classmethod
    def _others_and_each_once(cls, names: list[str]) -> list[str]:
        for name in names:
            if name.lower().startswith(OURS):
                raise ValueError(f"`{name}` is a check of a preview, which is there only after it")
            if names.count(name) > 1:
                raise ValueError(f"`{name}` stands there twice")
        return names


class Lifetime(Strict):
    sleep_after: Duration | None = None
    """Idle for this long, its processes are stopped; the next visit wakes it. The policy's where unset."""
    expire_after: Duration | None = None
    """Nobody pushed, commanded or visited for this long: removed."""
    max: Duration | None = None
    """Removed at this age whatever happens, unless pinned."""


class Spec(Strict):
    """What the application is, at one revision."""

    services: dict[ServiceName, ServiceSpec] = Field(min_length=1)
    deploy: Deploy | None = None
    database: DatabaseSpec = DatabaseSpec()
    checks: Checks = Checks()
    trigger: Trigger = Trigger()
    lifetime: Lifetime = Lifetime()
    url: str = Field("pr-{number}-{repo}", pattern=r"^pr-\{number\}-[a-z0-9{}-]{1,40}$")
    """Host label of the preview: one label, so that a wildcard certificate fits. May use `{repo}` and `{service}`."""

    @model_validator(mode="after")
    def _each_runs_something(self) -> "Spec":
        for name, service in self.services.items():
            if self.deploy is None and service.command is None and service.image is None:
                raise ValueError(f"service `{name}` needs a `command` or an `image`")
        return self

    @model_validator(mode="after")
    def _start_order_exists(self) -> "Spec":
        for name, service in self.services.items():
            for other in service.depends_on:
                if other not in self.services:
                    raise ValueError(f"service `{name}` depends on `{other}`, which is not a service here")
        try:
            self.start_order()
        except CycleError as error:
            raise ValueError(f"services depend on each other in a circle: {' → '.join(error.args[1])}") from None
        return self

    def start_order(self) -> list[str]:
        """Services, each after those it depends on. Raises graphlib.CycleError."""
        return list(
            TopologicalSorter({name: service.depends_on for name, service in self.services.items()}).static_order()
        )

    @property
    def main_service(self) -> str:
        """The one the preview's URL leads to: `web` if there is one with a port, else the first with a port."""
        with_port = [name for name, service in self.services.items() if service.port is not None]
        return "web" if "web" in with_port else next(iter(with_port), "")

    @property
    def postgres(self) -> Postgres | None:
        return self.database.postgres

    def files(self) -> list[str]:
        """Paths that must be regular files (or, for inputs, exist) at the revision."""
        seed = self.postgres.seed if self.postgres else None
        return list(seed) if isinstance(seed, list) else []


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """The spec at the head cannot be used; `text` is for the person who wrote it. `absent`: there is none."""

    text: str
    absent: bool = False


def parse(source: bytes | str, revision: str) -> Spec:
    """Raises DocumentError, whose text is meant for the pull request."""
    return load(source, Spec, f"{FILE} at {revision[:7]}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Puts `{sha}` and friends in; any other brace stays as it is. One pass, so that a value is never filled again."""
    return re.sub(r"\{([a-z]+)\}", lambda match: values.get(match[1], match[0]), text)
