"""Waiting with a limit, also where we clean up because we are being cancelled."""

import asyncio
from collections.abc import Coroutine


async def within(seconds: float, doing: Coroutine[object, object, object]) -> bool:
    """Whether it ended in time; it is cancelled where it did not. What it raises is raised.

    `asyncio.timeout` cannot do this in a task that is being cancelled before Python 3.11.5: it takes its own alarm for
    the cancellation, and whatever should come after it never does.
    """
    task = asyncio.ensure_future(doing)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
    if done:
        task.result()
    return bool(done)
