"""A person looked: told at most once in five seconds for each preview, and never at the cost of the visit."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from controller.common.nouns import PreviewKey
from controller.errors import MayflyError

EVERY = 5.0
"""Seconds."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Visits:
    def __init__(
        self, tell: Callable[[PreviewKey], Awaitable[None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._told: dict[PreviewKey, tuple[float, bool]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, key: PreviewKey, *, asleep: bool) -> None:
        """A visit to one that has just fallen asleep is told at once: it wakes it."""
        now = self._clock()
        at, was_asleep = self._told.get(key, (now - EVERY, asleep))
        if now - at < EVERY and was_asleep == asleep:
            return
        self._told = {other: told for other, told in self._told.items() if now - told[0] < EVERY}
        self._told[key] = (now, asleep)
        task = asyncio.create_task(self._say(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Lets what is being told finish."""
        await asyncio.gather(*self._tasks)

    async def _say(self, key: PreviewKey) -> None:
        try:
            await self._tell(key)
        except MayflyError as error:
            log.warning("the visit was not noted", preview=str(key), reason=error.reason)
