import asyncio

import pytest

from smoke.patience import within


async def test_in_time():
    assert await within(5, asyncio.sleep(0))


async def test_too_long_is_cancelled():
    ended = asyncio.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    assert not await within(0.01, long())
    await asyncio.wait_for(ended.wait(), 5)


async def test_what_it_raises_is_raised():
    async def wrong() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await within(5, wrong())


async def test_it_keeps_time_in_a_task_that_is_being_cancelled():
    seen: list[bool] = []

    async def careful() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            seen.append(await within(0.01, asyncio.sleep(60)))

    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == [False]
