"""Who is to be looked at next, and who wants to know that something changed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

Who = TypeVar("Who")
"""A pull request, a target: what rooms look at one by one. None stands for any of them."""


class Bell(Generic[Who]):
    """Collects rings until somebody answers. A hundred rings for one are one look."""

    def __init__(self) -> None:
        self._rung: set[Who | None] = set()
        self._event = asyncio.Event()

    def ring(self, who: Who | None = None) -> None:
        self._rung.add(who)
        self._event.set()

    def ring_in(self, seconds: float, who: Who | None = None) -> None:
        asyncio.get_running_loop().call_later(max(0.0, seconds), self.ring, who)

    async def answer(self, within: float) -> frozenset[Who] | None:
        """Who rang since the last time; None (look at everything) where any may have, or nobody did in time."""
        try:
            async with asyncio.timeout(within):
                await self._event.wait()
        except TimeoutError:
            self._rung.add(None)
        self._event.clear()
        rung, self._rung = self._rung, set()
        return None if None in rung else frozenset(who for who in rung if who is not None)


class Broadcast(Generic[Who]):
    """Tells every listener of each change. A listener that does not keep up is told less, never late."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Who | None]] = set()

    def tell(self, who: Who | None) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
                who = None
            queue.put_nowait(who)

    async def changes(self) -> AsyncIterator[Who | None]:
        queue: asyncio.Queue[Who | None] = asyncio.Queue(maxsize=100)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)
