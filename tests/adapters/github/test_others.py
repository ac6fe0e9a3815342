"""What others say of a commit: check runs and statuses that a deploy waits for, and who hears that they are over."""

from datetime import timedelta

import pytest

from controller.adapters.github.others import KEPT, App, Others, Run, standing
from controller.adapters.github.statuses import Status
from controller.common.nouns import PreviewKey
from controller.common.words import CheckStatus
from controller.errors import Refused, Unavailable
from tests.adapters.github.world import REPO, SECRET, app_key, key_of, listening
from tests.examples import NOON, a_pull

RUNS, STATUSES = ("GET", "/commits/{ref}/check-runs"), ("GET", "/commits/{ref}/statuses")
GREEN, RED, LATE, NEXT = CheckStatus.SUCCESS, CheckStatus.FAILURE, CheckStatus.IN_PROGRESS, CheckStatus.QUEUED


def a_run(number=1, conclusion="success", name="build", app=1, status="completed"):
    over = status == "completed"
    return Run(id=number, name=name, status=status, conclusion=conclusion if over else None, app=App(id=app))


def a_status(state="success", context="build"):
    return Status(context=context, state=state)


@pytest.mark.parametrize(
    ("runs", "statuses", "expected"),
    [
        pytest.param([], [], None, id="none"),
        *(pytest.param([a_run(1, fine)], [], GREEN, id=fine) for fine in ("success", "neutral", "skipped")),
        *(
            pytest.param([a_run(1, bad)], [], RED, id=bad)
            for bad in ("failure", "cancelled", "timed_out", "action_required", "stale", "one of next year's")
        ),
        pytest.param([a_run(status="in_progress")], [], LATE, id="in progress"),
        *(pytest.param([a_run(status=one)], [], NEXT, id=one) for one in ("queued", "waiting", "requested", "pending")),
        pytest.param([a_run(2), a_run(1, "failure")], [], GREEN, id="a later run of the same App counts"),
        pytest.param([a_run(2, "failure"), a_run(1)], [], RED, id="and where it is worse as well"),
        pytest.param([a_run(2), a_run(1, "failure", app=2)], [], RED, id="of two Apps both have to succeed"),
        pytest.param([a_run(2), a_run(1, status="queued", app=2)], [], NEXT, id="of two Apps one is to come"),
        pytest.param([], [a_status()], GREEN, id="a status"),
        pytest.param([], [a_status("pending")], LATE, id="a status that is to come"),
        pytest.param([], [a_status("failure")], RED, id="a status that failed"),
        pytest.param([], [a_status("error")], RED, id="a status that could not be"),
        pytest.param([], [a_status(), a_status("failure")], GREEN, id="the newest status counts"),
        pytest.param([a_run()], [a_status("failure")], RED, id="a run and a status of one name"),
        pytest.param([a_run(name="Build")], [], None, id="a name in other letters is another"),
    ],
)
def test_how_a_check_stands(runs, statuses, expected):
    assert standing(runs, statuses).get("build") is expected


@pytest.fixture
def ci(place):
    app = place.github.app(18, app_key()[1], "ci", events=frozenset())
    place.github.install(app, place.shop)
    return app


@pytest.fixture
def pr(place):
    return place.shop.open("feature", {"a.txt": "a"}, place.ada)


async def the_one(forge):
    [pull] = await forge.open_pulls(REPO)
    return pull


async def test_of_the_names_that_are_asked_for_those_are_told_that_there_are(place, forge, ci, pr):
    pr.check(ci, "build")
    pr.check(ci, "unit", None)
    pr.check(ci, "docs")
    pr.status("lint", "failure")
    pull = await the_one(forge)
    assert await forge.other_checks(pull, ["build", "unit", "lint", "e2e"]) == {
        "build": GREEN,
        "unit": LATE,
        "lint": RED,
    }


async def test_a_hundred_and_one_are_read_page_by_page(place, forge, ci, pr):
    for number in range(101):
        pr.check(ci, f"build {number}")
    pull = await the_one(forge)
    names = [f"build {number}" for number in (0, 50, 100)]
    assert await forge.other_checks(pull, names) == dict.fromkeys(names, GREEN)


