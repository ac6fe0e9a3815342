"""Where main is deployed, and what a release has to prove there."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from controller.settings.names import LABEL
from smoke.documents import Duration, Strict
from smoke.spec import EnvName, FilePath

VARIABLE = r"^[A-Z_][A-Z0-9_]*$"


class Thresholds(Strict):
    """What makes a release good or bad."""

    passes: int = Field(1, ge=1, le=20)
    """Runs of its checks that have to pass one after the other."""
    failures: int = Field(2, ge=1, le=20)
    """As many failed runs, and it is rolled back."""
    broken: int = Field(3, ge=1, le=20)
    """As many runs that could not be run, and a person is paged; nothing is rolled back for that."""
    pause: Duration = timedelta(seconds=5)
    """Between two runs."""
    progress_deadline: Duration = Field(timedelta(minutes=10), ge=timedelta(seconds=1))
    """Longest its rollout may take."""
    soak_failures: int = Field(2, ge=0)
    """More failed samples of the target's probes than this while it soaks, and it is rolled back."""


class Watched(Strict):
    """A target that another tool deploys (Argo CD, Flux, Helm): it is verified, reported and held, never applied."""

    workloads: list[Annotated[str, Field(pattern=r"^(deployment|statefulset|daemonset)/[a-z0-9.-]+$")]] = Field(
        min_length=1
    )
    """`deployment/web`: those that have to be rolled out."""
    revision: str = "app.kubernetes.io/version"
    """Label or annotation that tells the commit: of the first one's pods, or else of the first one itself."""
    rollback: tuple[str, ...] = ()
    """Command that rolls back, run by the controller; `{to}` and `{bad}` are revisions, `{because}` is why."""
    rollback_webhook: str | None = Field(None, pattern=r"^https?://")
    """Instead: told by a POST of JSON with the same words."""
    rollback_secret_from: Annotated[str, Field(pattern=VARIABLE)] | None = None
    """Variable with the secret that the webhook is signed with, as notifications are."""


class Target(Strict):
    """One place that main is deployed to."""

    name: Annotated[str, Field(pattern=LABEL, max_length=40)]
    repository: str
    branch: str = "main"
    url: str | None = Field(None, pattern=r"^https?://")
    """As people reach it; `NAME.DOMAIN` of the dashboard where unset, by the gateway."""
    auto: bool = True
    """Whether a push is deployed by itself; else `mayfly redeploy` does it."""
    env: dict[EnvName, str] = {}
    """Configuration of every service there, on top of what the spec says. A part of each release."""
    secrets: dict[EnvName, Annotated[str, Field(pattern=VARIABLE)]] = {}
    """Variables of its services by the variables of the controller that they are taken from."""
    checks: FilePath | None = None
    """File of checks in the repository; the spec's smoke checks where unset."""
    soak: Duration = timedelta(0)
    """How long a release that passed is watched before it is verified."""
    thresholds: Thresholds = Thresholds()
    keep: int = Field(10, ge=3, le=100)
    """Releases that are kept to roll back to."""
    warm: bool = False
    """Whether the last verified release goes on running while a new one is tested, for a rollback in seconds."""
    rollback_on_burn: bool = False
    """Whether a release after which a probe of this target burns its objective is rolled back, verified or not."""
    suspect_within: Duration = timedelta(hours=1)
    """A burn that begins this soon after a release names it as the suspect."""
    comment: bool = True
    """Whether the pull request that was merged is told."""
    notify: list[str] = []
    """Names of routes (`notify`); all of them where none are named."""
    namespace: Annotated[str, Field(pattern=LABEL)] | None = None
    """On a cluster; `mayfly-NAME` where unset. It is made where it is not there."""
    watch: Watched | None = None

    @model_validator(mode="after")
    def _once(self) -> "Target":
        if twice := self.env.keys() & self.secrets.keys():
            raise ValueError(f"`{min(twice)}` stands in `env` and in `secrets`")
        return self
