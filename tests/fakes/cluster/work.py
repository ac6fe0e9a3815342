"""What the cluster's own parts do a moment later: called once, however often it was asked for meanwhile."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any


class Work:
    """An error in any of it is raised at the end: a fake that breaks must not look like a quiet world."""

    def __init__(self, delay: float = 0.002) -> None:
        self.delay = delay
        self._timers: set[asyncio.TimerHandle] = set()
        self._asked: set[object] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []
        self._quiet = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        self._loop = asyncio.get_running_loop()

    def soon(self, function: Callable[..., None], *arguments: Any) -> None:
        key = (function, tuple(map(_key, arguments)))
        if key not in self._asked:
            self._asked.add(key)
            self.later(self.delay, self._once, key, function, arguments)

    def _once(self, key: object, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._asked.discard(key)
        function(*arguments)

    def later(self, seconds: float, function: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        timer: asyncio.TimerHandle = self._loop.call_later(seconds, lambda: self._run(timer, function, arguments))
        self._timers.add(timer)

    def _run(self, timer: asyncio.TimerHandle, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._timers.discard(timer)
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001  # raised at the end
            self.failed(error)
        if not self._asked:
            self._quiet.set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(error)

    def failed(self, error: BaseException) -> None:
        self._errors.append(error)

    async def idle(self) -> None:
        """Returns once nothing is asked for."""
        while self._asked:
            self._quiet.clear()
            await self._quiet.wait()

    async def end(self) -> None:
        for timer in self._timers:
            timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        if self._errors:
            raise self._errors[0]


def _key(argument: Any) -> object:
    """Objects are told apart by who they are, not by what is in them."""
    if isinstance(argument, dict):
        return argument.get("uid") or argument["metadata"]["uid"]
    return argument
