"""The loop of probes: sample, remember, judge, tell, keep. Run by the one controller that leads.

What is known stands in memory, and is loaded from History when the loop starts. A sample is judged when it comes where
there is anything to judge; all probes are judged every two seconds, as silence and reminders come without a sample.
While we are cut off ourselves nothing is judged: what does not pass is the prober's fault (`broken`, and excused).
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.common.bells import Bell, Broadcast
from controller.errors import MayflyError
from controller.probes.alarms import Alarms
from controller.probes.around import Around
from controller.probes.canary import Canaries
from controller.probes.judge import silent_after
from controller.probes.keeper import Keeper
from controller.probes.known import Known
from controller.probes.model import Sample
from controller.probes.ports import Alerts, Samples
from controller.probes.prober import Prober
from controller.probes.schedule import Schedule
from controller.probes.slo import LONGEST
from controller.settings import HERE, Probe, Probing, x_of_y
from smoke.model import Outcome

log = structlog.get_logger()
LOOK_EVERY = 2.0
ROLL_UP_EVERY = 60.0
AGAIN = 5.0
"""Seconds until what History did not take is tried again."""
_AT_A_TIME = 500
"""So many probes are looked at before others get a turn."""
_STEPS = (
    (LONGEST, timedelta(hours=1)),
    (timedelta(hours=7), timedelta(minutes=10)),
    (timedelta(hours=1), timedelta(minutes=1)),
)
"""How finely the past is loaded, by its age: 160 questions of all probes."""


class Watch:
    def __init__(
        self,
        probes: Collection[Probe],
        probing: Probing,
        samples: Samples,
        alerts: Alerts,
        around: Around,
    ) -> None:
        self._probes: Mapping[str, Probe] = {probe.name: probe for probe in probes}
        self.probing = probing
        self._samples = samples
        self._meter = around.meter
        self._clock = clock = around.clock
        self._folder = around.folder
        self._bell: Bell[str] = Bell()
        self._known: dict[str, Known] = {probe.name: _known(probe, clock()) for probe in probes}
        self._keeper = Keeper(samples, self._meter)
        self._schedule: Schedule | None = None
        self.alarms = Alarms(self._probes, self._known, alerts, around, probing.maintenance)
        self.missed: dict[str, int] = {}
        self.is_cut_off = False
        self.leads = False
        """Whether it runs: what it is not told then, whoever leads does not know."""
        self.changes: Broadcast[str] = Broadcast()

    async def run(self) -> None:
        """Until cancelled. Raises Unavailable or Refused where the past cannot be read."""
        await self.load()
        here = [probe for probe in self._probes.values() if HERE in probe.locations]
        async with (
            Prober(here, self.probing.at_once, folder=self._folder) as prober,
            Canaries(self.probing.canaries) as canaries,
        ):

            async def one(name: str, due: datetime) -> None:
                sample = await prober.sample(name, due)
                self.take(await canaries.honest(sample))

            self._schedule = Schedule(one, self._miss)
            for probe in here:
                self._schedule.add(probe)
            self.leads = True
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._keeper.run())
                    group.create_task(self._judging(canaries))
                    group.create_task(self._rolling_up())
                    self._schedule.start()
            finally:
                self.leads = False
                await self._end(self._schedule)

    async def load(self) -> None:
        """What was sampled before. Raises Unavailable or Refused."""
        now = self._clock()
        for name, probe in self._probes.items():
            self._known[name] = known = _known(probe, now)
            if probe.alerts.rule:
                latest = await self._samples.latest(name, x_of_y(probe.alerts.rule)[1])
                known.latest.extend(
                    one.outcome is Outcome.PASSED for one in latest if not one.excused and one.outcome != Outcome.BROKEN
                )
        for since, until in _spans(now):
            for name, counts in (await self._samples.counts(since, until)).items():
                if name in self._known and counts.total:
                    self._known[name].fill(since + (until - since) / 2, counts)
        await self.alarms.load(now)

    def take(self, sample: Sample) -> None:
        """One of ours."""
        if sample.probe in self._known:
            sample = self.marked(sample)
            self._keeper.add(sample)
            self.hear(sample)

    def marked(self, sample: Sample) -> Sample:
        """Excused where it counts against nobody."""
        return replace(sample, excused=True) if self.alarms.excused(sample.probe, sample.at) else sample

    def hear(self, sample: Sample) -> None:
        """One that History has, or will have; from whatever location."""
        known = self._known[sample.probe]
        failed_before = known.fails
        known.take(sample, late=self._clock() - sample.at > silent_after(self._probes[sample.probe]))
        self._meter.sampled(sample.probe, sample.location, sample.outcome, sample.late, sample.took)
        if sample.outcome is Outcome.FAILED or self.alarms.firing(sample.probe):
            self._bell.ring(sample.probe)
        if known.fails != failed_before:
            self.changes.tell(sample.probe)

    def now(self) -> datetime:
        return self._clock()

    def latest(self, name: str) -> Sample | None:
        return self._known[name].sample

    def next_at(self, name: str) -> datetime | None:
        return self._schedule.next_at(name) if self._schedule else None

    async def look(self, names: Collection[str] | None = None) -> None:
        """Judges those, or all. Raises Unavailable or Refused."""
        now = self._clock()
        asked = list(self._probes) if names is None else [name for name in names if name in self._probes]
        for begin in range(0, len(asked), _AT_A_TIME):
            for name in asked[begin : begin + _AT_A_TIME]:
                if not self.alarms.calm(name, now) and await self.alarms.look(name, now):
                    self.changes.tell(name)
            await asyncio.sleep(0)

    async def _judging(self, canaries: Canaries) -> None:
        loop = asyncio.get_running_loop()
        looked = -float("inf")
        while True:
            rung = await self._bell.answer(max(0.0, looked + LOOK_EVERY - loop.time()))
            every = rung is None or loop.time() >= looked + LOOK_EVERY
            looked = loop.time() if every else looked
            try:
                await self._round(None if every else rung, canaries)
            except MayflyError as error:
                log.warning("probes could not be judged", reason=error.reason)
                await asyncio.sleep(AGAIN)

    async def _round(self, names: Collection[str] | None, canaries: Canaries) -> None:
        now = self._clock()
        if names is None:
            await self.alarms.hear(now)
            failing = self.is_cut_off or any(not known.passes for known in self._known.values())
            is_so = failing and await canaries.cut_off()
            if await self.alarms.cut_off(now, is_so=is_so) or is_so != self.is_cut_off:
                self._turn(now, is_so=is_so)
        if not self.is_cut_off:
            await self.look(names)
        if names is None:
            for alarm, probes in self.alarms.count().items():
                self._meter.firing(alarm, probes)

    def _turn(self, now: datetime, *, is_so: bool) -> None:
        """Silence counts from the end of it: nobody could have been heard."""
        self.is_cut_off = is_so
        self._meter.cut_off(is_so)
        log.warning("the prober itself is cut off" if is_so else "the prober is no longer cut off")
        for known in self._known.values():
            known.at = max(known.at, now)
        self.changes.tell(None)

    def _miss(self, name: str, runs: int) -> None:
        self.missed[name] = self.missed.get(name, 0) + runs
        self._meter.missed(name, runs)

    async def _rolling_up(self) -> None:
        while True:
            try:
                await self._samples.roll_up(self._clock())
            except MayflyError as error:
                log.warning("samples could not be rolled up", reason=error.reason)
            await asyncio.sleep(ROLL_UP_EVERY)

    async def _end(self, schedule: Schedule) -> None:
        self._schedule = None
        await schedule.stop()
        try:
            async with asyncio.timeout(AGAIN):
                await self._keeper.flush()
        except (MayflyError, TimeoutError) as error:
            log.warning("the last samples could not be kept", reason=str(error))


def _known(probe: Probe, now: datetime) -> Known:
    return Known(now, x_of_y(probe.alerts.rule)[1] if probe.alerts.rule else 1)


def _spans(now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Of the past, oldest first; what was sampled this very moment is in the last."""
    since = now - LONGEST
    ends = [*(now - age for age, _ in _STEPS[1:]), now + timedelta(seconds=1)]
    for (_, step), until in zip(_STEPS, ends, strict=True):
        while since < until:
            yield since, (since := min(since + step, until))
