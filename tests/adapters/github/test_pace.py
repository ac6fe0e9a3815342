"""When an account may ask: at each limit, and one past it."""

from datetime import timedelta
from email.utils import format_datetime

import pytest
from multidict import CIMultiDict

from controller.adapters.github.limits import CREATED_PER_HOUR, CREATED_PER_MINUTE, POINTS_PER_MINUTE
from controller.adapters.github.meter import Limit
from controller.adapters.github.pace import CHANGE_POINTS, CREATED_AT_ONCE, Pace, Spacing, Throttled, Window
from controller.adapters.github.wire import Answer
from tests.adapters.github.hub import NOW

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
SECONDARY = '{"message": "You have exceeded a secondary rate limit."}'


def an_answer(status=200, body="{}", **headers):
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Answer(status, CIMultiDict(named), body.encode())


def a_quota(remaining, *, limit=5000, reset=NOW + 10 * MINUTE, status=200, **headers):
    counted = {"X_RateLimit_Limit": limit, "X_RateLimit_Remaining": remaining}
    return an_answer(status, X_RateLimit_Reset=int(reset.timestamp()), **counted, **headers)


def wait(pace, now=NOW, **what):
    """How long it would take; nothing is taken where that is longer than is waited here."""
    try:
        return pace.take(now, **({"is_read": True} | what))
    except Throttled as error:
        return error.retry_after


def create(pace, now=NOW):
    return wait(pace, now, is_read=False, creates=True)


# GitHub's quota


@pytest.mark.parametrize(
    ("remaining", "is_read", "limit"),
    [
        pytest.param(251, True, None, id="a read, above the reserve"),
        pytest.param(250, True, Limit.QUOTA, id="a read would take of the reserve"),
        pytest.param(250, False, None, id="a change may take of the reserve"),
        pytest.param(1, False, None, id="the last change"),
        pytest.param(0, False, Limit.QUOTA, id="one change too many"),
        pytest.param(0, True, Limit.QUOTA, id="one read too many"),
    ],
)
def test_the_quota(remaining, is_read, limit):
    pace = Pace()
    assert pace.hear(a_quota(remaining), NOW) is None
    if limit is None:
        assert not pace.take(NOW, is_read=is_read)
        return
    with pytest.raises(Throttled) as caught:
        pace.take(NOW, is_read=is_read)
    assert (caught.value.limit, caught.value.retry_after) == (limit, 10 * MINUTE)


def test_what_is_under_way_is_counted_before_it_is_answered():
    pace = Pace()
    pace.hear(a_quota(252), NOW)
    assert [wait(pace) for _ in range(3)] == [timedelta(), timedelta(), 10 * MINUTE]


def test_the_quota_is_filled_up_when_its_time_comes():
    pace = Pace()
    pace.hear(a_quota(0), NOW)
    assert wait(pace, NOW + 10 * MINUTE - SECOND) == SECOND
    assert not wait(pace, NOW + 10 * MINUTE)


def test_the_reserve_of_a_small_quota_is_small():
    pace = Pace()
    pace.hear(a_quota(4, limit=60), NOW)
    assert not wait(pace)
    assert wait(pace)


# What GitHub says of limits


@pytest.mark.parametrize(
    ("answer", "limit", "wait"),
    [
        pytest.param(an_answer(429), Limit.SECONDARY, MINUTE, id="too many, and nothing more"),
        pytest.param(an_answer(429, Retry_After=30), Limit.SECONDARY, 30 * SECOND, id="too many, with seconds"),
        pytest.param(an_answer(403, Retry_After=30), Limit.SECONDARY, 30 * SECOND, id="forbidden, with seconds"),
        pytest.param(
            an_answer(403, Retry_After=format_datetime(NOW + 2 * MINUTE)), Limit.SECONDARY, 2 * MINUTE, id="with a date"
        ),
        pytest.param(an_answer(429, Retry_After=0), Limit.SECONDARY, SECOND, id="at least a second"),
        pytest.param(an_answer(429, Retry_After="-5"), Limit.SECONDARY, MINUTE, id="a time that was"),
        pytest.param(
            an_answer(429, Retry_After=format_datetime(NOW - MINUTE)), Limit.SECONDARY, SECOND, id="a date that was"
        ),
        pytest.param(an_answer(429, Retry_After=3600), Limit.SECONDARY, 60 * MINUTE, id="an hour"),
        pytest.param(an_answer(429, Retry_After=3601), Limit.SECONDARY, 60 * MINUTE, id="never more than an hour"),
        pytest.param(an_answer(429, Retry_After="9" * 400), Limit.SECONDARY, MINUTE, id="a number without end"),
        pytest.param(an_answer(429, Retry_After="soon"), Limit.SECONDARY, MINUTE, id="no time"),
        pytest.param(an_answer(403, SECONDARY), Limit.SECONDARY, MINUTE, id="in its message"),
        pytest.param(a_quota(0, status=403), Limit.QUOTA, 10 * MINUTE, id="the quota, until it is filled up"),
        pytest.param(a_quota(0, status=429), Limit.QUOTA, 10 * MINUTE, id="the quota, said otherwise"),
        pytest.param(a_quota(0, status=403, Retry_After=5), Limit.QUOTA, 5 * SECOND, id="what it asks for counts"),
        pytest.param(a_quota(0, status=403, reset=NOW - MINUTE), Limit.QUOTA, MINUTE, id="filled up, yet refused"),
        pytest.param(a_quota(4000, status=403), None, None, id="simply forbidden"),
        pytest.param(an_answer(403), None, None, id="forbidden without a word"),
        pytest.param(an_answer(404, SECONDARY), None, None, id="another answer"),
        pytest.param(an_answer(503, Retry_After=30), None, None, id="an outage is none"),
    ],
)
def test_what_is_a_limit_and_how_long(answer, limit, wait):
    pace = Pace()
    throttled = pace.hear(answer, NOW)
    assert (throttled.limit, throttled.retry_after) == (limit, wait) if limit else throttled is None
    assert pace.waits_until == (NOW + wait if wait else None)


