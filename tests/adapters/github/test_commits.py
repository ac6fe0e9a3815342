"""What a commit of main is told: a status, a check run and a deployment, each once."""

from dataclasses import replace

import pytest

from controller.adapters.github.checks import Checks
from controller.adapters.github.client import Client, Nothing
from controller.adapters.github.commits import Commits
from controller.adapters.github.door import Door
from controller.adapters.github.wire import Wire
from controller.common.words import (
    CheckReport,
    CheckStatus,
    CommitReport,
    CommitState,
    CommitStatus,
    DeploymentReport,
    DeploymentState,
)
from controller.errors import Refused, Unavailable
from tests.adapters.github.speaking import REPO

pytestmark = pytest.mark.processes

PAGE = "http://mayfly.example/targets/production"
NAME = "mayfly/production"


@pytest.fixture
def commits(world):
    return ours(world)


def ours(world, client=None):
    """Of a controller that has just begun, as the App."""
    client = client or world.client()
    return Commits(client, Checks(client, world.app))


def a_report(revision, state=DeploymentState.SUCCESS, words="#7 is verified"):
    check = CheckReport(f"{NAME}/smoke", revision, CheckStatus.SUCCESS, "passed", "", f"production:{revision}:1")
    deployment = DeploymentReport("production", revision, state, "http://production.example", words, production=True)
    return CommitReport(revision, CommitStatus(NAME, CommitState.SUCCESS, words, PAGE), check, deployment)


def a_deployment(revision, state, words="a word"):
    return replace(a_report(revision, state, words), status=None, check=None)


def said(world, revision):
    """Names of the statuses, of the check runs, and the states of each deployment."""
    statuses = [one.context for one in world.shop.statuses if one.sha == revision]
    runs = [run.name for run in world.shop.check_runs.values() if run.head_sha == revision]
    return statuses, runs, states(world, revision)


def states(world, revision=""):
    deployments = [one for one in world.shop.deployments.values() if not revision or one.sha == revision]
    return [[status.state for status in one.statuses] for one in deployments]


def written(world):
    return sum(count for (method, _), count in world.github.requests.items() if method != "GET")


async def test_all_of_it_leads_to_the_dashboard_and_to_where_main_runs(world, commits):
    head = world.shop.head
    await commits.report(REPO, a_report(head))
    [status], [run], [deployment] = (
        world.shop.statuses,
        list(world.shop.check_runs.values()),
        list(world.shop.deployments.values()),
    )
    latest = deployment.statuses[-1]
    assert (status.target_url, run.details_url, latest.log_url) == (PAGE, PAGE, PAGE)
    assert latest.environment_url == "http://production.example"
    assert (deployment.environment, deployment.production, deployment.transient) == ("production", True, False)


async def test_nothing_is_written_where_it_stands_already(world, commits):
    head = world.shop.head
    await commits.report(REPO, a_report(head))
    before = written(world)
    await commits.report(REPO, a_report(head))
    await ours(world).report(REPO, a_report(head))
    assert written(world) == before


async def test_a_token_says_it_with_a_status_and_a_deployment(world):
    head = world.shop.head
    for _ in range(2):
        await Commits(world.client(world.person), None).report(REPO, a_report(head))
    assert said(world, head) == ([NAME], [], [["success"]])


@pytest.mark.parametrize(
    ("missing", "stands"),
    [
        ("statuses", ([], [f"{NAME}/smoke"], [["success"]])),
        ("checks", ([NAME], [], [["success"]])),
        ("deployments", ([NAME], [f"{NAME}/smoke"], [])),
    ],
)
async def test_a_permission_that_is_missing_costs_only_what_it_is_for(world, commits, missing, stands):
    for token in world.github.state.tokens.values():
        token.permissions = {name: level for name, level in token.permissions.items() if name != missing}
    with pytest.raises(Refused, match="does not let us"):
        await commits.report(REPO, a_report(world.shop.head))
    assert said(world, world.shop.head) == stands


async def test_a_secret_is_struck_out_of_all_three(world):
    secret = "hunter2-hunter2"
    client = Client(Door(Wire(world.github.api)), world.app, world.client()._fresh, secrets=(secret,))
    world.clients.append(client)
    head = world.shop.head
    report = a_report(head, words=f"cannot log in with {secret}")
    check = replace(report.check, title=f"sent {secret}", summary=f"`{secret}`")
    await ours(world, client).report(REPO, replace(report, check=check))
    [run] = world.shop.check_runs.values()
    texts = [world.shop.statuses[0].description, run.title, run.summary]
    texts += [one.statuses[0].description for one in world.shop.deployments.values()]
    assert len(texts) == 4
    assert all(text and secret not in text for text in texts)


async def test_the_next_release_takes_the_place_of_the_one_that_was_live(world, commits):
    first, second = world.shop.head, world.shop.push({"a.txt": "a"})
    for revision in (first, second):
        for state in (DeploymentState.IN_PROGRESS, DeploymentState.SUCCESS):
            await commits.report(REPO, a_deployment(revision, state))
    assert states(world) == [["in_progress", "success", "inactive"], ["in_progress", "success"]]


