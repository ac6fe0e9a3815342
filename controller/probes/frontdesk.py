"""The desk of probes: what is kept in History, and what the watch has in memory where this controller leads."""

import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from controller.errors import Refused, Unavailable
from controller.probes import cards, remote
from controller.probes.cards import DAY, period
from controller.probes.desk import ProbeCard, StatusPage
from controller.probes.judge import silent_after
from controller.probes.model import Alarm, Counts, Health, Incident, Point, Sample, Silence
from controller.probes.ports import Alerts, Samples
from controller.probes.watch import Watch
from controller.probes.words import PROBER
from controller.settings import HERE, Probe

log = structlog.get_logger()
_DAYS = 90
_STATUS_INCIDENTS = timedelta(days=14)
_LATE = 200
"""Samples whose lateness is told."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Of all probes, read once for a page."""

    healths: Mapping[str, Mapping[Alarm, Health]]
    counts: Mapping[timedelta, Mapping[str, Counts]]
    """By the length of a window that ends now."""

    def of(self, probe: Probe, window: timedelta) -> Counts:
        return self.counts[window].get(probe.name, Counts())


class FrontDesk:
    def __init__(self, probes: Collection[Probe], samples: Samples, alerts: Alerts, watch: Watch) -> None:
        self._probes: Mapping[str, Probe] = {probe.name: probe for probe in probes}
        self._samples = samples
        self._alerts = alerts
        self._watch = watch

    async def probes(self) -> tuple[ProbeCard, ...]:
        return await self._cards(self._probes.values())

    async def probe(self, name: str) -> ProbeCard:
        probe = self._named(name)
        [card] = await self._cards([probe])
        now = self._watch.now()
        latest = await self._samples.latest(name, _LATE)
        days = await self._samples.series(name, now - DAY, now, DAY)
        p95 = days[-1].p95 if days else None
        return replace(
            card,
            headline=cards.headline(card.state, probe, card.counts, p95),
            latest=latest[-1] if latest else None,
            late=_p99([one.late for one in latest]),
            burns=cards.burn_rates(probe, await self._counted(probe, now)),
        )

    async def samples(self, name: str, limit: int = 100) -> tuple[Sample, ...]:
        return await self._samples.latest(self._named(name).name, limit)

    async def series(self, name: str, since: datetime, until: datetime, step: timedelta) -> tuple[Point, ...]:
        return await self._samples.series(self._named(name).name, since, until, step)

    async def series_of(
        self, names: Collection[str], since: datetime, until: datetime, step: timedelta
    ) -> Mapping[str, tuple[Point, ...]]:
        return await self._samples.series_of([self._named(name).name for name in names], since, until, step)

    async def status(self, *, public: bool, name: str = "") -> StatusPage:
        now = self._watch.now()
        asked = [self._probes[name]] if name in self._probes else () if name else self._probes.values()
        shown = [probe for probe in asked if probe.public or not public]
        days = await self._samples.days(now - DAY * (_DAYS - 1), [name] if name else ())
        found = await self._cards(shown)
        incidents = await self._alerts.incidents(now - _STATUS_INCIDENTS)
        if public:  # what a probe was answered may be nobody's business outside
            found = tuple(replace(card, latest=None) for card in found)
        names = {probe.name for probe in shown}
        return StatusPage(
            now,
            cards.page_headline([card.state for card in found]),
            tuple((card, cards.bars(card.probe, days.get(card.probe.name, ()), now, _DAYS)) for card in found),
            tuple(_told(one, public=public) for one in incidents if one.probe in names),
            "the prober itself is cut off" if any(card.state == "cut-off" for card in found) else "",
        )

    async def incidents(self, since: datetime) -> tuple[Incident, ...]:
        return await self._alerts.incidents(since)

    async def silences(self) -> tuple[Silence, ...]:
        return await self._alerts.silences(self._watch.now())

    async def silence(self, probe: str, lasts: timedelta, actor: str, because: str) -> Silence:
        """Of all probes where none is named."""
        if probe:
            self._named(probe)
        if lasts <= timedelta(0):
            raise Refused("a silence lasts longer than nothing")
        now = self._watch.now()
        silence = Silence(uuid.uuid4().hex[:12], probe, now, now + lasts, actor, because)
        await self._alerts.silence(silence)
        self._watch.changes.tell(probe or None)
        return silence

    async def unsilence(self, silence_id: str, actor: str) -> bool:
        """Ends it now."""
        now = self._watch.now()
        found = next((one for one in await self._alerts.silences(now) if one.id == silence_id), None)
        if found is None:
            return False
        await self._alerts.silence(replace(found, ends=now))
        self._watch.changes.tell(found.probe or None)
        return True

    async def assignment(self, location: str, key: str) -> bytes:
        if location == HERE:
            raise Refused(f"`{HERE}` is the controller itself: give the agent's token another name")
        mine = [probe for probe in self._probes.values() if location in probe.locations]
        return remote.sign(remote.assigned(mine, self._watch.probing, location, self._watch.now()), key)

    async def deliver(self, location: str, batch: str, samples: Sequence[Sample]) -> bool:
        """Kept first, under the batch's name, and then judged: after a crash between the two the watch reads them.

        Unavailable where this controller does not lead: the one that does would not hear of them.
        """
        if not self._watch.leads:
            raise Unavailable("another controller looks after the probes, or none yet", timedelta(seconds=1))
        wanted = [self._watch.marked(sample) for sample in self._wanted(location, samples)]
        if not await self._samples.append(wanted, f"{location}/{batch}"):
            return False
        for sample in wanted:
            self._watch.hear(sample)
        return True

    def _wanted(self, location: str, samples: Sequence[Sample]) -> list[Sample]:
        if location == HERE or any(sample.location != location for sample in samples):
            raise Refused(f"an agent says what it found itself, and this one is `{location}`")
        mine = {name for name, probe in self._probes.items() if location in probe.locations}
        problems = [remote.unwanted(sample, mine, self._watch.now()) for sample in samples]
        if left_out := [problem for problem in problems if problem]:
            log.warning("samples of an agent are left out", location=location, count=len(left_out), first=left_out[0])
        return [sample for sample, problem in zip(samples, problems, strict=True) if not problem]

    def changes(self) -> AsyncIterator[str | None]:
        return self._watch.changes.changes()

    async def _cards(self, probes: Collection[Probe]) -> tuple[ProbeCard, ...]:
        now = self._watch.now()
        known = await self._look(probes, now)
        silences = await self._alerts.silences(now)
        cut_off = Alarm.SILENT in known.healths.get(PROBER, {})
        return tuple(self._card(probe, known, now, silences, cut_off=cut_off) for probe in probes)

    def _card(
        self, probe: Probe, known: _Known, now: datetime, silences: Collection[Silence], *, cut_off: bool
    ) -> ProbeCard:
        firing = known.healths.get(probe.name, {})
        silenced = any(one.begins <= now < one.ends and one.probe in {"", probe.name} for one in silences)
        muted = silenced or self._watch.alarms.maintained(probe.name, now)
        state = cards.state(firing, known.of(probe, silent_after(probe)), cut_off=cut_off, muted=muted)
        counts = known.of(probe, period(probe))
        return ProbeCard(
            probe,
            state,
            cards.headline(state, probe, counts, None),
            latest=self._watch.latest(probe.name),
            counts=counts,
            budget=cards.budget(probe, counts),
            alarms=tuple(firing.items()),
            missed=self._watch.missed.get(probe.name, 0),
            next_at=self._watch.next_at(probe.name),
        )

    async def _look(self, probes: Collection[Probe], now: datetime) -> _Known:
        healths: dict[str, dict[Alarm, Health]] = {}
        for (name, alarm), health in (await self._alerts.healths()).items():
            if health.firing_since is not None:
                healths.setdefault(name, {})[alarm] = health
        windows = {window for probe in probes for window in (period(probe), silent_after(probe))}
        return _Known(healths, await self._in(windows, now, probes))

    async def _counted(self, probe: Probe, now: datetime) -> dict[timedelta, Counts]:
        """By the windows that its alarms look at."""
        found = await self._in(cards.windows(probe), now, [probe])
        return {window: counts.get(probe.name, Counts()) for window, counts in found.items()}

    async def _in(
        self, windows: Collection[timedelta], now: datetime, probes: Collection[Probe]
    ) -> dict[timedelta, Mapping[str, Counts]]:
        """Of windows that end now."""
        names = [probe.name for probe in probes] if len(probes) < len(self._probes) else ()
        return {window: await self._samples.counts(now - window, now, names) for window in windows}

    def _named(self, name: str) -> Probe:
        if name not in self._probes:
            known = ", ".join(sorted(self._probes)[:20]) or "none"
            raise Refused(f"there is no probe `{name}`; there is {known}")
        return self._probes[name]


def _told(incident: Incident, *, public: bool) -> Incident:
    """Releases are nobody's business outside."""
    return replace(incident, suspect="") if public else incident


def _p99(late: Sequence[timedelta]) -> timedelta:
    return sorted(late)[(len(late) * 99 - 1) // 100] if late else timedelta()
