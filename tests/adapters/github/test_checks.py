"""A suite's check run: one of each order, with every annotation once, whatever happens on the way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from controller.adapters.github.checks import Checks, Output, Run, Step, content, is_later, next_step
from controller.common.words import Annotation, CheckReport, CheckStatus
from controller.errors import Refused, Unavailable
from tests.adapters.github.speaking import REPO, a_page, key_of

pytestmark = pytest.mark.processes

BEGAN = datetime(2026, 1, 2, 13, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))


def a_report(pull=None, status=CheckStatus.FAILURE, annotations=0, order=1, **more):
    """Of the pull request's head."""
    head = pull.head if pull is not None else "a" * 40
    report = CheckReport(
        name="mayfly/smoke",
        revision=head,
        status=status,
        title="smoke failed: login",
        summary="| check | result |",
        external_id=f"{pull.key if pull is not None else REPO}:smoke:{head}:{order}",
        annotations=tuple(
            Annotation("shop/app.py", line + 1, "login", f"number {line}") for line in range(annotations)
        ),
        started_at=BEGAN,
        completed_at=BEGAN + timedelta(seconds=3),
    )
    return replace(report, **more)


def a_run(status="completed", conclusion="failure", annotations=0, **output):
    said = {"title": "smoke failed: login", "summary": "| check | result |", "annotations_count": annotations} | output
    return Run(id=1, status=status, conclusion=conclusion, external_id=a_report().external_id, output=Output(**said))


WAITS = {"status": "queued", "conclusion": None}
RUNS = {"status": "in_progress", "conclusion": None}


@pytest.mark.parametrize(
    ("run", "report", "step"),
    [
        pytest.param(None, a_report(), Step.NEW, id="there is none"),
        pytest.param(a_run(), a_report(), Step.NOTHING, id="it says so already"),
        pytest.param(a_run(annotations=51), a_report(annotations=51), Step.NOTHING, id="with its annotations"),
        pytest.param(a_run(**WAITS), a_report(status=CheckStatus.QUEUED), Step.NOTHING, id="it waits, as it should"),
        pytest.param(a_run(**WAITS), a_report(status=CheckStatus.IN_PROGRESS), Step.UPDATE, id="it begins"),
        pytest.param(a_run(**WAITS), a_report(), Step.UPDATE, id="a step may be skipped"),
        pytest.param(a_run(**RUNS), a_report(), Step.UPDATE, id="it ends"),
        pytest.param(a_run(**RUNS), a_report(status=CheckStatus.QUEUED), Step.UPDATE, id="it waits again"),
        pytest.param(a_run(conclusion="success"), a_report(), Step.UPDATE, id="another verdict"),
        pytest.param(a_run(title="other"), a_report(), Step.UPDATE, id="another title"),
        pytest.param(a_run(summary="other"), a_report(), Step.UPDATE, id="another summary"),
        pytest.param(a_run(summary=" | check | result |\r\n"), a_report(), Step.NOTHING, id="blanks are no words"),
        pytest.param(a_run(annotations=50), a_report(annotations=51), Step.UPDATE, id="one annotation is missing"),
        pytest.param(a_run(annotations=2), a_report(annotations=1), Step.NEW, id="one annotation too many"),
        pytest.param(a_run(annotations=1, title="x"), a_report(annotations=1), Step.NEW, id="annotations of others"),
        pytest.param(a_run(), a_report(status=CheckStatus.QUEUED), Step.NEW, id="what is over does not wait again"),
        pytest.param(a_run(), a_report(status=CheckStatus.IN_PROGRESS), Step.NEW, id="nor run"),
    ],
)
def test_what_is_done_depends_on_what_stands_there(run, report, step):
    assert next_step(run, report, len(report.annotations)) is step


@pytest.mark.parametrize(
    ("there", "ours", "later"),
    [
        ("acme/shop#7:smoke:abc:2", "acme/shop#7:smoke:abc:1", True),
        ("acme/shop#7:smoke:abc:10", "acme/shop#7:smoke:abc:9", True),
        ("acme/shop#7:smoke:abc:1", "acme/shop#7:smoke:abc:1", False),
        ("acme/shop#7:smoke:abc:1", "acme/shop#7:smoke:abc:2", False),
        ("acme/shop#8:smoke:abc:2", "acme/shop#7:smoke:abc:1", False),
        ("acme/shop#7:spec:abc", "acme/shop#7:spec:abd", False),
        ("", "", False),
        ("²", "1", False),
        (":²", ":1", False),
    ],
)
def test_a_later_order_is_told_from_everything_else(there, ours, later):
    assert is_later(there, ours) is later


def test_an_end_is_told_only_with_a_conclusion():
    assert {"conclusion", "completed_at"} <= content(a_report(), [], "").keys()
    assert not {"conclusion", "completed_at"} & content(a_report(status=CheckStatus.IN_PROGRESS), [], "").keys()


