"""Worked out by hand. 99.9% over 30 days: 0.02 * 720 h / 1 h = 14.4, so 1.44% of samples; 0.05 * 720 / 6 = 6, 0.6%;
0.1 * 720 / 72 = 1, 0.1%. 1.44% of 2,500 samples are 36; 0.6% of 500 are 3; 0.1% of 5,000 are 5."""

from datetime import timedelta

import pytest

from controller.probes.model import Alarm, Counts
from controller.probes.slo import budget_left, burning, burns, never_pages, quiet, reaches, times_allowed, unfit

MONTH = timedelta(days=30)
FAST, SLOW, TICKET = Alarm.FAST_BURN, Alarm.SLOW_BURN, Alarm.TICKET_BURN


def the_burn(alarm, good=0.999, period=MONTH):
    return next(burn for burn in burns(good, period) if burn.alarm is alarm)


@pytest.mark.parametrize(
    ("good", "days", "alarm", "rate", "percent"),
    [
        (0.999, 30, FAST, 14.4, 1.44),
        (0.999, 30, SLOW, 6, 0.6),
        (0.999, 30, TICKET, 1, 0.1),
        (0.99, 30, FAST, 14.4, 14.4),
        (0.9999, 30, SLOW, 6, 0.06),
        (0.999, 28, FAST, 0.02 * 672, 1.344),
        (0.999, 28, TICKET, 1, 0.1),  # 0.1 * 672 / 72 = 0.933: below 1 nothing burns
        (0.999, 7, FAST, 0.02 * 168, 0.336),
        (0.999, 7, SLOW, 1.4, 0.14),
        (0.999, 7, TICKET, 1, 0.1),
        (0.999, 1, FAST, 1, 0.1),  # 0.02 * 24 = 0.48
        (0.999, 90, FAST, 43.2, 4.32),
        (0.999, 90, SLOW, 18, 1.8),
        (0.999, 90, TICKET, 3, 0.3),
    ],
)
def test_a_rate_is_the_share_of_the_budget_times_the_period_over_the_window(good, days, alarm, rate, percent):
    burn = the_burn(alarm, good, timedelta(days=days))
    assert float(burn.rate) == pytest.approx(rate, abs=1e-12)
    assert float(burn.most) * 100 == pytest.approx(percent, abs=1e-12)


@pytest.mark.parametrize(
    ("alarm", "failed", "total", "reached"),
    [
        pytest.param(FAST, 36, 2500, True, id="exactly 14.4"),
        pytest.param(FAST, 35, 2500, False, id="14.4, one sample below"),
        pytest.param(FAST, 36, 2501, False, id="14.4, one that passed more"),
        pytest.param(FAST, 1, 120, False, id="one of an hour at 30 s is 8.33"),
        pytest.param(FAST, 2, 120, True, id="two of an hour at 30 s are 16.7"),
        pytest.param(FAST, 1, 60, True, id="one of an hour at 1 m is 16.7: the floor keeps it back"),
        pytest.param(FAST, 10, 10, True, id="everything"),
        pytest.param(FAST, 0, 10, False, id="nothing failed"),
        pytest.param(FAST, 0, 0, False, id="nothing is known"),
        pytest.param(SLOW, 3, 500, True, id="exactly 6"),
        pytest.param(SLOW, 2, 500, False, id="6, one sample below"),
        pytest.param(SLOW, 4, 720, False, id="four of 6 h at 30 s are 5.56"),
        pytest.param(SLOW, 5, 720, True, id="five of 6 h at 30 s are 6.94"),
        pytest.param(TICKET, 5, 5000, True, id="exactly 1"),
        pytest.param(TICKET, 4, 5000, False, id="1, one sample below"),
        pytest.param(TICKET, 8, 8640, False, id="eight of 3 d at 30 s are 0.93"),
        pytest.param(TICKET, 9, 8640, True, id="nine of 3 d at 30 s are 1.04"),
    ],
)
def test_a_window_reaches_the_rate_at_the_very_sample(alarm, failed, total, reached):
    assert reaches(Counts(total, failed), the_burn(alarm)) is reached
    assert quiet(Counts(total, failed), the_burn(alarm)) is (total > 0 and not reached)


@pytest.mark.parametrize(
    ("long", "short", "burns_so"),
    [
        pytest.param((3, 120), (1, 10), True, id="both windows and the floor"),
        pytest.param((2, 120), (1, 10), False, id="one below the floor"),
        pytest.param((3, 120), (0, 10), False, id="it was, and is over"),
        pytest.param((3, 120), (0, 0), False, id="the short window is empty: nothing is known"),
        pytest.param((3, 300), (3, 10), False, id="a flicker that the hour does not feel"),
        pytest.param((3, 3), (3, 3), True, id="a probe of a minute that never passed"),
    ],
)
def test_it_burns_where_both_windows_and_the_floor_say_so(long, short, burns_so):
    (failed, total), (lately, of) = long, short
    assert burning(Counts(total, failed), Counts(of, lately), the_burn(FAST), floor=3) is burns_so


def test_a_budget_is_spent_by_each_failure_and_overspent_by_one_more():
    assert budget_left(Counts(86_400, 0), 0.999) == 1
    assert budget_left(Counts(10_000, 5), 0.999) == pytest.approx(0.5)
    assert budget_left(Counts(10_000, 10), 0.999) == 0
    assert budget_left(Counts(10_000, 11), 0.999) == pytest.approx(-0.1)
    assert budget_left(Counts(), 0.999) is None
    assert times_allowed(Counts(2500, 36), 0.999) == pytest.approx(14.4)


@pytest.mark.parametrize(
    ("good", "every", "locations", "floor", "problem"),
    [
        pytest.param(0.999, 30, 1, 3, "", id="99.9% by 30 s"),
        pytest.param(0.999, 300, 1, 3, "", id="99.9% by 5 m: 8.6 may fail"),
        pytest.param(
            0.999,
            301,
            1,
            3,
            "`every: 301s` is too long for an objective: it burns by its latest 5m, which mostly hold no sample; "
            "`every: 5m` would do",
            id="no sample in the short window",
        ),
        pytest.param(0.9999, 86, 1, 3, "", id="99.99% by 86 s: 3.01 may fail"),
        pytest.param(
            0.9999,
            87,
            1,
            3,
            "`every: 87s` is too long for 99.99% over 30 days: of 29,793 samples 2.98 may fail, and nobody is told "
            "before 3 did (`failures`); `every: 86s` would do",
            id="the floor is more than the budget",
        ),
        pytest.param(0.9999, 87, 2, 3, "", id="two locations are twice the samples"),
        pytest.param(0.99, 180, 1, 20, "", id="an hour holds the floor"),
        pytest.param(
            0.99,
            181,
            1,
            20,
            "`every: 181s` is too long for its objective: 1h hold 19.9 samples, and 20 have to fail (`failures`); "
            "`every: 3m` would do",
            id="an hour does not hold the floor",
        ),
    ],
)
def test_an_interval_is_refused_with_the_arithmetic(good, every, locations, floor, problem):
    assert unfit(good, MONTH, timedelta(seconds=every), locations, floor) == problem


def test_an_objective_that_could_never_page_says_so():
    assert never_pages(0.84, MONTH) == ""
    assert "80% over 30 days never pages: even where all samples fail they burn at 5" in never_pages(0.8, MONTH)
