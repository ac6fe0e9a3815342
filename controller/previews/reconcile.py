"""The loop: look, decide, act, say.

A round reads what should be and what is, plans with a pure function, starts what is to be started and says what is new.
Bells only bring the next round forward. Rounds never overlap; each action only starts something, so none is long.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from controller.errors import Refused, Unavailable
from controller.ports import Forge, History, Platform
from controller.previews import report
from controller.previews.bells import Bell, Broadcast, Ring
from controller.previews.chronicle import Chronicle, Meter
from controller.previews.look import Look, World
from controller.previews.model import (
    Action,
    Ask,
    Case,
    Deploy,
    Ending,
    GiveUp,
    Hold,
    Phase,
    Preview,
    PreviewKey,
    Remove,
    Rules,
    RunChecks,
    Sleep,
    Wake,
    kind_of,
)
from controller.previews.people import People
from controller.previews.plan import plan
from controller.previews.say import Speaker
from controller.settings import Allowed

log = structlog.get_logger()
OVER_KEPT = 100
"""Pull requests that are over and still shown with all that was known of them."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a reconciler is given of the policy."""

    rules: Rules
    allowed: Allowed
    dashboard: str
    """Base URL of the dashboard."""
    resync: timedelta


Act = Deploy | RunChecks | GiveUp | Sleep | Wake | Remove | Hold
"""Every action but Ask, which is only told."""


class Reconciler:
    """Keeps what it saw last (`cases`, `holds`, `alarm`) for those who show it."""

    def __init__(
        self,
        forge: Forge,
        platform: Platform,
        history: History,
        setting: Setting,
        meter: Meter,
        clock: Callable[[], datetime],
    ) -> None:
        self.bell = Bell()
        self.broadcast = Broadcast()
        self.cases: dict[PreviewKey, Case] = {}
        self.holds: dict[PreviewKey, Hold] = {}
        self.alarm: Ask | None = None
        self._forge = forge
        self._platform = platform
        self._history = history
        self._setting = setting
        self._meter = meter
        self._clock = clock
        self._look = Look(forge, platform, history, setting.allowed)
        self._speaker = Speaker(forge, history)
        self.people = People(forge, platform, history, self._speaker, clock)
        self._chronicle = Chronicle(history, meter, clock)

    async def run(self) -> None:
        """Until cancelled. A bug in one round is logged whole, and the next round comes as usual."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(self._forge.bells))
            group.create_task(self._listen(self._platform.bells))
            loop, resync, whole_at = asyncio.get_running_loop(), self._setting.resync.total_seconds(), 0.0
            while True:
                keys = await self.bell.answer(max(0.0, whole_at - loop.time()))
                if loop.time() >= whole_at:  # however often it rings for a few, all are looked at in time
                    keys = None
                if keys is None:
                    whole_at = loop.time() + resync
                try:
                    await self.round(keys)
                except (Unavailable, Refused) as error:
                    log.warning("nothing can be decided", reason=error.reason)
                except Exception:
                    log.exception("a round failed")

    async def _listen(self, bells: Callable[[], AsyncIterator[Ring]]) -> None:
        while True:
            try:
                async for who in bells():
                    self.bell.ring(who)
                    self.broadcast.tell(who)
            except (Unavailable, Refused) as error:
                log.warning("a bell is out of order; the timer goes on", reason=error.reason)
            await asyncio.sleep(1)

    async def round(self, keys: Collection[PreviewKey] | None = None) -> list[Action]:
        """One pass over everything, or over a few pull requests. Raises where nothing can be decided at all."""
        began = asyncio.get_running_loop().time()
        world = await self._see(keys)
        if await self.people.hear(world):
            world = await self._see(keys)
        self._meter.set_previews(_by_phase(world.previews))
        await self._chronicle.observe(world)
        actions = plan(world.cases, world.previews, self._setting.rules, self._clock())
        self._remember(world, actions, whole=keys is None)
        ended = {action.key: await self._act(action, world) for action in actions if not isinstance(action, Ask)}
        for case in world.cases:
            await self._say(replace(case, ending=ended.get(case.key) or case.ending), world)
        self._meter.round_took(asyncio.get_running_loop().time() - began)
        return actions

    async def _see(self, keys: Collection[PreviewKey] | None) -> World:
        world = await (self._look.everything() if keys is None else self._look.at(keys))
        for problem in world.unread:
            log.warning("not read, so nothing is decided about it", what=problem)
        return world

    def _remember(self, world: World, actions: list[Action], *, whole: bool) -> None:
        seen = {case.key: case for case in world.cases if case.pull or case.preview}
        if whole and not world.unread:
            self.cases = self._over(world) | seen
            self.holds = {}
            self._raise_alarm(next((action for action in actions if isinstance(action, Ask)), None))
        else:
            self.cases |= seen
        for case in world.cases:
            self.holds.pop(case.key, None)
        self.holds |= {action.key: action for action in actions if isinstance(action, Hold)}

    def _over(self, world: World) -> dict[PreviewKey, Case]:
        """What ended lately keeps its title for those who look."""
        ended = sorted(world.memory.endings.values(), key=lambda ending: ending.at)[-OVER_KEPT:]
        return {ending.key: self.cases[ending.key] for ending in ended if ending.key in self.cases}

    def _raise_alarm(self, alarm: Ask | None) -> None:
        if alarm is not None and alarm != self.alarm:
            self._meter.acted(kind_of(alarm))
            log.warning("removals wait for a person: `mayfly approve-removals`", reason=alarm.because)
        if alarm != self.alarm:
            self.broadcast.tell(None)
        self.alarm = alarm

    async def _act(self, action: Act, world: World) -> Ending | None:
        """Starts one thing. What cannot be done now is told, and tried again in a later round."""
        try:
            ending = await self._start(action, world)
        except (Unavailable, Refused) as error:
            self.holds[action.key] = Hold(action.key, error.reason)
            log.warning("could not act", action=type(action).__name__, pull=str(action.key), reason=error.reason)
            return None
        if not isinstance(action, Hold):
            self._meter.acted(kind_of(action))
            await self._chronicle.note(action)
            self.broadcast.tell(action.key)
        return ending

    async def _start(self, action: Act, world: World) -> Ending | None:
        match action:
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
            case Hold(key, _, until):
                if until is not None:
                    self.bell.ring_in((until - self._clock()).total_seconds(), key)
            case _:
                assert_never(action)
        return None

    async def _say(self, case: Case, world: World) -> None:
        hold = self.holds.get(case.key)
        expecting = hold is None or hold.until is not None
        if case.preview is None and case.pull is not None and case.pull.is_open and expecting:
            return  # something is about to be made, and that will be better news
        setting = self._setting
        words = report.words(case, hold.because if hold else "", setting.rules, setting.dashboard)
        if await self._speaker.say(case, words, world.memory.said.get(case.key, {})):
            self.broadcast.tell(case.key)


def _by_phase(previews: Collection[Preview]) -> dict[str, int]:
    return {phase.value: sum(preview.phase is phase for preview in previews) for phase in Phase}
