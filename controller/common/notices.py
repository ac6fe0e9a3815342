"""What people are told through a route: a page, a ticket, news. Shapes only."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    PAGE = "page"
    TICKET = "ticket"
    INFO = "info"


class Status(StrEnum):
    """Alertmanager's words, so that what understands those understands us."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell, once. `id` names it for ever: the same one is told once, whoever asks how often."""

    id: str
    at: datetime
    severity: Severity
    status: Status
    about: str
    """What belongs together, for whoever gets it: `probe:checkout`, `target:production`."""
    title: str
    """One line, plain text."""
    text: str = ""
    """More of it, plain text of several lines."""
    link: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    routes: tuple[str, ...] = ()
    """Names; every route that takes this severity where none are named."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A notice on its way to one route. `given_up`: it was refused, or tried for too long."""

    notice: Notice
    route: str
    attempts: int = 0
    again_at: datetime | None = None
    why: str = ""
    """It was not taken."""
    given_up: bool = False
