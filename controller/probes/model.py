"""The nouns of probes. No behaviour that needs I/O or a clock."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from smoke.model import Outcome


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a probe's checks, from one location."""

    probe: str
    location: str
    at: datetime
    """When it was due."""
    late: timedelta
    """How much later it began."""
    took: timedelta
    outcome: Outcome
    """`broken` is the prober's fault: it counts neither as good nor as bad."""
    message: str = ""
    """Of the first check that did not pass, one line; redacted, not escaped."""
    excused: bool = False
    """Taken in a maintenance window, or while we were cut off ourselves: it counts against no objective."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Samples of a while. Good is what is neither."""

    total: int = 0
    """Passed and failed: what is known."""
    failed: int = 0
    broken: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.total + other.total, self.failed + other.failed, self.broken + other.broken)


@dataclass(frozen=True, slots=True)
class Point:
    """A step of a series. Latencies are of samples that passed; None where there was none."""

    at: datetime
    counts: Counts
    p50: timedelta | None = None
    p95: timedelta | None = None
    p99: timedelta | None = None


class Alarm(StrEnum):
    """Why a probe alerts: each fires and resolves for itself."""

    FAST_BURN = "fast-burn"
    """14.4 times the allowed rate over 1 h and 5 m (SRE workbook, chapter 5): a page."""
    SLOW_BURN = "slow-burn"
    """6 over 6 h and 30 m: a page."""
    TICKET_BURN = "ticket-burn"
    """1 over 3 d and 6 h: a ticket."""
    FAILING = "failing"
    """X of the latest Y samples failed: a page."""
    SILENT = "silent"
    """No sample came, or none that says anything: a page. No data is not good."""


@dataclass(frozen=True, slots=True)
class Health:
    """How one alarm of one probe stands. It is kept only once its notices are in the outbox."""

    firing_since: datetime | None = None
    told_at: datetime | None = None
    because: str = ""
    suspect: str = ""
    """The release that it began after: `production #7 (abc1234)`."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A release that became live shortly before something began to burn."""

    target: str
    release: int
    revision: str
    live_at: datetime

    def __str__(self) -> str:
        return f"{self.target} #{self.release} ({self.revision[:7]})"


@dataclass(frozen=True, slots=True)
class Incident:
    """From firing to resolved."""

    probe: str
    alarm: Alarm
    began: datetime
    ended: datetime | None
    because: str
    suspect: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """A person's: no notices of a probe (empty: of any) for a while."""

    id: str
    probe: str
    begins: datetime
    ends: datetime
    actor: str
    because: str


@dataclass(frozen=True, slots=True)
class Day:
    """One bar of a status page."""

    at: datetime
    """Midnight, UTC."""
    counts: Counts
    worst: str = field(default="")
    """`up`, `degraded`, `down`, `unknown`; see `status`."""
