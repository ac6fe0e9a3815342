"""What the rest of the controller gives to probes; put together by the composition root."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from controller.common.notices import Notice
from controller.probes.meter import Meter, NoMeter
from controller.probes.model import Suspect

Post = Callable[[Collection[Notice]], Awaitable[None]]


def now() -> datetime:
    return datetime.now(UTC)


async def nobody(_target: str, _at: datetime) -> Suspect | None:
    return None


async def let_be(_suspect: Suspect, _because: str, _alert: str) -> None:
    """Accuses nobody."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the rest of the controller gives."""

    post: Post
    """Puts notices into the outbox; the same one twice is one."""
    link: Callable[[str], str] = lambda name: ""
    """Where people see a probe."""
    suspect: Callable[[str, datetime], Awaitable[Suspect | None]] = nobody
    """The release of a target that became live so shortly before that it may be the cause."""
    accuse: Callable[[Suspect, str, str], Awaitable[None]] = let_be
    """Told with the reason and the alert's id, once or more for the same one."""
    is_there: Callable[[str], bool] = lambda target: True
    """Whether a target was ever deployed, as far as that is known. Before, its probes fail by nobody's fault."""
    meter: Meter = field(default_factory=NoMeter)
    clock: Callable[[], datetime] = now
    folder: Path | None = None
    """With the files that checks name (`tls.ca`)."""
