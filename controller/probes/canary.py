"""Whether it is us who are cut off: when a probe does not pass, URLs are asked that always answer.

Any answer will do, whatever its status. They are asked at most once in five seconds, by whoever comes first; the others
wait for the same answer. Without canaries nobody can tell, and we are not.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType

from controller.probes.model import Sample
from smoke import runner
from smoke.model import Outcome
from smoke.spec import Check, HttpCheck, HttpExpect
from smoke.target import Target
from smoke.tools import Tools

FRESH = timedelta(seconds=5)
_ANY = Check(
    name="it answers",
    http=HttpCheck(path="/", expect=HttpExpect(status=("2xx", "3xx", "4xx", "5xx"))),
    timeout=timedelta(seconds=3),
)


class Canaries:
    """An asynchronous context manager."""

    def __init__(self, urls: Sequence[str], fresh: timedelta = FRESH) -> None:
        self._targets = [Target(url, external=True) for url in urls]
        self._tools = Tools(Target("http://localhost"), [], keep_alive=False)
        self._fresh = fresh.total_seconds()
        self._lock = asyncio.Lock()
        self._asked = -float("inf")
        self._cut_off = False

    async def cut_off(self) -> bool:
        if not self._targets:
            return False
        async with self._lock:
            if time.monotonic() - self._asked >= self._fresh:
                self._cut_off = not await self._any()
                self._asked = time.monotonic()
            return self._cut_off

    async def honest(self, sample: Sample) -> Sample:
        """What does not pass while no canary answers says nothing of the application."""
        if sample.outcome is Outcome.PASSED or not await self.cut_off():
            return sample
        because = f"we are cut off ourselves: no canary answers ({sample.message})"
        return replace(sample, outcome=Outcome.BROKEN, excused=True, message=because[:300])

    async def _any(self) -> bool:
        asked = [asyncio.create_task(self._answers(target)) for target in self._targets]
        try:
            for answer in asyncio.as_completed(asked):
                if await answer:
                    return True
            return False
        finally:
            for task in asked:
                task.cancel()

    async def _answers(self, target: Target) -> bool:
        return (await runner.run([_ANY], target, tools=self._tools)).outcome is Outcome.PASSED

    async def __aenter__(self) -> "Canaries":
        await self._tools.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tools.__aexit__(kind, error, trace)
