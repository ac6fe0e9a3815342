"""What can be done next with a target. Each step carries its reason: the same words go to the log, the timeline and the
people."""

from dataclasses import dataclass
from datetime import datetime

from controller.deploys.model import Release, Rollback, Stop


@dataclass(frozen=True, slots=True)
class Make:
    """Begin a release; what was pending and is not live is superseded. `order`: the decision it carries out, or 0."""

    release: Release
    because: str
    order: int = 0


@dataclass(frozen=True, slots=True)
class Observe:
    """Another tool has deployed it."""

    release: Release
    because: str


@dataclass(frozen=True, slots=True)
class Apply:
    release: int
    because: str


@dataclass(frozen=True, slots=True)
class Smoke:
    release: int
    order: int
    because: str


@dataclass(frozen=True, slots=True)
class Verify:
    release: int
    because: str


@dataclass(frozen=True, slots=True)
class Reject:
    """It never ran: it could not be made."""

    release: int
    because: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class RollBack:
    rollback: Rollback
    evidence: str = ""

    @property
    def because(self) -> str:
        return self.rollback.because


@dataclass(frozen=True, slots=True)
class Settle:
    """How a rollback ended; with `stop` where it did not bring the target back."""

    restored: bool
    because: str
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """Nothing more happens by itself. `rejects`: the release that is bad and stays, or 0."""

    stop: Stop
    rejects: int = 0
    evidence: str = ""
    order: int = 0

    @property
    def because(self) -> str:
        return self.stop.because


@dataclass(frozen=True, slots=True)
class Dismiss:
    """A decision that cannot be carried out any more."""

    order: int
    because: str


@dataclass(frozen=True, slots=True)
class Resume:
    """A person lets a stopped target go on."""

    because: str


@dataclass(frozen=True, slots=True)
class Wait:
    """`until`, where set, is when to look again."""

    because: str
    until: datetime | None = None


Step = Make | Observe | Apply | Smoke | Verify | Reject | RollBack | Settle | Halt | Dismiss | Resume | Wait
