"""Where every request to GitHub goes through: paced by account, counted, and its limits and outages told in our words.

A GET whose line broke, or that a gateway answered (502, 503, 504), is asked once more at once. Nothing else is. Where
GitHub is silent, nobody else waits for it as long: for some seconds everything fails at once.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from controller.adapters.github import answers
from controller.adapters.github.meter import Meter, Outcome, Unmetered
from controller.adapters.github.pace import Pace, Throttled
from controller.adapters.github.wire import Answer, Broken, Request, Silent, Wire
from controller.common.words import ForgeHealth
from controller.errors import Unavailable

UNDER_WAY = 10
"""Requests of one account at once; GitHub takes 100 (`limits.AT_ONCE`), of all that use the account."""
SILENT_FOR = timedelta(seconds=5)
_GATEWAY = {502, 503, 504}


def now_utc() -> datetime:
    return datetime.now(UTC)


class Account:
    def __init__(self) -> None:
        self.pace = Pace()
        self.places = asyncio.Semaphore(UNDER_WAY)


class Door:
    def __init__(self, wire: Wire, *, meter: Meter | None = None, clock: Callable[[], datetime] = now_utc) -> None:
        self.clock = clock
        self._wire = wire
        self._meter = meter or Unmetered()
        self._accounts: dict[str, Account] = {}
        self._silent_until: datetime | None = None

    @property
    def api(self) -> str:
        return self._wire.api

    async def ask(self, account: str, request: Request, *, creates: bool = False) -> Answer:
        """Whatever GitHub answers, but for limits and outages. Raises Unavailable."""
        try:
            answer = await self._once(account, request, creates=creates)
            again = answer.status in _GATEWAY
        except Broken:
            if not request.is_read:
                raise
            again = True
        if again and request.is_read:
            answer = await self._once(account, request, creates=creates)
        if answer.status >= 500:
            raise answers.error(answer, f"{request.method} {request.path}", self.clock())
        return answer

    def mind(self, account: str) -> None:
        """Raises Throttled where that account can create nothing now."""
        if (known := self._accounts.get(account)) is not None:
            known.pace.mind(self.clock())

    def health(self) -> ForgeHealth:
        """Of all accounts: the least that is left, and the longest wait."""
        now = self.clock()
        paces = [account.pace for account in self._accounts.values()]
        quotas = [pace.quota for pace in paces if pace.quota is not None and pace.quota.resets_at > now]
        waits = [wait for pace in paces if (wait := pace.waiting(now)) is not None]
        least = min(quotas, key=lambda quota: quota.remaining, default=None)
        until, why = max(waits, default=(None, ""))
        if least is None:
            return ForgeHealth("github", waits_until=until, why=why)
        return ForgeHealth("github", least.remaining, least.limit, least.resets_at, until, why)

    async def close(self) -> None:
        await self._wire.close()

    async def _once(self, account: str, request: Request, *, creates: bool) -> Answer:
        known = self._accounts.setdefault(account, Account())
        async with known.places:
            self._mind_silence()
            await self._turn(known.pace, request, creates=creates)
            answer = await self._counted(request)
        limited = known.pace.hear(answer, self.clock())
        self._meter.asked(_outcome(answer, limited))
        if limited is not None:
            self._meter.throttled(limited.limit)
            raise limited
        return answer

    async def _turn(self, pace: Pace, request: Request, *, creates: bool) -> None:
        try:
            pause = pace.take(self.clock(), is_read=request.is_read, creates=creates)
        except Throttled as error:
            self._meter.throttled(error.limit)
            raise
        if pause:
            await asyncio.sleep(pause.total_seconds())

    async def _counted(self, request: Request) -> Answer:
        try:
            return await self._wire.ask(request)
        except Unavailable as error:
            self._meter.asked(Outcome.FAILED)
            if isinstance(error, Silent):
                self._silent_until = self.clock() + SILENT_FOR
            raise

    def _mind_silence(self) -> None:
        now = self.clock()
        if self._silent_until is not None and now < self._silent_until:
            raise Unavailable("GitHub does not answer: it took too long just now", self._silent_until - now)


def _outcome(answer: Answer, limited: Throttled | None) -> Outcome:
    if limited is not None:
        return Outcome.THROTTLED
    if answer.status == 304:
        return Outcome.UNCHANGED
    if answer.status >= 500:
        return Outcome.FAILED
    return Outcome.OK if answers.is_fine(answer) else Outcome.REFUSED
