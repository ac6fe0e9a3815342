"""What burns after a release: whether that is suspected, and whether it is rolled back."""

from datetime import timedelta

import pytest

from controller.deploys.accused import Court
from controller.deploys.model import Verb, Verdict
from tests.deploys.day import NAME, Day

MINUTE = timedelta(minutes=1)


async def a_day_of_two(**target):
    day = Day(**({"rollback_on_burn": True} | target))
    for change in "ab":
        day.push(change=change)
        await day.settle(5)
    return day


def court(day):
    return Court({NAME: day.policy}, day.targets, day.journal, lambda: day.now)


@pytest.mark.parametrize(
    ("after", "found"),
    [
        pytest.param(-MINUTE, None, id="it burned before"),
        pytest.param(MINUTE, 2, id="soon after"),
        pytest.param(60 * MINUTE, 2, id="at the end of the window"),
        pytest.param(61 * MINUTE, None, id="too late to be the cause"),
    ],
)
async def test_a_release_is_suspected_within_its_window(after, found):
    day = await a_day_of_two()

    release = await court(day).suspect(NAME, day.record.live_since + after)

    assert (release.number if release else None) == found


async def test_what_was_restored_is_no_suspect():
    day = await a_day_of_two()
    await day.ask(Verb.ROLLBACK)
    await day.settle(5)

    assert day.record.live == 1
    assert await court(day).suspect(NAME, day.record.live_since + MINUTE) is None


async def test_a_verified_release_that_burns_is_rolled_back_once_with_its_reason():
    day = await a_day_of_two()
    assert day.record.running.verdict is Verdict.VERIFIED

    assert await court(day).accuse(NAME, 2, "checkout burns", "probe:checkout:fast-burn:1")
    assert not await court(day).accuse(NAME, 2, "checkout burns", "probe:checkout:fast-burn:1")
    await day.settle(5)

    assert day.targets.applied == [1, 2, 1]
    assert day.record.releases[1].verdict is Verdict.REJECTED
    assert "checkout burns" in day.record.rollback.because


async def test_it_pages_as_every_rollback_that_no_person_asked_for():
    day = await a_day_of_two()
    await court(day).accuse(NAME, 2, "checkout burns", "a")
    await day.settle(5)

    assert any("was rolled back" in page for page in day.pages())


@pytest.mark.parametrize(
    "otherwise",
    [
        pytest.param({"rollback_on_burn": False}, id="the policy does not say so"),
        pytest.param({"number": 1}, id="it is not live any more"),
        pytest.param({"held": True}, id="a person holds it"),
    ],
)
async def test_it_is_left_alone_where(otherwise):
    day = await a_day_of_two(rollback_on_burn=otherwise.get("rollback_on_burn", True))
    if otherwise.get("held"):
        await day.ask(Verb.HOLD)

    assert not await court(day).accuse(NAME, otherwise.get("number", 2), "checkout burns", "a")
    await day.settle(5)

    assert day.record.live == 2


async def test_nothing_is_rolled_back_where_nothing_earlier_is_good():
    day = Day(rollback_on_burn=True)
    day.push()
    await day.settle(5)

    assert not await court(day).accuse(NAME, 1, "checkout burns", "a")