def test_nothing_is_asked_until_then():
    pace = Pace()
    pace.hear(an_answer(429, Retry_After=30), NOW)
    assert wait(pace, NOW + 29 * SECOND) == SECOND
    assert wait(pace, NOW + 29 * SECOND, is_read=False) == SECOND
    assert not wait(pace, NOW + 30 * SECOND)
    assert pace.why == ""


def test_each_time_it_comes_again_we_wait_twice_as_long_up_to_a_quarter_of_an_hour():
    pace, now, waits = Pace(), NOW, []
    for _ in range(6):
        waits.append(pace.hear(an_answer(403, SECONDARY), now).retry_after // MINUTE)
        now = pace.waits_until
    assert waits == [1, 2, 4, 8, 15, 15]


def test_several_under_way_at_once_are_one_time():
    pace = Pace()
    assert [pace.hear(an_answer(403, SECONDARY), NOW).retry_after for _ in range(5)] == [MINUTE] * 5


def test_an_answer_that_was_under_way_does_not_end_it_and_one_afterwards_does():
    pace = Pace()
    pace.hear(an_answer(403, SECONDARY), NOW)
    pace.hear(an_answer(200), NOW + SECOND)
    assert pace.hear(an_answer(403, SECONDARY), NOW + MINUTE).retry_after == 2 * MINUTE
    pace.hear(an_answer(200), NOW + 3 * MINUTE)
    assert pace.hear(an_answer(403, SECONDARY), NOW + 4 * MINUTE).retry_after == MINUTE


def test_a_shorter_wait_does_not_cut_a_longer_one():
    pace = Pace()
    pace.hear(an_answer(429, Retry_After=600), NOW)
    pace.hear(an_answer(429, Retry_After=5), NOW)
    pace.hear(an_answer(429), NOW)
    assert pace.waits_until == NOW + 10 * MINUTE


# What we know of limits


def test_so_many_are_created_at_once_and_then_one_a_second():
    pace = Pace()
    assert [create(pace) for _ in range(CREATED_AT_ONCE)] == [timedelta()] * CREATED_AT_ONCE
    assert create(pace) == SECOND
    assert create(pace) == 2 * SECOND, "which is not waited: it is said, and not taken"
    assert create(pace) == 2 * SECOND
    assert create(pace, NOW + SECOND) == SECOND


def test_never_more_are_created_in_a_minute_than_github_takes():
    pace = Pace()
    at = [NOW + SECOND * 0.1 * tenth for tenth in range(1200)]
    created = [now + pause for now in at if (pause := create(pace, now)) <= SECOND]
    most = max(sum(start <= moment <= start + MINUTE for moment in created) for start in created)
    assert most == CREATED_PER_MINUTE


def test_never_more_are_created_in_an_hour_than_github_takes():
    pace = Pace()
    for turn in range(CREATED_PER_HOUR):
        assert not create(pace, NOW + turn * 2 * SECOND)
    last = NOW + (CREATED_PER_HOUR - 1) * 2 * SECOND
    assert create(pace, last + 2 * SECOND) == NOW + 60 * MINUTE - (last + 2 * SECOND)
    assert not wait(pace, last + 2 * SECOND, is_read=False), "what creates nothing goes on"
    assert not create(pace, NOW + 60 * MINUTE)


def test_changes_take_all_points_of_a_minute():
    pace = Pace()
    changes = POINTS_PER_MINUTE // CHANGE_POINTS
    assert [wait(pace, is_read=False) for _ in range(changes)] == [timedelta()] * changes
    assert wait(pace, is_read=False) == MINUTE
    assert not wait(pace, NOW + MINUTE, is_read=False)


def test_reads_leave_some_points_to_changes():
    pace = Pace()
    reads = POINTS_PER_MINUTE * 95 // 100
    assert [wait(pace) for _ in range(reads)] == [timedelta()] * reads
    assert wait(pace) == MINUTE
    left = (POINTS_PER_MINUTE - reads) // CHANGE_POINTS
    assert [bool(wait(pace, is_read=False)) for _ in range(left + 1)] == [False] * left + [True]


def test_a_short_wait_is_a_pause_and_a_turn_that_is_taken():
    pace = Pace()
    for _ in range(POINTS_PER_MINUTE // CHANGE_POINTS):
        pace.take(NOW, is_read=False)
    assert pace.take(NOW + MINUTE - SECOND, is_read=False) == SECOND


def test_a_window_has_place_again_as_what_was_taken_leaves_it():
    window = Window(10, MINUTE)
    window.take(6, NOW)
    window.take(4, NOW + 10 * SECOND)
    now = NOW + 20 * SECOND
    assert window.wait(1, now) == window.wait(6, now) == 40 * SECOND
    assert window.wait(7, now) == 50 * SECOND
    assert window.wait(11, now) == MINUTE, "what never fits"
    assert not window.wait(6, NOW + MINUTE)


def test_a_pause_saves_up_no_more_than_the_first_burst():
    spacing = Spacing(3)
    later = NOW + 60 * MINUTE
    waits = []
    for _ in range(4):
        waits.append(spacing.wait(later))
        spacing.take(later)
    assert waits == [timedelta()] * 3 + [SECOND]
