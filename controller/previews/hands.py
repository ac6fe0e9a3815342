"""Carries out actions on the platform, a few at a time. Each only starts something, and can be repeated."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from controller.common.errands import AT_ONCE
from controller.ports import History, Platform
from controller.previews.actions import Deploy, GiveUp, Remove, RunChecks, Sleep, Wake, kind_of
from controller.previews.chronicle import Chronicle, Meter
from controller.previews.model import Ending

Act = Deploy | RunChecks | GiveUp | Sleep | Wake | Remove
"""What is done on the platform; Hold and Ask are only told."""


class Hands:
    def __init__(
        self, platform: Platform, history: History, chronicle: Chronicle, meter: Meter, clock: Callable[[], datetime]
    ) -> None:
        self._platform = platform
        self._history = history
        self._chronicle = chronicle
        self._meter = meter
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def do(self, act: Act) -> Ending | None:
        """The ending, where it was one. Raises Unavailable or Refused."""
        async with self._turns:
            ending = await self._start(act)
        self._meter.acted(kind_of(act))
        await self._chronicle.note(act)
        return ending

    async def _start(self, act: Act) -> Ending | None:
        match act:
            case Deploy(order):
                await self._platform.deploy(order)
            case RunChecks(key, uid, revision, suite, number):
                await self._platform.run_checks(key, uid, revision, suite, number)
            case GiveUp(key, uid, revision, because):
                await self._platform.give_up(key, uid, revision, because)
            case Sleep(key, uid, number):
                await self._platform.sleep(key, uid, number)
            case Wake(key, uid, number):
                await self._platform.wake(key, uid, number)
            case Remove(key, uid, because):
                ending = Ending(key, because, self._clock())
                await self._history.end(ending)  # first: a removal that nobody can explain is worse than none
                await self._platform.remove(key, uid)
                return ending
            case _:
                assert_never(act)
        return None