async def test_what_is_restored_is_a_new_deployment_and_the_bad_one_stays_failed(world, commits):
    good, bad = world.shop.head, world.shop.push({"a.txt": "a"})
    for revision, state in (
        (good, DeploymentState.SUCCESS),
        (bad, DeploymentState.SUCCESS),
        (bad, DeploymentState.FAILURE),
        (good, DeploymentState.IN_PROGRESS),
        (good, DeploymentState.SUCCESS),
    ):
        await commits.report(REPO, a_deployment(revision, state))
    assert states(world) == [["success", "inactive"], ["success", "failure"], ["in_progress", "success"]]


async def test_a_failure_that_is_told_late_changes_the_one_that_failed(world, commits):
    good, bad = world.shop.head, world.shop.push({"a.txt": "a"})
    for revision in (bad, good):
        await commits.report(REPO, a_deployment(revision, DeploymentState.SUCCESS))
    await commits.report(REPO, a_deployment(bad, DeploymentState.FAILURE))
    assert states(world) == [["success", "inactive", "failure"], ["success"]]


async def test_one_that_was_superseded_is_inactive_and_the_environment_stays(world, commits):
    first, second = world.shop.head, world.shop.push({"a.txt": "a"})
    await commits.report(REPO, a_deployment(first, DeploymentState.SUCCESS))
    await commits.report(REPO, a_deployment(second, DeploymentState.IN_PROGRESS))
    await commits.report(REPO, a_deployment(second, DeploymentState.INACTIVE))
    assert states(world) == [["success"], ["in_progress", "inactive"]]
    assert list(world.shop.environments) == ["production"]


async def test_one_that_is_over_is_not_ended_again(world, commits):
    first, second = world.shop.head, world.shop.push({"a.txt": "a"})
    for revision in (first, second):
        await commits.report(REPO, a_deployment(revision, DeploymentState.SUCCESS))
    before = written(world)
    await commits.report(REPO, a_deployment(first, DeploymentState.INACTIVE, "was live until 12:00"))
    assert (states(world), written(world)) == ([["success", "inactive"], ["success"]], before)


async def test_what_failed_long_ago_is_still_found(world, commits):
    bad = world.shop.head
    await commits.report(REPO, a_deployment(bad, DeploymentState.FAILURE))
    theirs = next(iter(world.shop.deployments.values()))
    for number in range(99):
        world.shop.deployments[90_000 + number] = replace(theirs, id=90_000 + number, sha="e" * 40, statuses=[])
    before = written(world)
    await commits.report(REPO, a_deployment(bad, DeploymentState.FAILURE))
    assert written(world) == before


async def test_what_never_was_deployed_does_not_end(world, commits):
    await commits.report(REPO, a_deployment(world.shop.head, DeploymentState.INACTIVE))
    assert (states(world), written(world)) == ([], 0)


async def test_another_tools_deployment_there_is_left_alone(world, commits):
    theirs = {"ref": world.shop.head, "environment": "production", "required_contexts": []}
    await world.client(world.person).send("POST", REPO, "deployments", theirs, Nothing, creates=True)
    await commits.report(REPO, a_deployment(world.shop.head, DeploymentState.SUCCESS))
    assert states(world) == [[], ["success"]]


async def test_killed_anywhere_each_is_there_once_in_the_end(world):
    """A first release is live; the second takes its place."""

    async def begin(client, pull):
        world.github.clock.advance(minutes=1)  # so many new things are too many for one
        await ours(world, client).report(REPO, of_its_own(pull, pull.repo.head, DeploymentState.SUCCESS))

    async def say(client, pull):
        await ours(world, client).report(REPO, of_its_own(pull, pull.head, DeploymentState.SUCCESS))

    pulls = await world.until_it_is_said(say, begin)
    assert len(pulls) > 8
    for pull in pulls:
        assert len(said(world, pull.head)[0]) == len(said(world, pull.head)[1]) == 1
        mine = [one for one in world.shop.deployments.values() if one.environment == f"at-{pull.number}"]
        assert [[status.state for status in one.statuses] for one in mine] == [["success", "inactive"], ["success"]]


def of_its_own(pull, revision, state):
    """Each pull request stands for a target."""
    report = a_report(revision, state)
    return replace(
        report,
        status=replace(report.status, context=f"mayfly/{pull.number}"),
        check=replace(report.check, name=f"mayfly/{pull.number}/smoke"),
        deployment=replace(report.deployment, environment=f"at-{pull.number}"),
    )


@pytest.mark.parametrize("path", ["/repos/acme/shop/statuses/", "/check-runs", "/deployments", "/deployments/"])
async def test_one_whose_answer_was_lost_is_there_once(world, path):
    head = world.shop.head
    await world.although_lost(lambda client: ours(world, client).report(REPO, a_report(head)), method="POST", path=path)
    assert said(world, head) == ([NAME], [f"{NAME}/smoke"], [["success"]])


async def test_while_github_is_down_it_is_said_later(world, commits):
    world.github.down()
    with pytest.raises(Unavailable):
        await commits.report(REPO, a_report(world.shop.head))
    world.github.up()
    await commits.report(REPO, a_report(world.shop.head))
    assert said(world, world.shop.head) == ([NAME], [f"{NAME}/smoke"], [["success"]])
