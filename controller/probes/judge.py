"""When a probe's samples are worth telling somebody. Pure; see `slo` for what burns.

For each alarm of a probe, the first line that fits:

    the alarm                 what is known                                          step
    ------------------------  -----------------------------------------------------  ------
    any                       notices are muted (a silence, a maintenance window)    none: it is told at the end
    does not fire             it burns, and nothing below keeps it back              BEGIN
    fires, nobody told yet    whatever it is by now                                  TELL
    fires                     its short window has samples, and is quiet             END
    fires                     nobody was told for as long as `remind` says           REMIND

    alarm          burns                                            quiet
    -------------  -----------------------------------------------  ------------------------------------------
    failing        X of the latest Y samples failed                 the latest X passed
    fast-burn …    both windows reach the rate, the floor is met    the short window is below the rate
    silent         nothing was known for `silent_after`             something is

Kept back is what was told already, or will be told by another: while an alarm of the same probe fires that is as grave;
while a probe that it depends on alerts, or is about to. What failed before the latest page was over was told with it,
so a slower burn counts only what came after. `BEGIN` is kept before anybody is told, and names the notices: whoever
begins anew after a crash tells the same ones, which are told once.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from controller.common.notices import Severity
from controller.probes import slo
from controller.probes.model import Alarm, Counts, Health
from controller.settings import Alerting, Probe, objective, x_of_y

SEVERITY = {
    Alarm.FAILING: Severity.PAGE,
    Alarm.FAST_BURN: Severity.PAGE,
    Alarm.SLOW_BURN: Severity.PAGE,
    Alarm.TICKET_BURN: Severity.TICKET,
    Alarm.SILENT: Severity.PAGE,
}
SILENT_AFTER = timedelta(minutes=5)
"""At least; else three intervals."""
_GAP = timedelta(minutes=5)
"""Failures that are no further apart belong together, where no burn says otherwise."""


class Deed(StrEnum):
    BEGIN = "begin"
    TELL = "tell"
    REMIND = "remind"
    END = "end"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about one alarm, and the health to keep when it is done."""

    deed: Deed
    alarm: Alarm
    health: Health
    before: Health = field(default_factory=Health)


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known about one probe when it is judged."""

    probe: Probe
    counts: Callable[[timedelta], Counts]
    """Of a window that ends now."""
    latest: tuple[bool, ...] = ()
    """Whether the latest samples passed, oldest first."""
    silent: bool | None = None
    """Whether nothing was known for too long. None: nothing yet, and not for so long."""
    healths: Mapping[Alarm, Health] = field(default_factory=dict)
    muted: bool = False
    waits_for: str = ""
    """The probe that it depends on and that alerts, or is about to."""
    told_until: datetime | None = None
    """When its latest page was over."""


def judge(case: Case, now: datetime) -> Iterator[Step]:
    """At most one step for each alarm; asked again after each, until there is none."""
    if case.muted:
        return
    for alarm in _alarms(case):
        health = case.healths.get(alarm, Health())
        if health.firing_since is None:
            if not _kept_back(alarm, case) and (because := _burns(alarm, case, now)):
                yield Step(Deed.BEGIN, alarm, Health(now, because=because), health)
                return
        elif health.told_at is None:
            yield Step(Deed.TELL, alarm, replace(health, told_at=now), health)
        elif _quiet(alarm, case):
            yield Step(Deed.END, alarm, Health(), health)
        elif now - health.told_at >= case.probe.alerts.remind:
            yield Step(Deed.REMIND, alarm, replace(health, told_at=now), health)


def silent_after(probe: Probe) -> timedelta:
    return probe.alerts.silent_after or max(SILENT_AFTER, 3 * probe.pace)


def gap(probe: Probe, alarm: Alarm) -> timedelta:
    """Failures of an alarm that are further apart do not belong together."""
    burn = _burn(probe, alarm)
    return max(burn.short if burn else _GAP, 2 * probe.pace)


def about_to(probe: Probe, failing_for: timedelta) -> bool:
    """Whether one that has failed for a while, and does not alert, still may: its alarms need so many samples."""
    rule, alerts = probe.alerts.rule, probe.alerts
    burns = alerts.burn and probe.objective is not None
    needs = max(x_of_y(rule)[1] if rule else 0, alerts.failures if burns else 0)
    return failing_for <= (needs + 1) * probe.pace if needs else False


def _alarms(case: Case) -> list[Alarm]:
    """Those that the policy asks for, and those that fire although it does not any more. The gravest first."""
    alerts, fires = case.probe.alerts, {alarm for alarm, health in case.healths.items() if health.firing_since}
    asked = {Alarm.SILENT} | ({Alarm.FAILING} if alerts.rule else set())
    if alerts.burn and case.probe.objective:
        asked |= {Alarm.FAST_BURN, Alarm.SLOW_BURN, Alarm.TICKET_BURN}
    return [alarm for alarm in SEVERITY if alarm in asked | fires]


def _kept_back(alarm: Alarm, case: Case) -> bool:
    if case.waits_for:
        return True
    grave = {SEVERITY[alarm], Severity.PAGE}
    firing = {other for other, health in case.healths.items() if health.firing_since and SEVERITY[other] in grave}
    return bool(firing - {Alarm.SILENT}) and alarm is not Alarm.SILENT


def _burns(alarm: Alarm, case: Case, now: datetime) -> str:
    """Why it does; empty where it does not."""
    if alarm is Alarm.SILENT:
        return f"nothing was known for {slo.exact(silent_after(case.probe))}" if case.silent else ""
    if alarm is Alarm.FAILING:
        return _fails(case.probe.alerts, case.latest)
    burn = _burn(case.probe, alarm)
    if burn is None or case.probe.objective is None:
        return ""
    fresh = slo.LONGEST if case.told_until is None else now - case.told_until
    long, short = case.counts(min(burn.long, fresh)), case.counts(min(burn.short, fresh))
    if not slo.burning(long, short, burn, case.probe.alerts.failures):
        return ""
    times = slo.times_allowed(long, objective(case.probe.objective)[0])
    failed = f"{long.failed:,} of {long.total:,} samples failed in {slo.exact(burn.long)}"
    return f"{failed}, {times:.3g} times what {case.probe.objective} allows"


def _fails(alerts: Alerting, latest: tuple[bool, ...]) -> str:
    wanted, of = x_of_y(alerts.rule) if alerts.rule else (0, 0)
    failed = sum(not passed for passed in latest[-of:]) if of else 0
    return f"{failed} of the latest {min(of, len(latest))} samples failed" if of and failed >= wanted else ""


def _quiet(alarm: Alarm, case: Case) -> bool:
    if alarm is Alarm.SILENT:
        return case.silent is False
    if alarm is Alarm.FAILING:
        wanted = x_of_y(case.probe.alerts.rule)[0] if case.probe.alerts.rule else 1
        return len(case.latest) >= wanted and all(case.latest[-wanted:])
    burn = _burn(case.probe, alarm)
    return burn is None or slo.quiet(case.counts(burn.short), burn)


def _burn(probe: Probe, alarm: Alarm) -> slo.Burn | None:
    if probe.objective is None:
        return None
    return next((burn for burn in slo.burns(*objective(probe.objective)) if burn.alarm is alarm), None)
