from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.probes.known import COARSE, FINE, Known
from controller.probes.model import Counts
from smoke.model import Outcome
from tests.probes.examples import HOUR, MINUTE, NOON, SECOND, a_sample

DAYS = timedelta(days=3)


def known(*samples, at=NOON - HOUR):
    some = Known(at)
    for sample in samples:
        some.take(sample)
    return some


def test_a_window_holds_what_is_younger():
    some = known(*(a_sample(NOON - 30 * SECOND * back, Outcome.FAILED) for back in range(119, -1, -1)))
    assert some.counts(5 * MINUTE, NOON) == Counts(10, 10)
    assert some.counts(HOUR, NOON) == Counts(120, 120)
    assert some.counts(DAYS, NOON + 2 * HOUR) == Counts(120, 120)
    assert some.counts(HOUR, NOON + 2 * HOUR) == Counts()


def test_what_says_nothing_is_not_counted():
    some = known(a_sample(NOON, Outcome.BROKEN), replace(a_sample(NOON, Outcome.FAILED), excused=True))
    assert some.counts(HOUR, NOON) == Counts()
    assert not some.failed_since(NOON)


def test_a_broken_sample_breaks_no_silence_and_an_excused_one_does():
    assert known(a_sample(NOON, Outcome.BROKEN)).at == NOON - HOUR
    assert known(replace(a_sample(NOON), excused=True)).at == NOON


def test_it_began_with_the_first_failure_after_a_pause():
    times = [NOON - 2 * HOUR, NOON - 12 * MINUTE, NOON - 8 * MINUTE, NOON - 4 * MINUTE]
    some = known(*(a_sample(at, Outcome.FAILED) for at in times))
    assert some.began(5 * MINUTE) == NOON - 12 * MINUTE
    assert some.began(3 * HOUR) == NOON - 2 * HOUR
    assert known().began(HOUR) is None


@given(
    st.lists(st.tuples(st.integers(0, 5 * 86400), st.booleans()), max_size=60),
    st.sampled_from([5 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, DAYS]),
    st.integers(0, 86400),
)
def test_a_window_is_right_to_one_step(some, window, later):
    """Nothing older is counted, and nothing that is younger by a step is left out."""
    ordered = sorted(some)
    now = NOON + timedelta(seconds=(ordered[-1][0] if ordered else 0) + later)
    memory = known(*(a_sample(NOON + at * SECOND, Outcome.FAILED if bad else Outcome.PASSED) for at, bad in ordered))
    step = FINE if window <= HOUR else COARSE
    ages = [(now - NOON - at * SECOND, bad) for at, bad in ordered]
    found = memory.counts(window, now)
    assert sum(age <= window - step for age, _ in ages) <= found.total <= sum(age < window for age, _ in ages)
    assert sum(age <= window - step and bad for age, bad in ages) <= found.failed
    assert found.failed <= sum(age < window and bad for age, bad in ages)
