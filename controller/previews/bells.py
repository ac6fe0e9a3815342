"""Who is to be looked at next, and who wants to know that something changed."""

import asyncio
from collections.abc import AsyncIterator

from controller.previews.model import PreviewKey

Ring = PreviewKey | None
"""One pull request, or (None) any of them."""


class Bell:
    """Collects rings until somebody answers. A hundred rings for one pull request are one look."""

    def __init__(self) -> None:
        self._rung: set[Ring] = set()
        self._event = asyncio.Event()

    def ring(self, who: Ring = None) -> None:
        self._rung.add(who)
        self._event.set()

    def ring_in(self, seconds: float, who: Ring = None) -> None:
        asyncio.get_running_loop().call_later(max(0.0, seconds), self.ring, who)

    async def answer(self, within: float) -> frozenset[PreviewKey] | None:
        """Who rang since the last time; None (look at everything) where any may have, or nobody did in time."""
        try:
            async with asyncio.timeout(within):
                await self._event.wait()
        except TimeoutError:
            self._rung.add(None)
        self._event.clear()
        rung, self._rung = self._rung, set()
        return None if None in rung else frozenset(who for who in rung if who is not None)


class Broadcast:
    """Tells every listener of each change. A listener that does not keep up is told less, never late."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Ring]] = set()

    def tell(self, who: Ring) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
                who = None
            queue.put_nowait(who)

    async def changes(self) -> AsyncIterator[Ring]:
        queue: asyncio.Queue[Ring] = asyncio.Queue(maxsize=100)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)
