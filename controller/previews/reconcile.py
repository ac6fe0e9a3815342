"""The loop: look, decide, act, say.

A round reads what should be and what is, plans with a pure function, starts what is to be started and says what is new.
Bells only bring the next round forward. Rounds never overlap, and neither does the work for one pull request: while it
goes on longer than a round waits, rounds leave that one out, and the bell rings for it at the end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from heapq import nlargest
from typing import Any

import structlog

from controller.common.bells import Bell, Broadcast
from controller.common.errands import Errands
from controller.common.nouns import Phase, PreviewKey, Service, ServiceState
from controller.common.words import ForgeHealth, Words
from controller.errors import Refused, Unavailable
from controller.ports import Forge, History, Platform
from controller.previews import report
from controller.previews.actions import Action, Ask, Deploy, Hold, kind_of
from controller.previews.chronicle import Chronicle, Meter
from controller.previews.hands import Act, Hands
from controller.previews.look import Look, Memory, World
from controller.previews.model import Case, DeployOrder, Ending, Preview, Rules
from controller.previews.people import People
from controller.previews.plan import plan
from controller.previews.say import Speaker
from controller.settings import Allowed, Kubernetes

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
    kubernetes: Kubernetes | None = None
    """The policy of the cluster; None where previews are processes of this machine."""
    leads: Callable[[], bool] = lambda: True
    """Whether this controller acts, now."""


class Reconciler:
    """Keeps what it saw last (`cases`, `holds`, `alarm`) for those who show it.

    Of several controllers one leads: it acts and speaks. The others look and plan all the same, so that they can show
    what there is, and go on at once where they are to lead.
    """

    def __init__(
        self,
        forge: Forge,
        platform: Platform,
        history: History,
        setting: Setting,
        meter: Meter,
        clock: Callable[[], datetime],
    ) -> None:
        self.bell: Bell[PreviewKey] = Bell()
        self.broadcast: Broadcast[PreviewKey] = Broadcast()
        self.cases: dict[PreviewKey, Case] = {}
        self.holds: dict[PreviewKey, Hold] = {}
        self.alarm: Ask | None = None
        self._forge = forge
        self._platform = platform
        self._history = history
        self._setting = setting
        self._meter = meter
        self._clock = clock
        self._look = Look(forge, platform, history, setting.allowed, setting.kubernetes)
        self._speaker = Speaker(forge, history, self._words, clock)
        self.people = People(forge, platform, history, self._speaker, setting.rules, clock, self.bell.ring)
        self._chronicle = Chronicle(history, meter, clock, self.bell.ring)
        self._hands = Hands(platform, history, self._chronicle, meter, clock)
        self._errands: Errands[PreviewKey] = Errands(self.bell.ring)
        self._deploys: dict[PreviewKey, DeployOrder] = {}
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled; may be run again. A bug in one round is logged whole, and the next round comes as usual."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(self._forge.bells))
                group.create_task(self._listen(self._platform.bells))
                group.create_task(self._listen(self._history.bells, self._forge.doubt))
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
        await self.people.close()
        await self._chronicle.close()

    def forge_health(self) -> ForgeHealth:
        since = self._speaker.waiting_since()
        return replace(self._forge.health(), lag=self._clock() - since if since else None)

    async def _go_round(self) -> None:
        loop, resync, whole_at = asyncio.get_running_loop(), self._setting.resync.total_seconds(), 0.0
        while True:
            keys = await self.bell.answer(max(0.0, whole_at - loop.time()))
            if loop.time() >= whole_at:  # however often it rings for a few, all are looked at in time
                keys = None
            if keys is None:
                whole_at = loop.time() + resync
            async with self._turn:
                await self._try_round(keys)

    async def _try_round(self, keys: Collection[PreviewKey] | None) -> None:
        try:
            await self.round(keys)
        except (Unavailable, Refused) as error:
            log.warning("nothing can be decided", reason=error.reason)
        except Exception:
            log.exception("a round failed")

    async def _listen(
        self,
        bells: Callable[[], AsyncIterator[PreviewKey | None]],
        first: Callable[[PreviewKey | None], None] = lambda _: None,
    ) -> None:
        while True:
            try:
                async for who in bells():
                    first(who)
                    self.bell.ring(who)
                    self.broadcast.tell(who)
            except (Unavailable, Refused) as error:
                log.warning("a bell is out of order; the timer goes on", reason=error.reason)
            await asyncio.sleep(1)

    async def round(self, keys: Collection[PreviewKey] | None = None) -> list[Action]:
        """One pass over everything, or over a few pull requests. Raises where nothing can be decided at all."""
        began = asyncio.get_running_loop().time()
        busy = self._errands.under_way(again=keys or ())  # before the look: what they do now may not be in it
        world = await self._see(keys)
        leads = self._setting.leads()
        if leads and await self.people.hear(world):
            world = await self._see(keys)
        self._meter.set_previews(_by_phase(world.previews))
        if leads:
            await self._chronicle.observe(world)
        else:
            await self.close()
        free = [case for case in world.cases if case.key not in busy]
        actions = plan(free, [*world.previews, *self._coming()], self._setting.rules, self._clock())
        self._remember(world, actions, busy, whole=keys is None)
        if leads:
            await self._errands.run(self._work(free, actions, world))
        self._meter.round_took(asyncio.get_running_loop().time() - began)
        return actions

    def _coming(self) -> list[Preview]:
        """Deploys still under way: their places and host names are taken, though the platform may not know yet."""
        self._deploys = {key: order for key, order in self._deploys.items() if key in self._errands}
        return [_begun(order, self._clock()) for order in self._deploys.values()]

    def _work(
        self, cases: Collection[Case], actions: Collection[Action], world: World
    ) -> dict[PreviewKey, Callable[[], Coroutine[Any, Any, bool]]]:
        """What is to be done and said now, by pull request; removals first, as in the plan."""
        acts = {action.key: action for action in actions if not isinstance(action, Hold | Ask)}
        self._deploys |= {key: act.order for key, act in acts.items() if isinstance(act, Deploy)}
        by_key = {case.key: case for case in cases}
        saying = [case.key for case in cases if case.key not in acts and self._has_news(case, world.memory)]
        return {key: partial(self._tend, by_key[key], acts.get(key), world.memory) for key in (*acts, *saying)}

    async def _tend(self, case: Case, act: Act | None, memory: Memory) -> bool:
        """Does it and says what is new; whether any of that came to something."""
        acted = False
        if act is not None:
            acted, ending = await self._act(act)
            case = replace(case, ending=ending or case.ending)
        return await self._say(case, memory) or acted

    async def _see(self, keys: Collection[PreviewKey] | None) -> World:
        world = await (self._look.everything() if keys is None else self._look.at(keys))
        for problem in world.unread:
            log.warning("not read, so nothing is decided about it", what=problem)
        return world

    def _remember(self, world: World, actions: list[Action], busy: Collection[PreviewKey], *, whole: bool) -> None:
        seen = {case.key: case for case in world.cases if case.pull or case.preview}
        if whole and not world.unread:
            self.cases = self._over(world) | {key: self.cases[key] for key in self.cases.keys() & busy} | seen
            self.holds = {key: self.holds[key] for key in self.holds.keys() & busy}
            self._speaker.forget_all_but(self.cases.keys())
            self._raise_alarm(next((action for action in actions if isinstance(action, Ask)), None))
        else:
            self.cases |= seen
        for case in world.cases:
            if case.key not in busy:
                self.holds.pop(case.key, None)
        for action in actions:
            if isinstance(action, Hold):
                self._hold(action)

    def _hold(self, hold: Hold) -> None:
        self.holds[hold.key] = hold
        if hold.until is not None:
            self.bell.ring_in((hold.until - self._clock()).total_seconds(), hold.key)

    def _over(self, world: World) -> dict[PreviewKey, Case]:
        """What ended lately keeps its title for those who look."""
        ended = nlargest(OVER_KEPT, world.memory.endings.values(), key=lambda ending: ending.at)
        return {ending.key: self.cases[ending.key] for ending in ended if ending.key in self.cases}

    def _raise_alarm(self, alarm: Ask | None) -> None:
        if alarm is not None and alarm != self.alarm:
            self._meter.acted(kind_of(alarm))
            log.warning("removals wait for a person: `mayfly approve-removals`", reason=alarm.because)
        if alarm != self.alarm:
            self.broadcast.tell(None)
        self.alarm = alarm

    async def _act(self, act: Act) -> tuple[bool, Ending | None]:
        """Whether it was begun. What cannot be done now is told, and tried again in a later round."""
        try:
            ending = await self._hands.do(act)
        except (Unavailable, Refused) as error:
            self.holds[act.key] = Hold(act.key, error.reason)
            log.warning("could not act", action=type(act).__name__, pull=str(act.key), reason=error.reason)
            return False, None
        self.broadcast.tell(act.key)
        return True, ending

    async def _say(self, case: Case, memory: Memory) -> bool:
        if not self._has_news(case, memory):
            return False
        try:
            said = await self._speaker.say(case, self._why_held(case.key), memory.said.get(case.key, {}))
        except (Unavailable, Refused) as error:  # it is said again, over the same comment
            log.warning("it is not remembered what was said", pull=str(case.key), reason=error.reason)
            return False
        if said:
            self.broadcast.tell(case.key)
        return said

    def _has_news(self, case: Case, memory: Memory) -> bool:
        if case.stale:
            return False  # a forge that cannot be read is not spoken to either
        hold = self.holds.get(case.key)
        expecting = hold is None or hold.until is not None
        if case.preview is None and case.pull is not None and case.pull.is_open and expecting:
            return False  # something is about to be made, and that will be better news
        return self._speaker.has_news(case, self._why_held(case.key), memory.said.get(case.key, {}))

    def _why_held(self, key: PreviewKey) -> str:
        hold = self.holds.get(key)
        return hold.because if hold else ""

    def _words(self, case: Case, hold: str) -> Words:
        words = report.words(case, hold, self._setting.rules, self._setting.dashboard)
        held = self.holds.get(case.key)
        return replace(words, quiet=held is not None and held.quiet)


def _begun(order: DeployOrder, now: datetime) -> Preview:
    service = Service(order.spec.main_service, ServiceState.WAITING, order.host)
    return Preview(order.key, "", order.revision, Phase.STARTING, now, now, services=(service,))


def _by_phase(previews: Collection[Preview]) -> dict[str, int]:
    return {phase.value: sum(preview.phase is phase for preview in previews) for phase in Phase}