async def test_what_did_not_change_costs_nothing_and_what_is_old_is_asked_for_less(place, ci, pr):
    async with place.forge(fresh="1m") as forge:
        pull = await the_one(forge)
        await forge.other_checks(pull, ["build"])
        place.asked()
        await forge.other_checks(pull, ["build"])
        assert place.asked() == {}
        place.github.clock.advance(minutes=2)
        used = place.used
        await forge.other_checks(pull, ["build"])
        assert (place.asked(), place.used) == ({RUNS: 1, STATUSES: 1}, used)
        place.github.clock.advance(hours=30)
        await forge.other_checks(pull, ["build"])
        place.asked()
        place.github.clock.advance(hours=1)
        await forge.other_checks(pull, ["build"])
        assert place.asked() == {}


async def rung(place, event):
    """For whom, once every webhook about it was delivered."""
    before = len(place.ledger.kept_deliveries)
    event()
    await place.github.webhooks.settled()
    return [delivery.key for delivery in list(place.ledger.kept_deliveries.values())[before:]]


async def test_who_waits_is_rung_for_and_nobody_else(place, ci, pr):
    async with place.forge(mode="webhook", fresh="1h") as forge, listening(forge.webhooks) as url:
        place.github.webhooks.to(url, SECRET, place.installation.app)
        pull = await the_one(forge)
        assert await rung(place, lambda: pr.check(ci, "build")) == []
        assert await forge.other_checks(pull, ["build", "lint"]) == {"build": GREEN}
        assert await rung(place, lambda: pr.check(ci, "docs")) == []
        assert await rung(place, lambda: pr.status("docs")) == []
        assert await rung(place, lambda: pr.status("lint", "pending")) == []
        assert await rung(place, lambda: pr.status("lint", "failure")) == [key_of(pr)]
        assert await forge.other_checks(pull, ["build", "lint"]) == {"build": GREEN, "lint": RED}
        assert await rung(place, lambda: pr.check(ci, "build", "failure")) == [key_of(pr)]
        assert await forge.other_checks(pull, ["build", "lint"]) == {"build": RED, "lint": RED}
        pr.status("lint")
        assert await rung(place, lambda: pr.check(ci, "build")) == [key_of(pr), key_of(pr)]
        assert await forge.other_checks(pull, ["build", "lint"]) == {"build": GREEN, "lint": GREEN}
        assert await rung(place, lambda: pr.check(ci, "build")) == []


async def test_what_another_controller_heard_is_asked_for_again(place, ci, pr):
    async with place.forge(fresh="1h") as forge:
        pull = await the_one(forge)
        assert await forge.other_checks(pull, ["build"]) == {}
        pr.check(ci, "build")
        assert await forge.other_checks(pull, ["build"]) == {}
        forge.doubt(key_of(pr))
        assert await forge.other_checks(pull, ["build"]) == {"build": GREEN}


async def test_one_list_that_we_may_read_is_enough_where_every_name_is_in_it(place, pr):
    del place.installation.permissions["checks"]
    pr.status("lint")
    async with place.forge(fresh="1m") as forge:
        pull = await the_one(forge)
        assert await forge.other_checks(pull, ["lint"]) == {"lint": GREEN}
        with pytest.raises(Refused, match="check-runs"):
            await forge.other_checks(pull, ["lint", "build"])
        place.asked()
        with pytest.raises(Refused, match="check-runs"):
            await forge.other_checks(pull, ["lint", "build"])
        assert place.asked() == {}
        place.installation.permissions["checks"] = "read"
        place.github.clock.advance(minutes=61)
        assert await forge.other_checks(pull, ["lint", "build"]) == {"lint": GREEN}


async def test_an_outage_is_no_answer(place, forge, pr):
    pull = await the_one(forge)
    place.github.down()
    with pytest.raises(Unavailable):
        await forge.other_checks(pull, ["build"])


class NoAnswer:
    """A client whose GitHub is down."""

    async def pages(self, *_, **__):
        raise Unavailable("502")


async def test_who_waited_longest_is_forgotten_first():
    others = Others(NoAnswer(), timedelta(0), lambda: NOON)
    for number in range(1, KEPT + 2):
        with pytest.raises(Unavailable):
            await others.of(a_pull(key=PreviewKey(REPO, number), head=f"head {number}"), ["build"])
    assert others.waiting(REPO, "head 1", "build") == ()
    assert others.waiting(REPO, "head 2", "build") == (PreviewKey(REPO, 2),)
    assert others.waiting(REPO, f"head {KEPT + 1}", "") == (PreviewKey(REPO, KEPT + 1),)
