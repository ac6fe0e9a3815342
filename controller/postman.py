"""Brings notices from the outbox to whoever is to be told, and forgets none before it was taken.

the route              the notice
---------------------  ----------------------------------------------------------------------
took it                told
cannot take it now     again after 2 s, 4 s, 8 s, … an hour at most, or when the route said
did not in three days  given up, which is logged and stays to be seen
refused it             given up at once, the same
is not there any more  given up at once, the same

Each route has an errand of its own, so that one that hangs keeps nobody else waiting. What was taken is not sent again
where only writing that down went wrong; a controller that is killed in between sends it again, under the same key.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from controller.common.bells import Bell
from controller.common.errands import Errands
from controller.common.notices import Notice, Outgoing, Severity
from controller.errors import MayflyError, Refused, Unavailable
from controller.ports import Notifier, Outbox

log = structlog.get_logger()
FIRST = timedelta(seconds=2)
MOST = timedelta(hours=1)
PATIENCE = timedelta(days=3)
LOOK_EVERY = 1.0
AGAIN = 5.0
"""Seconds until History is asked again that could not be reached."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A route, and what it takes."""

    notifier: Notifier
    severities: frozenset[Severity]


def _now() -> datetime:
    return datetime.now(UTC)


class Postman:
    def __init__(
        self,
        outbox: Outbox,
        mailboxes: Collection[Mailbox],
        clock: Callable[[], datetime] = _now,
        first: timedelta = FIRST,
    ) -> None:
        """`first` is how soon something is tried again for the first time."""
        self._outbox = outbox
        self._mailboxes: Mapping[str, Mailbox] = {box.notifier.name: box for box in mailboxes}
        self._clock = clock
        self._first = first
        self._bell: Bell[str] = Bell()
        self._errands: Errands[str] = Errands(self._bell.ring)
        self._taken: dict[tuple[str, str], datetime] = {}

    async def post(self, notices: Collection[Notice]) -> None:
        """Into the outbox, for every route that takes it. Raises Unavailable or Refused."""
        for notice in notices:
            if routes := self.routes(notice):
                await self._outbox.post([notice], routes)
        self._bell.ring()

    def routes(self, notice: Notice) -> tuple[str, ...]:
        named = notice.routes or tuple(self._mailboxes)
        boxes = {name: self._mailboxes[name] for name in named if name in self._mailboxes}
        return tuple(name for name, box in boxes.items() if notice.severity in box.severities)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self.deliver()
                except MayflyError as error:
                    log.warning("notices wait for History", reason=error.reason)
                    await asyncio.sleep(AGAIN)
                await self._bell.answer(LOOK_EVERY)
        finally:
            await self._errands.close()

    async def deliver(self) -> None:
        """Begins with everything that is due; waits a second at most. Raises Unavailable or Refused."""
        due: dict[str, list[Outgoing]] = {}
        for outgoing in await self._outbox.waiting(self._clock()):
            due.setdefault(outgoing.route, []).append(outgoing)
        await self._errands.run({route: partial(self._round, some) for route, some in due.items()})

    async def _round(self, some: list[Outgoing]) -> bool:
        """To one route, one by one; one that does not take the first is not asked to take the others now."""
        for outgoing in some:
            if not await self._bring(outgoing):
                break
        return False

    async def _bring(self, outgoing: Outgoing) -> bool:
        key = outgoing.notice.id, outgoing.route
        if key not in self._taken:
            try:
                await self._box(outgoing.route).notifier.tell(outgoing.notice)
            except Refused as error:
                await self._give_up(outgoing, error.reason)
                return True
            except Unavailable as error:
                await self._postpone(outgoing, error)
                return False
            self._taken[key] = self._clock()
        await self._outbox.told(outgoing, self._taken[key])
        del self._taken[key]
        return True

    def _box(self, route: str) -> Mailbox:
        if route not in self._mailboxes:
            raise Refused(f"there is no route `{route}` any more")
        return self._mailboxes[route]

    async def _postpone(self, outgoing: Outgoing, error: Unavailable) -> None:
        now = self._clock()
        if now - outgoing.notice.at > PATIENCE:
            await self._give_up(outgoing, error.reason)
            return
        wait = max(error.retry_after or timedelta(0), self._first * 2 ** min(outgoing.attempts, 20))
        log.info("a notice was not taken", route=outgoing.route, title=outgoing.notice.title, reason=error.reason)
        await self._outbox.failed(outgoing, error.reason, now + min(wait, MOST))

    async def _give_up(self, outgoing: Outgoing, reason: str) -> None:
        log.error("a notice is given up", route=outgoing.route, title=outgoing.notice.title, reason=reason)
        await self._outbox.failed(outgoing, reason, None)
