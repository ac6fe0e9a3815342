"""How the alarms of all probes stand, and what is done when that changes. The steps are `judge`'s.

step     what is done, in this order; each part may be repeated
------   ---------------------------------------------------------------------------------------------
BEGIN    who is suspected is asked; the health is kept
TELL     the incident is opened, the notice is put into the outbox, the suspect accused; the health is kept
REMIND   the notice is put into the outbox; the health is kept
END      the incident is closed, the notice is put into the outbox; the health is kept
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice

from controller.common.notices import Severity
from controller.probes import words
from controller.probes.around import Around
from controller.probes.judge import SEVERITY, Case, Deed, Step, about_to, gap, judge, silent_after
from controller.probes.known import Known
from controller.probes.model import Alarm, Health, Incident, Silence, Suspect
from controller.probes.ports import Alerts
from controller.settings import Maintenance, Probe, cron

_GRAVE = frozenset(alarm for alarm, severity in SEVERITY.items() if severity is Severity.PAGE)
_PAST = timedelta(days=3)
_FOREVER = timedelta(days=36500)


class Alarms:
    """All methods that await raise Unavailable or Refused."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        known: Mapping[str, Known],
        alerts: Alerts,
        around: Around,
        maintenance: Collection[Maintenance],
    ) -> None:
        self._probes = probes
        self._known = known
        self._patience = {name: silent_after(probe) for name, probe in probes.items()}
        """None is silent sooner."""
        self._alerts = alerts
        self._around = around
        self._maintenance = maintenance
        self._silences: tuple[Silence, ...] = ()
        self._told_until: dict[str, datetime] = {}
        self._healths: dict[str, dict[Alarm, Health]] = {}

    async def load(self, now: datetime) -> None:
        self._healths = {}
        for (probe, alarm), health in (await self._alerts.healths()).items():
            if probe in self._probes or probe == words.PROBER:
                self._healths.setdefault(probe, {})[alarm] = health
            else:
                await self._forget(probe, alarm, health, now)
        for incident in await self._alerts.incidents(now - _PAST):
            if incident.ended is not None and incident.alarm in _GRAVE - {Alarm.SILENT}:
                self._over(incident.probe, incident.ended)
        await self.hear(now)

    async def _forget(self, probe: str, alarm: Alarm, health: Health, now: datetime) -> None:
        """One that the policy does not name any more: nobody could ever say that it is over."""
        if health.firing_since is not None:
            await self._alerts.close_incident(probe, alarm, health.firing_since, now)
        await self._alerts.keep_health(probe, alarm, Health())

    async def hear(self, now: datetime) -> None:
        """What people silenced."""
        self._silences = await self._alerts.silences(now)

    def firing(self, probe: str) -> dict[Alarm, Health]:
        if probe not in self._healths:
            return {}
        return {alarm: health for alarm, health in self._healths.get(probe, {}).items() if health.firing_since}

    def count(self) -> dict[Alarm, int]:
        firing = Counter(alarm for probe in self._healths if probe != words.PROBER for alarm in self.firing(probe))
        return {alarm: firing[alarm] for alarm in Alarm}

    def excused(self, probe: str, at: datetime) -> bool:
        """In a maintenance window, or before its target was there for the first time."""
        target = self._probes[probe].target
        return self.maintained(probe, at) or (target is not None and not self._around.is_there(target))

    def maintained(self, probe: str, at: datetime) -> bool:
        return any(one.begins <= at < one.ends and (not one.probes or probe in one.probes) for one in self._maintenance)

    def muted(self, probe: str, at: datetime) -> bool:
        silenced = any(one.begins <= at < one.ends and one.probe in {"", probe} for one in self._silences)
        return silenced or self.excused(probe, at)

    def calm(self, probe: str, now: datetime) -> bool:
        """Whether there is nothing to judge: it does not fail, fires nothing and is heard of. Cheap."""
        known = self._known[probe]
        if known.failed_since(now) or self.firing(probe):
            return False
        return now - known.at < self._patience[probe] or self._silent(probe, now) is not True

    async def look(self, name: str, now: datetime) -> bool:
        """Takes the steps of a probe. Whether there were any."""
        taken = False
        for _ in range(4 * len(Alarm)):
            step = next(judge(self._case(name, now), now), None)
            if step is None:
                break
            await self._take(name, step, now)
            taken = True
        return taken

    def _case(self, name: str, now: datetime) -> Case:
        known = self._known[name]
        return Case(
            self._probes[name],
            lambda window: known.counts(window, now),
            tuple(known.latest),
            self._silent(name, now),
            self._healths.get(name, {}),
            self.muted(name, now),
            self._waits_for(name, now),
            self._told_until.get(name),
        )

    def _silent(self, name: str, now: datetime) -> bool | None:
        known = self._known[name]
        if now >= silent_from(self._probes[name], known.at):
            return True
        return False if known.heard else None

    def _waits_for(self, name: str, now: datetime) -> str:
        """The first of those that it depends on, however far, that alerts or is about to."""
        waiting, seen = list(self._probes[name].depends_on), {name}
        while waiting:
            parent = waiting.pop(0)
            if parent in seen or parent not in self._probes:
                continue
            seen.add(parent)
            if self._troubled(parent, now):
                return parent
            waiting += self._probes[parent].depends_on
        return ""

    def _troubled(self, name: str, now: datetime) -> bool:
        if self.firing(name).keys() & _GRAVE:
            return True
        probe, known = self._probes[name], self._known[name]
        if not known.fails:
            return False
        began = known.began(gap(probe, Alarm.FAST_BURN))
        return self.muted(name, now) or (began is not None and about_to(probe, now - began))

    async def _take(self, name: str, step: Step, now: datetime) -> None:
        match step.deed:
            case Deed.BEGIN:
                step = replace(step, health=await self._suspected(name, step))
            case Deed.TELL:
                health = step.health
                since = health.firing_since or now
                await self._alerts.open_incident(
                    Incident(name, step.alarm, since, None, health.because, health.suspect)
                )
                await self._post(name, step, now)
                await self._accuse(name, step)
            case Deed.REMIND:
                await self._post(name, step, now)
            case Deed.END:
                if step.before.firing_since is not None:
                    await self._alerts.close_incident(name, step.alarm, step.before.firing_since, now)
                await self._post(name, step, now)
                if step.alarm in _GRAVE - {Alarm.SILENT}:
                    self._over(name, now)
        await self._keep(name, step.alarm, step.health)

    async def _keep(self, name: str, alarm: Alarm, health: Health) -> None:
        await self._alerts.keep_health(name, alarm, health)
        self._healths.setdefault(name, {})[alarm] = health

    async def _post(self, name: str, step: Step, now: datetime) -> None:
        probe = self._probes[name]
        await self._around.post([words.notice(probe, step, now, self._known[name].sample, self._around.link(name))])

    async def _suspected(self, name: str, step: Step) -> Health:
        found = await self._suspect(name, step.alarm)
        return replace(step.health, suspect=str(found)) if found else step.health

    async def _suspect(self, name: str, alarm: Alarm) -> Suspect | None:
        probe = self._probes[name]
        began = self._known[name].began(gap(probe, alarm))
        if alarm is Alarm.SILENT or probe.target is None or began is None:
            return None
        return await self._around.suspect(probe.target, began)

    async def _accuse(self, name: str, step: Step) -> None:
        """Only whom the alarm named when it began."""
        if not step.health.suspect or step.alarm not in _GRAVE:
            return
        found = await self._suspect(name, step.alarm)
        if found is not None and str(found) == step.health.suspect:
            await self._around.accuse(found, f"{name}: {step.health.because}", words.notice_id(name, step))

    def _over(self, name: str, at: datetime) -> None:
        self._told_until[name] = max(at, self._told_until.get(name, at))

    async def cut_off(self, now: datetime, *, is_so: bool) -> bool:
        """Says once that the prober itself is cut off, and once that it is not any more. Whether that is news."""
        health = self._healths.get(words.PROBER, {}).get(Alarm.SILENT, Health())
        if is_so and health.firing_since is None:
            health = Health(now, because="no canary answers")
            await self._keep(words.PROBER, Alarm.SILENT, health)
        if is_so == (health.told_at is not None):
            return False
        began = health.firing_since
        if began is None:
            return False
        link = self._around.link("")
        await self._around.post([words.cut_off(began, now, health.because, link, over=not is_so)])
        await self._keep(words.PROBER, Alarm.SILENT, replace(health, told_at=now) if is_so else Health())
        return True


def silent_from(probe: Probe, since: datetime) -> datetime:
    """When a probe is silent of which nothing was known since then. A cron line may pause for the night."""
    if probe.cron is None or probe.alerts.silent_after is not None:
        return since + silent_after(probe)
    return max(since + silent_after(probe), third_run(probe.cron, since))


@lru_cache(maxsize=20_000)
def third_run(line: str, since: datetime) -> datetime:
    """The third that is due after then; a run takes less than from there to the next."""
    return next(islice(cron.runs(line, since), 2, None), since + _FOREVER)
