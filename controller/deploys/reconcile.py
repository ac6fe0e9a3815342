"""The loop over targets: look, decide, act, say; as the one over previews, and apart from it.

A step is one write of the target's record, on the version that was read: two controllers, or one that was killed and
began again, take it once. Each target is an errand of its own, so a slow one holds up nobody else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from controller.common.bells import Bell, Broadcast
from controller.common.errands import Errands
from controller.deploys.changes import changed
from controller.deploys.chronicle import Chronicle, Meter
from controller.deploys.look import Look, World
from controller.deploys.model import Case
from controller.deploys.plan import next_step
from controller.deploys.say import Post, Speaker
from controller.deploys.state import state
from controller.deploys.steps import Smoke, Step, Wait
from controller.errors import Refused, Unavailable
from controller.settings import Target

log = structlog.get_logger()
STEPS = 20
"""Most steps of one errand: each is decided on what is there after the one before."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the loop is given of the policy."""

    targets: Mapping[str, Target]
    dashboard: str
    resync: timedelta
    leads: Callable[[], bool] = lambda: True


class Deployer:
    """Keeps what it saw last (`cases`, `waits`) for those who show it."""

    def __init__(self, world: World, post: Post, setting: Setting, meter: Meter, clock: Callable[[], datetime]) -> None:
        self.bell: Bell[str] = Bell()
        self.broadcast: Broadcast[str] = Broadcast()
        self.cases: dict[str, Case] = {}
        self.waits: dict[str, str] = {}
        """Why nothing is done about a target at this moment."""
        self._world = world
        self._setting = setting
        self._meter = meter
        self._clock = clock
        self._look = Look(world)
        self._chronicle = Chronicle(world.journal, meter, clock)
        self._speaker = Speaker(world.forge, world.journal, post, clock, setting.dashboard)
        self._errands: Errands[str] = Errands(self.bell.ring)
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled; may be run again."""
        if not self._setting.targets:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(self._world.targets.bells))
                group.create_task(self._listen(self._world.journal.target_bells))
                group.create_task(self._hear_of_pushes())
                await self._go_round()
        finally:
            await self.close()

    async def idle(self) -> None:
        """Waits for the round under way."""
        async with self._turn:
            pass

    async def close(self) -> None:
        """Ends what is under way; whoever leads next goes on from there."""
        await self._errands.close()

    async def round(self, names: Collection[str] | None = None) -> None:
        """One pass over all targets, or over a few."""
        wanted = [name for name in self._setting.targets if names is None or name in names]
        work: dict[str, Callable[[], Coroutine[Any, Any, bool]]] = {name: partial(self._tend, name) for name in wanted}
        await self._errands.run(work)

    async def _go_round(self) -> None:
        while True:
            names = await self.bell.answer(self._setting.resync.total_seconds())
            async with self._turn:
                try:
                    await self.round(names)
                except Exception:
                    log.exception("a round of deploys failed")

    async def _listen(self, bells: Callable[[], AsyncIterator[str | None]]) -> None:
        while True:
            try:
                async for who in bells():
                    self.bell.ring(who)
                    self.broadcast.tell(who)
            except (Unavailable, Refused) as error:
                log.warning("a bell is out of order; the timer goes on", reason=error.reason)
            await asyncio.sleep(1)

    async def _hear_of_pushes(self) -> None:
        """What is about no pull request may be a push to a target's branch."""
        while True:
            try:
                async for who in self._world.forge.bells():
                    if who is None:
                        self.bell.ring()
            except (Unavailable, Refused) as error:
                log.warning("a bell is out of order; the timer goes on", reason=error.reason)
            await asyncio.sleep(1)

    async def _tend(self, name: str) -> bool:
        """As many steps as can be taken now; whether anything came of it."""
        target, took = self._setting.targets[name], False
        try:
            for _ in range(STEPS):
                case = await self._look.at(target)
                self._remember(case)
                if not self._setting.leads():
                    return took
                step = next_step(case, self._clock())
                await self._chronicle.observe(case)
                took = await self._speaker.say(case, target) or took
                self._expect(name, step)
                if isinstance(step, Wait):
                    return took
                await self._take(case, step, target)
                took = True
        except (Unavailable, Refused) as error:
            self.waits[name] = error.reason
            log.warning("a target has to wait", target=name, reason=error.reason)
        return took

    async def _take(self, case: Case, step: Step, target: Target) -> None:
        """Once it is written it is so, whatever happens to us."""
        seen = case.seen
        log.info("a step", target=case.target, step=type(step).__name__.lower(), because=step.because)
        if isinstance(step, Smoke):
            await self._world.targets.run_checks(case.target, step.release, step.order)
        else:
            record = changed(
                replace(seen.record, target=case.target), step, target.keep, self._clock(), warm=target.warm
            )
            await self._world.targets.save(record, seen.version)
        await self._chronicle.note(case.target, step)
        self.broadcast.tell(case.target)

    def _expect(self, name: str, step: Step) -> None:
        self.waits[name] = step.because if isinstance(step, Wait) else ""
        if isinstance(step, Wait) and step.until is not None:
            self.bell.ring_in((step.until - self._clock()).total_seconds(), name)

    def _remember(self, case: Case) -> None:
        if self.cases.get(case.target) != case:
            self.broadcast.tell(case.target)
        self.cases[case.target] = case
        self._meter.set_target(case.target, state(case).word)
