"""What people see and ask: the one place behind the API, the dashboard and the command line."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from controller.common.nouns import PreviewKey
from controller.common.words import ForgeHealth
from controller.previews.model import Ending, Event, Preview, PullRequest, Wishes
from smoke.model import SuiteRun


@dataclass(frozen=True, slots=True)
class Card:
    """All there is to show about one pull request."""

    key: PreviewKey
    state: str
    """One word: a phase of the preview (`ready`), or `none`, `waiting`, `removed`."""
    headline: str
    """One line for people: `ready · all 6 checks passed`, `failed · migrate: column "x" does not exist`."""
    pull: PullRequest | None = None
    preview: Preview | None = None
    wishes: Wishes = field(default_factory=Wishes)
    ending: Ending | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """To a command: whether it was taken, and what to tell the person (Markdown)."""

    accepted: bool
    text: str


class Desk(Protocol):
    """Methods raise Unavailable or Refused, as the ports do; Refused where the preview is not known."""

    async def cards(self) -> tuple[Card, ...]:
        """Every open pull request and every preview, newest activity first."""
        ...

    async def card(self, key: PreviewKey) -> Card: ...

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]: ...

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]: ...

    def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]: ...

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None: ...

    async def command(self, key: PreviewKey, text: str, actor: str, origin: str = "") -> Answer:
        """`/preview pin`, as a comment would say it (the leading `/preview` may be left out)."""
        ...

    async def alarm(self) -> str:
        """Why removals stopped and wait for a person; empty where they did not."""
        ...

    async def approve_removals(self, actor: str) -> int:
        """Lets the removals that wait go on; how many there are."""
        ...

    async def forge(self) -> ForgeHealth:
        """How well the forge can be talked with."""
        ...

    def changes(self) -> AsyncIterator[PreviewKey | None]:
        """Yields whenever something to show has changed: of one preview, or (None) of any."""
        ...