@pytest.fixture
def checks(world):
    return Checks(world.client(), world.app, a_page)


def runs(pull):
    """Every check run of the head, oldest first."""
    return [run for run in pull.repo.check_runs.values() if run.head_sha == pull.head]


def written(world):
    return sum(count for (method, _), count in world.github.requests.items() if method != "GET")


async def test_a_check_waits_runs_and_ends_in_one_run(checks, pull):
    ends = {"started_at": None, "completed_at": None}
    await checks.report(key_of(pull), a_report(pull, CheckStatus.QUEUED, title="waiting", summary="", **ends))
    [run] = runs(pull)
    assert (run.status, run.conclusion, run.title, run.summary) == ("queued", None, "waiting", "waiting")
    await checks.report(key_of(pull), a_report(pull, CheckStatus.IN_PROGRESS, title="running", completed_at=None))
    [run] = runs(pull)
    assert (run.status, run.conclusion, run.title) == ("in_progress", None, "running")
    await checks.report(key_of(pull), a_report(pull, annotations=1))
    [run] = runs(pull)
    assert (run.status, run.conclusion, run.title) == ("completed", "failure", "smoke failed: login")
    assert (run.started_at, run.completed_at) == ("2026-01-02T12:00:00Z", "2026-01-02T12:00:03Z")
    assert (run.external_id, run.details_url) == (a_report(pull).external_id, a_page(key_of(pull)))


@pytest.mark.parametrize(
    ("status", "conclusion"),
    [
        (CheckStatus.SUCCESS, "success"),
        (CheckStatus.FAILURE, "failure"),
        (CheckStatus.ACTION_REQUIRED, "action_required"),
        (CheckStatus.NEUTRAL, "neutral"),
    ],
)
async def test_the_outcome_is_the_conclusion(checks, pull, status, conclusion):
    await checks.report(key_of(pull), a_report(pull, status))
    assert [(run.status, run.conclusion) for run in runs(pull)] == [("completed", conclusion)]


@pytest.mark.parametrize("count", [0, 1, 50, 51, 120])
async def test_every_annotation_is_there_once(world, checks, pull, count):
    report = a_report(pull, annotations=count)
    await checks.report(key_of(pull), report)
    [run] = runs(pull)
    assert [one["message"] for one in run.annotations] == [f"number {line}" for line in range(count)]
    before = written(world)
    await Checks(world.client(), world.app, a_page).report(key_of(pull), report)
    assert written(world) == before


async def test_what_is_over_begins_anew_in_a_run_of_its_own(checks, pull):
    blocked = a_report(pull, CheckStatus.ACTION_REQUIRED, title="not run: the preview did not start")
    await checks.report(key_of(pull), blocked)
    await checks.report(key_of(pull), a_report(pull, CheckStatus.IN_PROGRESS))
    await checks.report(key_of(pull), a_report(pull, annotations=2))
    assert [(run.conclusion, len(run.annotations)) for run in runs(pull)] == [("action_required", 0), ("failure", 2)]


async def test_a_new_order_is_a_new_run(checks, pull):
    await checks.report(key_of(pull), a_report(pull, CheckStatus.IN_PROGRESS, order=1))
    await checks.report(key_of(pull), a_report(pull, CheckStatus.QUEUED, order=2))
    assert [run.status for run in runs(pull)] == ["in_progress", "queued"]


async def test_what_comes_late_does_not_come_after_what_is_newer(world, checks, pull):
    await checks.report(key_of(pull), a_report(pull, CheckStatus.IN_PROGRESS, order=1))
    await checks.report(key_of(pull), a_report(pull, CheckStatus.IN_PROGRESS, order=1))
    await Checks(world.client(), world.app).report(key_of(pull), a_report(pull, CheckStatus.SUCCESS, order=2))
    await checks.report(key_of(pull), a_report(pull, CheckStatus.FAILURE, order=1))
    assert [run.conclusion for run in runs(pull)] == [None, "success"]


async def test_two_pull_requests_of_one_commit_keep_their_own_runs(world, checks, pull):
    other = world.shop.open(pull.branch, title="the same again")
    for status in (CheckStatus.IN_PROGRESS, CheckStatus.SUCCESS):
        await checks.report(key_of(pull), a_report(pull, status))
        await checks.report(key_of(other), a_report(other, status))
    assert [(run.external_id, run.conclusion) for run in runs(pull)] == [
        (a_report(pull).external_id, "success"),
        (a_report(other).external_id, "success"),
    ]


async def test_our_name_is_ours_whatever_its_case(world, checks, pull):
    await checks.report(key_of(pull), a_report(pull))
    shouting = replace(world.app, name="MAYFLY[bot]")
    await Checks(world.client(shouting), shouting, a_page).report(key_of(pull), a_report(pull))
    assert len(runs(pull)) == 1


