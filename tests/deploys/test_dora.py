"""DORA's four figures, worked out by hand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.deploys.desk import Dora
from controller.deploys.dora import dora
from controller.deploys.model import Verdict
from tests.deploys.examples import a_deed
from tests.examples import NOON

WEEK = timedelta(days=7)
NOW = NOON + timedelta(days=1)
NOTHING = Dora(WEEK, 0, None, None, None)


def took(minutes):
    return a_deed(committed_at=NOON - timedelta(minutes=minutes))


def failed(*, recovered=None, **changes):
    """`recovered`: minutes after it was live."""
    back = NOON + timedelta(minutes=recovered) if recovered is not None else None
    return a_deed(verdict=Verdict.REJECTED, restored_at=back, **changes)


@pytest.mark.parametrize(
    ("deeds", "told"),
    [
        pytest.param([], {"deploys": 0, "lead_time": None}, id="no release"),
        pytest.param([took(10)], {"deploys": 1, "lead_time": timedelta(minutes=10)}, id="one"),
        pytest.param([took(10), took(1), took(60)], {"lead_time": timedelta(minutes=10)}, id="the middle of three"),
        pytest.param([took(10), took(20)], {"lead_time": timedelta(minutes=15)}, id="between the middle two"),
        pytest.param([a_deed(live_at=None)], {"deploys": 0, "failure_rate": None}, id="never live"),
        pytest.param([a_deed()], {"failure_rate": 0.0, "recovery_time": None}, id="none failed"),
        pytest.param([a_deed(verdict=Verdict.PENDING)], {"deploys": 1, "failure_rate": None}, id="no verdict yet"),
        pytest.param(
            [a_deed(), a_deed(verdict=Verdict.SUPERSEDED), failed()],
            {"deploys": 3, "failure_rate": 0.5},
            id="one that was superseded says nothing of failures",
        ),
        pytest.param(
            [a_deed(), failed(live_at=None)], {"deploys": 1, "failure_rate": 0.0}, id="rejected before it was ever live"
        ),
        pytest.param(
            [failed(recovered=2), failed(recovered=4), a_deed(), a_deed()],
            {"failure_rate": 0.5, "recovery_time": timedelta(minutes=3)},
            id="recovered from two",
        ),
        pytest.param(
            [failed(recovered=2), failed()],
            {"failure_rate": 1.0, "recovery_time": timedelta(minutes=2)},
            id="one that never recovered has no time",
        ),
        pytest.param(
            [a_deed(restored_at=NOON)], {"recovery_time": None}, id="one that did not fail did not recover either"
        ),
        pytest.param([a_deed(live_at=NOW)], {"deploys": 1}, id="live at this moment"),
        pytest.param([a_deed(live_at=NOW - WEEK)], {"deploys": 1}, id="live when the window begins"),
        pytest.param([a_deed(live_at=NOW - WEEK - timedelta(microseconds=1))], {"deploys": 0}, id="live before it"),
        pytest.param([a_deed(live_at=NOW + timedelta(microseconds=1))], {"deploys": 0}, id="live after it"),
    ],
)
def test_the_figures(deeds, told):
    figures = dora(deeds, WEEK, NOW)
    assert {name: getattr(figures, name) for name in told} == told


def test_all_of_them_where_nothing_happened():
    assert dora([], WEEK, NOW) == NOTHING


def test_a_commit_older_than_the_window_counts_from_the_commit():
    figures = dora([a_deed(committed_at=NOW - 2 * WEEK, live_at=NOW)], WEEK, NOW)
    assert figures == replace(NOTHING, deploys=1, lead_time=2 * WEEK, failure_rate=0.0)
