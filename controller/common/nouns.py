"""The nouns that every room uses. No behaviour that needs I/O or a clock."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from smoke.model import SuiteRun


@dataclass(frozen=True, slots=True, order=True)
class PreviewKey:
    """Names one preview for its whole life. Everything else is looked up."""

    repo: str
    number: int

    def __str__(self) -> str:
        return f"{self.repo}#{self.number}"


def short(revision: str) -> str:
    """A revision for people; inside it is always whole."""
    return revision[:7]


@dataclass(frozen=True, slots=True)
class Commit:
    """`author` and `title` are a stranger's words."""

    revision: str
    committed_at: datetime
    title: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """What `git fetch` takes: a path or a URL. `header` (a secret) goes with every request to that URL."""

    url: str
    header: str = field(default="", repr=False)


class StepState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    REUSED = "reused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a deploy: `checkout`, `build web`, `seed`, `clone`, `migrate`, `start web`. In the order they ran."""

    name: str
    state: StepState
    started_at: datetime
    took: timedelta = timedelta()
    detail: str = ""


class ServiceState(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    CRASHED = "crashed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the preview as it is now. `reason` tells why it is not healthy."""

    name: str
    state: ServiceState
    host: str = ""
    """The host name it is reached by; empty where it has no port."""
    restarts: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckJob:
    """One run of a suite against the preview, as the platform has it. `run` is None while it goes on."""

    suite: str
    revision: str
    order: int
    started_at: datetime
    run: SuiteRun | None = None


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    SLEEPING = "sleeping"
    TERMINATING = "terminating"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a host name leads. `address` is None while nothing answers there."""

    key: PreviewKey
    service: str
    phase: Phase
    address: tuple[str, int] | None = None
    reason: str = ""
    logs: str = ""
    step: str = ""
    """What it is doing while it starts."""
