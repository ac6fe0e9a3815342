"""Answers that go on: they beat while nothing happens, and end when the controller stops."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from controller.errors import MayflyError

HEARTBEAT = 15.0
"""Seconds."""

Item = TypeVar("Item")


@asynccontextmanager
async def closing(source: AsyncIterator[Item]) -> AsyncIterator[AsyncIterator[Item]]:
    """Closes what can be closed, however it was left."""
    try:
        yield source
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def flowing(
    source: AsyncIterator[str], stopping: asyncio.Event, *, opening: str = "", beat: str = ""
) -> AsyncIterator[str]:
    """What `source` yields, and `beat` in every 15 seconds of silence, until `stopping`.

    `opening` is yielded once `source` is being listened to. A failure, now that the answer has begun, is its last line.
    """
    async with closing(source):
        stop = asyncio.create_task(stopping.wait())
        following = asyncio.create_task(_next(source))
        try:
            for _ in range(2):
                await asyncio.sleep(0)  # lets `source`, and what it is merged from, begin to listen
            yield opening
            while not stop.done():
                await asyncio.wait({following, stop}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    yield beat
                    continue
                if (text := following.result()) is None:
                    return
                following = asyncio.create_task(_next(source))
                yield text
        finally:
            await _cancelled(stop, following)


async def merged(sources: Collection[AsyncIterator[Item]]) -> AsyncIterator[Item]:
    """What any of them yields, as it comes, until none goes on. Raises what one of them raises."""
    steps = {asyncio.create_task(_step(source)): source for source in sources}
    try:
        while steps:
            done, _ = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
            for step in done:
                source = steps.pop(step)
                if (item := step.result()) is not None:
                    steps[asyncio.create_task(_step(source))] = source
                    yield item
    finally:
        await _cancelled(*steps)
        for source in sources:
            if isinstance(source, AsyncGenerator):
                await source.aclose()


async def begun(source: AsyncIterator[str], within: float) -> AsyncIterator[str]:
    """`source`, after its first item or `within` seconds of silence, so that a refusal comes before the answer begins.

    Raises what the first step of `source` raises.
    """
    first = asyncio.create_task(_step(source))
    try:
        done, _ = await asyncio.wait({first}, timeout=within)
        if done:
            first.result()
    except BaseException:
        await _cancelled(first)
        raise
    return _after(first, source)


async def _after(first: "asyncio.Task[str | None]", source: AsyncIterator[str]) -> AsyncIterator[str]:
    async with closing(source):
        try:
            text = await first
            while text is not None:
                yield text
                text = await _step(source)
        finally:
            await _cancelled(first)


async def _step(source: AsyncIterator[Item]) -> Item | None:
    return await anext(source, None)


async def _next(source: AsyncIterator[str]) -> str | None:
    try:
        return await anext(source, None)
    except MayflyError as error:
        return f"({error.reason})\n"


async def _cancelled(*tasks: "asyncio.Future[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
