"""What is shown of one probe. Pure functions.

what is known                                    state
-----------------------------------------------  ------------
we are cut off ourselves                         cut-off
a maintenance window, or a person's silence      maintenance
an alarm fires: silence; a burn; x of y          silent, burning, failing
the latest samples failed                        failing
some passed                                      up
nothing                                          unknown

a day                                            worst
-----------------------------------------------  --------
nothing known                                    unknown
none failed, or no more than the objective lets  up
more than that, and less than half               degraded
half, or more                                    down
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from controller.probes.desk import BurnRate
from controller.probes.model import Alarm, Counts, Day, Health, Point
from controller.probes.slo import allowed, budget_left, burns, times_allowed
from controller.settings import Probe, objective
from smoke.documents import format_duration

PERIOD = timedelta(days=30)
"""Of what is counted where there is no objective."""
DAY = timedelta(days=1)
_BURNS = frozenset({Alarm.FAST_BURN, Alarm.SLOW_BURN, Alarm.TICKET_BURN})
WORDS = {"cut-off": "nothing is known", "maintenance": "in maintenance", "unknown": "not sampled yet"}


def period(probe: Probe) -> timedelta:
    return objective(probe.objective)[1] if probe.objective else PERIOD


def state(firing: Mapping[Alarm, Health], lately: Counts, *, cut_off: bool, muted: bool) -> str:
    if cut_off:
        return "cut-off"
    if muted:
        return "maintenance"
    if Alarm.SILENT in firing:
        return "silent"
    if firing.keys() & _BURNS:
        return "burning"
    if Alarm.FAILING in firing or (lately.failed and lately.failed == lately.total):
        return "failing"
    return "up" if lately.total else "unknown"


def headline(state: str, probe: Probe, counts: Counts, p95: timedelta | None) -> str:
    """`up · 99.97% of 30 days · p95 120 ms`."""
    share = f"{percent(counts)} of {format_duration(period(probe))}" if counts.total else ""
    latency = f"p95 {format_duration(p95)}" if p95 is not None else ""
    return " · ".join(part for part in (WORDS.get(state, state), share, latency) if part)


def percent(counts: Counts) -> str:
    """Cut, not rounded: what failed once is never 100%."""
    return f"{int((counts.total - counts.failed) * 10_000 / counts.total) / 100:g}%"


def budget(probe: Probe, counts: Counts) -> float | None:
    return budget_left(counts, objective(probe.objective)[0]) if probe.objective else None


def windows(probe: Probe) -> frozenset[timedelta]:
    """That its burn rates are reckoned over."""
    if not probe.objective:
        return frozenset()
    return frozenset(window for burn in burns(*objective(probe.objective)) for window in (burn.long, burn.short))


def burn_rates(probe: Probe, counts: Mapping[timedelta, Counts]) -> tuple[BurnRate, ...]:
    """`counts` are of its `windows`."""
    if not probe.objective:
        return ()
    good, period = objective(probe.objective)
    now = {window: times_allowed(one, good) if one.total else None for window, one in counts.items()}
    return tuple(
        BurnRate(burn.alarm, float(burn.rate), burn.long, burn.short, now[burn.long], now[burn.short])
        for burn in burns(good, period)
    )


def bars(probe: Probe, points: Sequence[Point], now: datetime, days: int = 90) -> tuple[Day, ...]:
    """One for each day, oldest first; today's is the last."""
    by_day = {point.at.toordinal(): point.counts for point in points}
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    shown = (today - DAY * back for back in range(days - 1, -1, -1))
    most = allowed(objective(probe.objective)[0]) if probe.objective else Fraction(0)
    return tuple(Day(at, counts := by_day.get(at.toordinal(), Counts()), worst(counts, most)) for at in shown)


def worst(counts: Counts, most: Fraction) -> str:
    """`most`: the share that may fail."""
    if not counts.total:
        return "unknown"
    if 2 * counts.failed >= counts.total:
        return "down"
    return "up" if counts.failed * most.denominator <= most.numerator * counts.total else "degraded"


def page_headline(states: Sequence[str]) -> str:
    """`Everything works`, `2 of 14 do not work`."""
    bad = sum(one in {"failing", "burning"} for one in states)
    unknown = sum(one in {"silent", "unknown", "cut-off"} for one in states)
    if bad:
        return f"{bad} of {len(states)} {'does' if bad == 1 else 'do'} not work"
    if unknown:
        return f"Of {unknown} of {len(states)} nothing is known"
    return "Everything works" if states else "Nothing is probed"
