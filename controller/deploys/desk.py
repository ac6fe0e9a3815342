"""What people see and ask of targets: the one place behind the API, the dashboard and the command line."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from controller.deploys.model import Event, Probed, Rules, Seen, Verb, Wishes
from smoke.model import SuiteRun


@dataclass(frozen=True, slots=True)
class Dora:
    """DORA's four figures of one target, over `window`. None where nothing says."""

    window: timedelta
    deploys: int
    """Deployment frequency: releases that became live."""
    lead_time: timedelta | None
    """Lead time for changes: from commit to live, the median."""
    failure_rate: float | None
    """Change failure rate: the share of releases with a verdict that were rejected after they were live."""
    recovery_time: timedelta | None
    """Failed deployment recovery time: from live to restored, the median."""


@dataclass(frozen=True, slots=True)
class TargetCard:
    """All there is to show about one target."""

    name: str
    repository: str
    branch: str
    url: str
    state: str
    """One word: `empty`, `deploying`, `checking`, `soaking`, `verified`, `rolling-back`, `restored`, `stopped`,
    `held`."""
    headline: str
    """One line for people: `#7 (abc1234) is verified`."""
    seen: Seen
    rules: Rules
    wishes: Wishes
    probed: Probed = field(default_factory=Probed)
    dora: Dora | None = None
    since: datetime | None = None
    """When it came into this state."""
    problem: str = ""
    """Why nothing is known or done at this moment."""
    labels: dict[str, str] = field(default_factory=dict)


class Taken(StrEnum):
    """What came of what a person asked."""

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    """There is no such target."""
    CONFLICT = "conflict"
    """A rollback is under way; the text says whose."""
    REFUSED = "refused"
    """It cannot be done; the text says what can."""


@dataclass(frozen=True, slots=True)
class Answer:
    taken: Taken
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asks of a target. `key`: the same one asks once."""

    target: str
    verb: Verb
    actor: str
    because: str
    to: int = 0
    force: bool = False
    key: str = ""


class TargetDesk(Protocol):
    """Methods raise Unavailable or Refused, as the ports do; Refused where the target is not known."""

    async def targets(self) -> tuple[TargetCard, ...]: ...

    async def target(self, name: str) -> TargetCard: ...

    async def timeline(self, name: str, limit: int = 200) -> tuple[Event, ...]: ...

    async def runs(self, name: str, limit: int = 50) -> tuple[tuple[int, SuiteRun], ...]:
        """Runs of checks with the number of their release, oldest first."""
        ...

    def logs(self, name: str, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]: ...

    async def artifact(self, name: str, file: str) -> bytes | None: ...

    async def ask(self, ask: Ask) -> Answer: ...

    def changes(self) -> AsyncIterator[str | None]: ...
