"""What only the controller that leads does, for as long as it leads. A part of the composition root."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog

from controller.errors import MayflyError

log = structlog.get_logger()
AGAIN = 5.0
"""Seconds until a duty that could not be done is tried again."""
Duty = Callable[[], Awaitable[None]]


class Duties:
    def __init__(self, duties: Collection[Duty]) -> None:
        """Each runs until it is cancelled, and can be run again."""
        self._duties = duties
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self._tasks = [asyncio.create_task(_again_and_again(duty)) for duty in self._duties]

    async def end(self) -> None:
        """Returns when nothing of it goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []


async def _again_and_again(duty: Duty) -> None:
    while True:
        try:
            await duty()
        except MayflyError as error:
            log.warning("a duty has to wait", duty=_name(duty), reason=error.reason)
        except Exception:
            log.exception("a duty failed, and is begun again", duty=_name(duty))
        await asyncio.sleep(AGAIN)


def _name(duty: Duty) -> str:
    return getattr(duty, "__qualname__", repr(duty))
