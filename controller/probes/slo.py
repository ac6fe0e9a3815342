"""Error budgets and how fast they burn. Pure arithmetic, in whole numbers, so that a boundary is one.

An objective of `good` over `period` allows the share `1 - good` of the samples to fail: that is its budget. A burn rate
says how many times faster than allowed samples fail, so at rate 1 the budget lasts exactly the period. An alarm is for
those who spend a given share of the budget within a window (SRE workbook, chapter 5):

    rate = share of the budget * period / long window        and samples that fail = rate * (1 - good)

    alarm        share   long   short   rate over 30 days         over 7 days       over 90 days      99.9%, 30 days
    -----------  -----   ----   -----   -----------------------   ---------------   ---------------   --------------
    fast-burn    2%      1 h    5 m     0.02 * 720 / 1 = 14.4     3.36              43.2              1.44% fail
    slow-burn    5%      6 h    30 m    0.05 * 720 / 6 = 6        1.4               18                0.6% fail
    ticket-burn  10%     3 d    6 h     0.1 * 720 / 72 = 1        1 (0.233)         3                 0.1% fail

Below 1 nothing burns: an objective of a few days is met at any such rate, so no rate is below 1. The short window says
that it still goes on: it burns where both windows reach the rate, and as many failed in the long one as the `floor`
says. What is known of a window stands for all of it; one of which nothing is known does not burn, and is not quiet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import cache

from controller.probes.model import Alarm, Counts
from smoke.documents import format_duration

_WORKBOOK = (
    (Alarm.FAST_BURN, Fraction(2, 100), timedelta(hours=1), timedelta(minutes=5)),
    (Alarm.SLOW_BURN, Fraction(5, 100), timedelta(hours=6), timedelta(minutes=30)),
    (Alarm.TICKET_BURN, Fraction(10, 100), timedelta(days=3), timedelta(hours=6)),
)
LONGEST = timedelta(days=3)
"""Of all windows."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Burn:
    """When an alarm burns for one objective."""

    alarm: Alarm
    rate: Fraction
    most: Fraction
    """The share of samples that fail at that rate."""
    long: timedelta
    short: timedelta


def allowed(good: float) -> Fraction:
    """The share that may fail, exactly as it was written (`99.9` has at most four more digits)."""
    return 1 - Fraction(round(good * 1_000_000), 1_000_000)


@cache
def burns(good: float, period: timedelta) -> tuple[Burn, ...]:
    """The gravest first."""
    return tuple(_burn(*line, good, period) for line in _WORKBOOK)


def _burn(alarm: Alarm, share: Fraction, long: timedelta, short: timedelta, good: float, period: timedelta) -> Burn:
    rate = max(Fraction(1), share * _seconds(period) / _seconds(long))
    return Burn(alarm, rate, rate * allowed(good), long, short)


def reaches(counts: Counts, burn: Burn) -> bool:
    """Whether the samples of one window fail at the rate, or faster. Nothing known is no."""
    return counts.total > 0 and counts.failed * burn.most.denominator >= burn.most.numerator * counts.total


def quiet(counts: Counts, burn: Burn) -> bool:
    """Whether the samples of one window say that it is over. Nothing known is no."""
    return counts.total > 0 and not reaches(counts, burn)


def burning(long: Counts, short: Counts, burn: Burn, floor: int) -> bool:
    return long.failed >= floor and reaches(long, burn) and reaches(short, burn)


def times_allowed(counts: Counts, good: float) -> float:
    """The burn rate; 0 where nothing is known."""
    return float(Fraction(counts.failed, counts.total) / allowed(good)) if counts.total else 0.0


def budget_left(counts: Counts, good: float) -> float | None:
    """Share of the budget that is left, below 0 where it is overspent. None where nothing is known.

    `counts` are of the whole period: a failed sample costs 1 / (samples * (1 - good)) of it.
    """
    return 1 - times_allowed(counts, good) if counts.total else None


def unfit(good: float, period: timedelta, every: timedelta, locations: int, floor: int) -> str:
    """Why an interval is too long for an objective, with the numbers and what would do; empty where it is not.

    the short window of 5 m has to hold a sample                    every ≤ 5 m
    the long one of 1 h has to hold as many as have to fail         every ≤ 1 h * locations / floor
    so many failures must not be more than the whole budget         every ≤ period * locations * (1 - good) / floor
    """
    return next(_unfit(good, period, every, locations, floor), "")


def _unfit(good: float, period: timedelta, every: timedelta, locations: int, floor: int) -> Iterator[str]:
    fast = burns(good, period)[0]
    taken = Fraction(_seconds(period) * locations) / Fraction(every / _SECOND)
    if every > fast.short:
        because = f"it burns by its latest {exact(fast.short)}, which mostly hold no sample"
        yield _too_long(every, "an objective", because, fast.short)
    if (held := fast.long * locations / every) < floor:
        because = f"{exact(fast.long)} hold {held:.3g} samples, and {floor} have to fail (`failures`)"
        yield _too_long(every, "its objective", because, fast.long * locations / floor)
    if (budget := allowed(good) * taken) < floor:
        may = f"of {float(taken):,.0f} samples {float(budget):.3g} may fail"
        because = f"{may}, and nobody is told before {floor} did (`failures`)"
        yield _too_long(every, _objective(good, period), because, period * locations * float(allowed(good)) / floor)


def never_pages(good: float, period: timedelta) -> str:
    """Why a page at a burn rate would never come, however much fails; empty where it may."""
    slow = burns(good, period)[1]
    if slow.most <= 1:
        return ""
    most = f"even where all samples fail they burn at {float(1 / allowed(good)):.3g} times the allowed rate"
    return f"{_objective(good, period)} never pages: {most}, and a page needs {float(slow.rate):.3g}; add a `rule`"


def _too_long(every: timedelta, what: str, because: str, most: timedelta) -> str:
    would = f"`every: {exact(timedelta(seconds=most // _SECOND))}` would do" if most >= _SECOND else "none would do"
    return f"`every: {exact(every)}` is too long for {what}: {because}; {would}"


def _objective(good: float, period: timedelta) -> str:
    return f"{good * 100:.6g}% over {format_duration(period)}"


def _seconds(some: timedelta) -> int:
    return some // _SECOND


def exact(some: timedelta) -> str:
    seconds = some.total_seconds()
    return f"{seconds:g}s" if seconds % 60 else f"{seconds / 60:g}m" if seconds % 3600 else f"{seconds / 3600:g}h"
