"""What a token says of a suite: one commit status, and nothing where it stands already."""

import pytest

from controller.adapters.github.statuses import Status, Statuses, stands, state
from controller.common.words import CheckReport, CheckStatus
from controller.errors import Refused, Unavailable
from tests.adapters.github.speaking import REPO, a_page, key_of

pytestmark = pytest.mark.processes

THERE = Status(context="mayfly/smoke", state="failure", description="login failed", target_url=None)


def test_every_state_of_a_check_has_one_of_a_status():
    assert {status: state(status) for status in CheckStatus} == {
        CheckStatus.QUEUED: "pending",
        CheckStatus.IN_PROGRESS: "pending",
        CheckStatus.SUCCESS: "success",
        CheckStatus.FAILURE: "failure",
        CheckStatus.ACTION_REQUIRED: "error",
        CheckStatus.NEUTRAL: "success",
    }


@pytest.mark.parametrize(
    ("statuses", "answer"),
    [
        pytest.param((), False, id="there is none"),
        pytest.param((THERE,), True, id="it says so already"),
        pytest.param((THERE.model_copy(update={"context": "MAYFLY/Smoke"}),), True, id="a context has no case"),
        pytest.param((THERE.model_copy(update={"context": "mayfly/e2e"}),), False, id="it is of another suite"),
        pytest.param((THERE.model_copy(update={"state": "pending"}),), False, id="another state"),
        pytest.param((THERE.model_copy(update={"description": "other"}),), False, id="other words"),
        pytest.param((THERE.model_copy(update={"description": None}),), False, id="no words"),
        pytest.param((THERE.model_copy(update={"target_url": "http://x"}),), False, id="another link"),
        pytest.param((THERE.model_copy(update={"target_url": ""}),), True, id="an empty link is none"),
        pytest.param((THERE.model_copy(update={"state": "pending"}), THERE), False, id="the latest counts"),
    ],
)
def test_a_status_stands_where_the_latest_says_it(statuses, answer):
    assert stands(statuses, THERE) is answer


@pytest.fixture
def statuses(world):
    return Statuses(world.client(world.person), a_page)


def a_report(pull, status=CheckStatus.FAILURE, title="smoke failed: login", name="mayfly/smoke", revision=""):
    return CheckReport(name, revision or pull.head, status, title, "", f"{pull.key}:smoke:1")


def said(pull):
    """Every status of the head, oldest first."""
    return [(one.context, one.state, one.description) for one in pull.repo.statuses if one.sha == pull.head]


async def test_a_suite_is_a_status_that_links_to_the_dashboard(statuses, pull):
    await statuses.report(key_of(pull), a_report(pull, CheckStatus.IN_PROGRESS, "running"))
    await statuses.report(key_of(pull), a_report(pull))
    assert said(pull) == [
        ("mayfly/smoke", "pending", "running"),
        ("mayfly/smoke", "failure", "smoke failed: login"),
    ]
    assert {one.target_url for one in pull.repo.statuses} == {a_page(key_of(pull))}


async def test_nothing_is_written_where_it_stands_already(world, statuses, pull):
    for _ in range(2):
        await statuses.report(key_of(pull), a_report(pull))
        await statuses.report(key_of(pull), a_report(pull, name="mayfly/e2e"))
        await Statuses(world.client(world.person), a_page).report(key_of(pull), a_report(pull))
    assert said(pull) == [
        ("mayfly/smoke", "failure", "smoke failed: login"),
        ("mayfly/e2e", "failure", "smoke failed: login"),
    ]


@pytest.mark.parametrize(
    ("title", "description"),
    [
        ("x" * 140, "x" * 140),
        ("x" * 141, "x" * 139 + "…"),
        ("🎉" * 140, "🎉" * 140),
        ("smoke failed: `src/**`\n@ada \ud83c\x00", "smoke failed: `src/**` @ada"),
        ("", ""),
    ],
)
async def test_a_description_is_one_line_of_plain_text_that_fits(statuses, pull, title, description):
    for _ in range(2):
        await statuses.report(key_of(pull), a_report(pull, title=title))
    assert [words or "" for _, _, words in said(pull)] == [description]


async def test_a_closed_pull_request_keeps_its_statuses(statuses, pull):
    pull.close()
    await statuses.report(key_of(pull), a_report(pull))
    assert pull.statuses == {"mayfly/smoke": "failure"}


async def test_a_revision_that_github_does_not_know_is_refused(statuses, pull):
    with pytest.raises(Refused):
        await statuses.report(key_of(pull), a_report(pull, revision="f" * 40))
    assert pull.repo.statuses == []


async def test_the_thousandth_status_is_taken_and_the_next_refused(world, statuses, pull):
    one = a_report(pull, CheckStatus.QUEUED, "waiting")
    await statuses.report(key_of(pull), one)
    pull.repo.statuses.extend(pull.repo.statuses * 998)
    await statuses.report(key_of(pull), a_report(pull))
    assert len(said(pull)) == 1000
    with pytest.raises(Refused):
        await statuses.report(key_of(pull), one)
    assert len(said(pull)) == 1000


async def test_a_status_whose_answer_was_lost_is_there_once(world, pull):
    await world.although_lost(
        lambda _: Statuses(world.client(world.person)).report(key_of(pull), a_report(pull)),
        method="POST",
        path="statuses",
    )
    assert len(said(pull)) == 1


async def test_killed_anywhere_it_is_there_once_in_the_end(world):
    async def say(client, pull):
        await Statuses(client).report(key_of(pull), a_report(pull))

    for pull in await world.until_it_is_said(say):
        assert len(said(pull)) == 1


async def test_while_github_is_down_it_is_said_later(world, statuses, pull):
    world.github.down()
    with pytest.raises(Unavailable):
        await statuses.report(key_of(pull), a_report(pull))
    world.github.up()
    await statuses.report(key_of(pull), a_report(pull))
    assert pull.statuses == {"mayfly/smoke": "failure"}


async def test_the_repository_is_named_where_it_has_no_such_revision(world, pull):
    pull.repo.deleted = True
    pull.repo.state.drop(pull.repo)
    with pytest.raises(Refused, match=f"{REPO} has no revision {pull.head[:7]}"):
        await Statuses(world.client(world.person)).report(key_of(pull), a_report(pull))
