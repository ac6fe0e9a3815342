"""What a growing table came to, kept in memory: later looks read what changed since, whoever wrote it.

Every write takes the next number of the one counter in `changes` before it does anything else, and so holds that row
until it is committed. Numbers therefore become visible in their order, and none turns up below one that was seen.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Row

K = TypeVar("K")
"""A preview, a target."""
V = TypeVar("V")
Rows = Sequence[Row[Any]]
WHOLE_AGAIN = timedelta(minutes=10)
"""Read whole that often: a database that was put back to an earlier day counts its changes anew."""
LISTENS_EVERY = timedelta(seconds=1)
EVER = -1
"""Before the first change; rows of before the counter have change 0."""


class Fold(Generic[K, V]):
    """A value by key. What `now` returned is never changed afterwards; it is the same while nothing changes."""

    def __init__(
        self,
        read: Callable[[int], Awaitable[Rows]],
        add: Callable[[Mapping[K, V], Rows], Mapping[K, V]],
    ) -> None:
        self._read = read
        self._add = add
        self._lock = asyncio.Lock()
        self._known: Mapping[K, V] = {}
        self._seen = EVER
        self._whole_at = 0.0

    async def now(self) -> Mapping[K, V]:
        async with self._lock:
            time = asyncio.get_running_loop().time()
            if self._seen == EVER or time >= self._whole_at:
                rows = await self._read(EVER)
                self._known, self._seen = self._add({}, rows), _latest(rows, 0)
                self._whole_at = time + WHOLE_AGAIN.total_seconds()
            elif rows := await self._read(self._seen):
                self._known, self._seen = self._add(self._known, rows), _latest(rows, self._seen)
            return self._known

    async def news(self) -> AsyncIterator[K]:
        """Whose value changed, within seconds; whoever wrote it."""
        known = await self.now()
        while True:
            await asyncio.sleep(LISTENS_EVERY.total_seconds())
            before, known = known, await self.now()
            for key in changed(before, known):
                yield key


def changed(before: Mapping[K, V], now: Mapping[K, V]) -> Collection[K]:
    return () if now is before else [key for key, value in now.items() if value != before.get(key)]


def _latest(rows: Rows, seen: int) -> int:
    return max((row.changed for row in rows), default=seen)