async def test_each_suite_has_its_own(checks, pull):
    await checks.report(key_of(pull), a_report(pull, name="mayfly/smoke"))
    await checks.report(key_of(pull), a_report(pull, name="mayfly/e2e"))
    await checks.report(key_of(pull), a_report(pull, CheckStatus.SUCCESS, name="mayfly/smoke"))
    assert {run.name: run.conclusion for run in runs(pull)} == {"mayfly/smoke": "success", "mayfly/e2e": "failure"}


async def test_another_apps_run_of_our_name_is_not_ours(world, checks, pull):
    other = world.github.app(18, "key", slug="mayflies")
    installation = world.github.install(other, world.shop)
    token = world.github.state.new_token(installation, installation.permissions, [world.shop])
    theirs = replace(world.app, value=token.value, name="mayflies[bot]")
    await Checks(world.client(theirs), theirs).report(key_of(pull), a_report(pull, order=9))
    await checks.report(key_of(pull), a_report(pull, CheckStatus.SUCCESS))
    assert [(run.suite.app.slug, run.conclusion) for run in runs(pull)] == [
        ("mayflies", "failure"),
        ("mayfly", "success"),
    ]


async def test_a_closed_pull_request_keeps_its_checks(checks, pull):
    pull.close()
    await checks.report(key_of(pull), a_report(pull))
    assert [run.conclusion for run in runs(pull)] == ["failure"]


async def test_a_summary_as_long_as_github_takes_is_said_and_one_longer_refused(world, checks, pull):
    await checks.report(key_of(pull), a_report(pull, summary="é" * 65_535))
    assert [run.summary for run in runs(pull)] == ["é" * 65_535]
    asked = world.github.requests.total()
    with pytest.raises(Refused, match="at most 65,535 characters; this one has 65,536"):
        await checks.report(key_of(pull), a_report(pull, summary="é" * 65_536))
    assert world.github.requests.total() == asked


async def test_what_json_does_not_know_is_left_out(checks, pull):
    annotation = Annotation("/shop/\x00app.py", -5, "🎉\ud83c", "\x1b[31m\x00")
    await checks.report(key_of(pull), a_report(pull, title="a\ud83cb\x00", annotations=0, summary="\x00"))
    await checks.report(key_of(pull), replace(a_report(pull, title="a\ud83cb\x00"), annotations=(annotation,)))
    [run] = runs(pull)
    assert (run.title, [(one["path"], one["title"], one["message"]) for one in run.annotations]) == (
        "ab",
        [("shop/app.py", "🎉", "failed")],
    )


async def test_a_revision_that_github_does_not_know_is_refused(checks, pull):
    with pytest.raises(Refused):
        await checks.report(key_of(pull), a_report(pull, revision="f" * 40))
    assert runs(pull) == []


@pytest.mark.parametrize(("method", "annotations"), [("POST", 0), ("POST", 51), ("PATCH", 51), ("PATCH", 120)])
async def test_a_check_whose_answer_was_lost_is_there_once(world, pull, method, annotations):
    await world.although_lost(
        lambda client: Checks(client, world.app).report(key_of(pull), a_report(pull, annotations=annotations)),
        method=method,
        path="check-runs",
    )
    [run] = runs(pull)
    assert [one["message"] for one in run.annotations] == [f"number {line}" for line in range(annotations)]


async def test_killed_anywhere_it_is_there_once_in_the_end(world):
    async def say(client, pull):
        checks = Checks(client, world.app)
        await checks.report(key_of(pull), a_report(pull, CheckStatus.IN_PROGRESS, completed_at=None))
        await checks.report(key_of(pull), a_report(pull, annotations=120))

    for pull in await world.until_it_is_said(say):
        [run] = pull.checks
        assert (run.status, run.conclusion) == ("completed", "failure")
        assert [one["message"] for one in run.annotations] == [f"number {line}" for line in range(120)]


async def test_while_github_is_down_it_is_said_later(world, checks, pull):
    world.github.down()
    with pytest.raises(Unavailable):
        await checks.report(key_of(pull), a_report(pull))
    world.github.up()
    await checks.report(key_of(pull), a_report(pull))
    assert [run.conclusion for run in runs(pull)] == ["failure"]


async def test_without_a_start_or_an_end_github_knows_its_own(checks, pull):
    await checks.report(key_of(pull), a_report(pull, started_at=None, completed_at=None))
    [run] = runs(pull)
    assert datetime.fromisoformat(run.started_at).tzinfo == UTC
    assert run.completed_at is not None


async def test_a_token_may_not_write_checks(world, pull):
    with pytest.raises(Refused):
        await Checks(world.client(world.person), world.person).report(key_of(pull), a_report(pull))
    assert runs(pull) == []
