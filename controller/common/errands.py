"""Work on many things at once: a slow one keeps only itself waiting, and none is worked on twice at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar

import structlog

log = structlog.get_logger()
Key = TypeVar("Key")
"""A pull request, a target."""
T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 8
"""So many requests of one sort are under way at a time."""
PATIENCE = timedelta(seconds=1)
"""A round waits no longer for what it started."""


async def each(work: Callable[[T], Awaitable[R]], items: Iterable[T]) -> list[R]:
    """What came of each, in the order of the items. The first error ends the others, and is raised."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> R:
        async with turns:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


class Errands(Generic[Key]):
    """`news` is told of everything whose work came to something after its round had ended."""

    def __init__(self, news: Callable[[Key], None]) -> None:
        self._news = news
        self._under_way: dict[Key, asyncio.Task[bool]] = {}
        self._late: set[Key] = set()
        self._again: set[Key] = set()

    def __contains__(self, key: Key) -> bool:
        return key in self._under_way

    def under_way(self, again: Collection[Key] = ()) -> frozenset[Key]:
        """What is being worked on. Of those in `again` there will be news at the end, whatever comes of it."""
        self._again |= self._under_way.keys() & set(again)
        return frozenset(self._under_way)

    async def run(self, work: Mapping[Key, Callable[[], Coroutine[Any, Any, bool]]]) -> None:
        """Begins what is not busy, and waits for it, but no longer than PATIENCE; what takes longer goes on.

        Each says whether it came to something. Raises the first error, when the others are done too.
        """
        busy = self.under_way(again=work.keys())
        tasks = {key: self._begin(key, errand) for key, errand in work.items() if key not in busy}
        if not tasks:
            return
        done, _ = await asyncio.wait(tasks.values(), timeout=PATIENCE.total_seconds())
        self._late |= self._under_way.keys() & tasks.keys()
        for task in tasks.values():
            if task in done:
                task.result()

    async def close(self) -> None:
        """Ends what is under way; whatever was begun is found by the next look."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: Key, errand: Callable[[], Coroutine[Any, Any, bool]]) -> asyncio.Task[bool]:
        task = self._under_way[key] = asyncio.create_task(errand())
        task.add_done_callback(lambda done: self._end(key, done))
        return task

    def _end(self, key: Key, task: asyncio.Task[bool]) -> None:
        del self._under_way[key]
        late, again = key in self._late, key in self._again
        self._late.discard(key)
        self._again.discard(key)
        if task.cancelled():
            return
        error = task.exception()
        if late and error is not None:
            log.error("work failed", about=str(key), exc_info=error)
        if again or (late and (error is not None or task.result())):
            self._news(key)
