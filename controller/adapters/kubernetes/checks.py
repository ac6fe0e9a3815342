"""A run of checks as Jobs in the preview's namespace. Pure.

Each Job has the container `smoke`, which reads its checks from a ConfigMap and writes the result into its log, and
beside it one for each `command` check that names an image. None has credentials of the cluster.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.adapters.kubernetes import names, render
from controller.adapters.kubernetes.results import Shard
from controller.adapters.kubernetes.shapes import CheckTask, Container, Obj, Place, SecretKey
from controller.adapters.kubernetes.shards import balance
from controller.adapters.shared.orders import Order
from controller.common.nouns import short
from controller.common.spec import fill
from controller.settings import Kubernetes
from smoke import collect, target
from smoke.spec import Check, CommandCheck

TASK = "check"
SHARDED = "e2e"
CONFIG = "/mayfly/config"
SHARED = "/mayfly/run"
WORKSPACE = "/workspace"
FILE = "checks.yaml"
_MEMORY = 512 * 2**20
_MORE_MEMORY = 2**30
"""Bytes, where a browser may run."""
_GRACE = timedelta(seconds=20)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One run of a suite. `order` is the order to check, and `times` how long each check took before.

    `source` names the ConfigMap with the repository; empty, commands without an image are broken.
    """

    suite: str
    order: int
    started: datetime
    times: Mapping[str, timedelta] = field(default_factory=dict)
    source: str = ""
    database: SecretKey | None = None
    """The URL of the preview's database."""
    images: Mapping[str, str] = field(default_factory=dict)
    """What images are pinned to, by what the spec calls them at this revision."""
    url: str = ""
    """What is asked instead of the main service."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What all shards of a run have in common."""

    place: Place
    order: Order
    wanted: Wanted
    kubernetes: Kubernetes

    @property
    def url(self) -> str:
        spec = self.order.spec
        main = spec.main_service
        if self.wanted.url:
            return self.wanted.url
        return f"http://{main}:{spec.services[main].port}" if main else "http://localhost"

    @property
    def until(self) -> datetime:
        """A little before the Job's deadline: then its pod is removed, and the log with the result in it."""
        limit = self.kubernetes.step_timeout
        return self.wanted.started + limit - min(limit / 10, _GRACE)

    @property
    def known(self) -> dict[str, str]:
        """What checks and commands may use, besides the database; `{url}` is the address itself."""
        return {"sha": self.order.revision, "number": str(self.place.key.number)}

    @property
    def secrets(self) -> dict[str, SecretKey]:
        """The database's URL, under every name of it."""
        postgres, database = self.order.spec.postgres, self.wanted.database
        if postgres is None or database is None:
            return {}
        return dict.fromkeys(("DATABASE_URL", postgres.env.upper(), postgres.env), database)


def tasks(place: Place, order: Order, wanted: Wanted, kubernetes: Kubernetes) -> tuple[tuple[CheckTask, Obj], ...]:
    """The Jobs of a run, each with the ConfigMap that it reads. The same arguments make the same names.

    A suite that the spec does not have makes none.
    """
    around = _Around(place, order, wanted, kubernetes)
    checks = order.spec.checks.suites().get(wanted.suite, [])
    shards = order.spec.checks.shards if wanted.suite == SHARDED else 1
    parts = balance(checks, wanted.times, shards)
    where = {check.name: place for place, check in enumerate(checks)}
    notes = [
        Shard(
            wanted.suite,
            order.revision,
            wanted.order,
            number,
            len(parts),
            wanted.started,
            tuple(where[check.name] for check in part),
        )
        for number, part in enumerate(parts, 1)
    ]
    return tuple(_task(around, part, note) for part, note in zip(parts, notes, strict=True))


def job_name(suite: str, order: int, revision: str, shard: int) -> str:
    """`check-e2e-h4x0r1-abc1234-1`."""
    return f"{TASK}-{suite}-{_base36(order)}-{short(revision)}-{shard}"[: names.MAX_NAME].lower()


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _task(around: _Around, checks: Sequence[Check], note: Shard) -> tuple[CheckTask, Obj]:
    name = job_name(note.suite, note.order, note.revision, note.shard)
    written = [check.model_dump(mode="json", by_alias=True, exclude_unset=True) for check in checks]
    config = render.config(around.place, name, {FILE: json.dumps({"checks": written})})
    beside = tuple(
        _beside(around, check.command, number)
        for number, check in enumerate(checks, 1)
        if check.command is not None and check.command.image is not None
    )
    task = CheckTask(
        name,
        _smoke(around, checks),
        beside,
        config["metadata"]["name"],
        around.kubernetes.step_timeout,
        labels={names.TASK: TASK, names.SUITE: note.suite},
        annotations={names.RUN: note.to_json()},
    )
    return task, config


def _smoke(around: _Around, checks: Sequence[Check]) -> Container:
    wanted, revision = around.wanted, around.order.revision
    source = wanted.source if any(_reads_repository(check) for check in checks) else ""
    return Container(
        "smoke",
        around.kubernetes.images.mayfly,
        (
            *("python", "-P", "-m", "smoke", "run", f"{CONFIG}/{FILE}", "--url", around.url),
            *("--suite", wanted.suite, "--revision", revision, "--untrusted", "--hand-over"),
            *("--collect", SHARED, "--output", "/tmp/output"),  # noqa: S108 - of a container that nobody shares
            *("--until", around.until.isoformat(timespec="seconds")),
            *(("--workdir", WORKSPACE) if source else ()),
        ),
        env={"MAYFLY_VARS": json.dumps(around.known), "HOME": "/tmp", "MAYFLY_CHROMIUM_SANDBOX": "off"},  # noqa: S108
        secrets={f"MAYFLY_VAR_{name.upper()}": key for name, key in around.secrets.items()},
        memory=_MORE_MEMORY if any(check.kind == "browser" for check in checks) else _MEMORY,
        source=source,
    )


def _reads_repository(check: Check) -> bool:
    if check.tls is not None:
        return check.tls.ca is not None
    return check.command is not None and check.command.image is None


def _beside(around: _Around, check: CommandCheck, number: int) -> Container:
    report, image = collect.report_path(check, SHARED, number), fill(check.image or "", around.known)
    known = {**around.known, "url": around.url}
    words = tuple(_filled(word, known | {"junit": report}) for word in check.run)
    secrets = around.secrets
    given = {name: secrets[secret] for name, text in check.env.items() if (secret := _variable(text)) in secrets}
    said = {name: _filled(text, known) for name, text in check.env.items() if name not in given}
    return Container(
        f"check-{number}",
        around.wanted.images.get(image, image),
        ("sh", "-c", collect.WRAPPER, "sh", SHARED, str(number), report, *words),
        env={name.upper(): value for name, value in known.items()} | said,
        secrets={name: key for name, key in secrets.items() if name not in said} | given,
        memory=_MORE_MEMORY,
    )


def _variable(text: str) -> str:
    """The name in `{database_url}`, as it is in the environment; empty for any other text."""
    match = re.fullmatch(r"\{([a-z_][a-z0-9_]*)\}", text)
    return match[1].upper() if match else ""


def _filled(text: str, known: Mapping[str, str]) -> str:
    """As smoke fills it. What has no value stays: smoke says so, and never begins that check."""
    try:
        return target.fill(text, known, {})
    except target.Missing:
        return text
