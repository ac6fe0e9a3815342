"""GitHub's record of a preview: one deployment for each time it is brought up, all of them inactive in the end."""

from dataclasses import replace

import pytest

from controller.adapters.github.checks import Checks
from controller.adapters.github.client import Nothing
from controller.adapters.github.deployment_api import Status, Words, says
from controller.adapters.github.deployments import Deployments
from controller.common.words import CheckReport, CheckStatus, DeploymentReport, DeploymentState
from controller.errors import Refused, Unavailable
from tests.adapters.github.speaking import REPO, a_page, key_of

pytestmark = pytest.mark.processes

READY = Words("success", "ready", "http://pr-1-web.example", "http://mayfly.example")


def a_status(**differs):
    said = {"state": "success", "description": "ready", "environment_url": READY.environment_url}
    return Status(id=1, **(said | {"log_url": READY.log_url} | differs))


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(a_status(), True, id="it says so already"),
        pytest.param(a_status(state="failure"), False, id="another state"),
        pytest.param(a_status(description="asleep"), False, id="other words"),
        pytest.param(a_status(description=None), False, id="no words"),
        pytest.param(a_status(environment_url=None), False, id="no link"),
        pytest.param(a_status(log_url=""), False, id="no log"),
    ],
)
def test_a_status_says_what_all_of_it_says(status, answer):
    assert says(status, READY) is answer


@pytest.fixture
def deployments(world):
    return Deployments(world.client(), a_page)


def a_report(pull, state=DeploymentState.SUCCESS, **differs):
    url = "" if state is DeploymentState.INACTIVE else f"http://pr-{pull.number}-web.example"
    name = f"preview/{pull.repo.full_name}/{pull.number}"
    return replace(DeploymentReport(name, pull.head, state, url, f"it is {state}"), **differs)


def states(pull):
    """Of each deployment, oldest first: every state it had."""
    return [[status.state for status in one.statuses] for one in pull.deployments]


def written(world):
    return sum(count for (method, _), count in world.github.requests.items() if method != "GET")


def may_delete(world):
    """From now on our App may administrate."""
    for token in world.github.state.tokens.values():
        token.permissions = token.permissions | {"administration": "write"}
    for installation in world.github.state.installations.values():
        installation.permissions = installation.permissions | {"administration": "write"}


async def test_a_revision_is_one_deployment_with_its_states(deployments, pull):
    for state in (DeploymentState.QUEUED, DeploymentState.IN_PROGRESS, DeploymentState.SUCCESS):
        await deployments.report(key_of(pull), a_report(pull, state))
    [deployment] = pull.deployments
    assert states(pull) == [["queued", "in_progress", "success"]]
    assert (deployment.sha, deployment.environment) == (pull.head, f"preview/acme/shop/{pull.number}")
    assert (deployment.transient, deployment.production) == (True, False)
    assert deployment.payload == {"preview": pull.key}
    last = deployment.statuses[-1]
    assert (last.environment_url, last.log_url) == (f"http://pr-{pull.number}-web.example", a_page(key_of(pull)))
    assert last.description == "it is success"


async def test_nothing_is_written_where_it_stands_already(world, deployments, pull):
    await deployments.report(key_of(pull), a_report(pull))
    before = written(world)
    await deployments.report(key_of(pull), a_report(pull))
    await Deployments(world.client(), a_page).report(key_of(pull), a_report(pull))
    assert written(world) == before


async def test_the_old_revision_serves_until_the_new_one_does(deployments, pull):
    await deployments.report(key_of(pull), a_report(pull))
    pull.push({"b.txt": "b"})
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.IN_PROGRESS))
    assert states(pull) == [["success"], ["in_progress"]]
    await deployments.report(key_of(pull), a_report(pull))
    assert states(pull) == [["success", "inactive"], ["in_progress", "success"]]


async def test_those_that_are_over_are_not_asked_for_again(world, deployments, pull):
    asked = ("GET", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses")
    for number in range(4):
        pull.push({"b.txt": str(number)})
        await deployments.report(key_of(pull), a_report(pull))
    before = world.github.requests[asked]
    await deployments.report(key_of(pull), a_report(pull, description="another word"))
    assert world.github.requests[asked] - before == 1


async def test_what_another_controller_told_since_is_found(world, deployments, pull):
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.QUEUED))
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.QUEUED))
    await Deployments(world.client(), a_page).report(key_of(pull), a_report(pull))
    await deployments.report(key_of(pull), a_report(pull))
    assert states(pull) == [["queued", "success"]]


async def test_what_another_controller_brought_up_ends_as_well(world, deployments, pull):
    for _ in range(2):
        await deployments.report(key_of(pull), a_report(pull, DeploymentState.QUEUED))
    pull.push({"b.txt": "b"})
    await Deployments(world.client()).report(key_of(pull), a_report(pull, DeploymentState.QUEUED))
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))
    assert states(pull) == [["queued", "inactive"], ["queued", "inactive"]]


async def test_another_tools_deployment_of_that_name_is_left_alone(world, deployments, pull):
    theirs = {"ref": pull.head, "environment": a_report(pull).environment, "required_contexts": []}
    await world.client(world.person).send("POST", REPO, "deployments", theirs, Nothing, creates=True)
    await deployments.report(key_of(pull), a_report(pull))
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))
    assert states(pull) == [[], ["success", "inactive"]]


async def test_a_check_that_failed_hinders_no_deployment(world, deployments, pull):
    failed = CheckReport("mayfly/smoke", pull.head, CheckStatus.FAILURE, "failed", "", "1")
    await Checks(world.client(), world.app).report(key_of(pull), failed)
    await deployments.report(key_of(pull), a_report(pull))
    assert states(pull) == [["success"]]


async def test_a_branch_that_is_behind_is_deployed_as_it_is(world, deployments, pull):
    world.shop.push({"main.txt": "moved on"})
    head = pull.head
    await deployments.report(key_of(pull), a_report(pull))
    assert (states(pull), pull.head) == ([["success"]], head)


async def test_a_forks_revision_is_deployed(world, deployments):
    fork = world.shop.fork(world.github.user("eve"))
    pull = fork.open("theirs", {"b.txt": "b"})
    await deployments.report(key_of(pull), a_report(pull))
    assert states(pull) == [["success"]]


async def test_in_the_end_every_deployment_is_inactive(deployments, pull):
    await deployments.report(key_of(pull), a_report(pull))
    pull.push({"b.txt": "b"})
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.FAILURE))
    pull.close()
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.INACTIVE, description="removed: closed"))
    assert states(pull) == [["success", "inactive"], ["failure", "inactive"]]
    assert {one.statuses[-1].description for one in pull.deployments} == {"removed: closed"}


async def test_what_never_was_does_not_end(world, deployments, pull):
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))
    assert (pull.deployments, written(world)) == ([], 0)


async def test_one_without_any_status_ends_as_well(world, pull):
    client = world.client()
    world.github.faults.fail(502, times=1, method="POST", path="statuses")
    with pytest.raises(Unavailable):
        await Deployments(client).report(key_of(pull), a_report(pull, DeploymentState.QUEUED))
    await Deployments(client).report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))
    assert states(pull) == [["inactive"]]


async def test_a_preview_that_comes_back_is_a_new_deployment(deployments, pull):
    await deployments.report(key_of(pull), a_report(pull))
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.QUEUED))
    await deployments.report(key_of(pull), a_report(pull))
    assert states(pull) == [["success", "inactive"], ["queued", "success"]]


async def test_each_pull_request_has_its_own_environment(world, deployments):
    one, other = world.pull("one"), world.pull("other")
    await deployments.report(key_of(one), a_report(one))
    await deployments.report(key_of(other), a_report(other))
    await deployments.report(key_of(one), a_report(one, DeploymentState.INACTIVE))
    assert (states(one), states(other)) == ([["success", "inactive"]], [["success"]])


async def test_the_environment_is_deleted_where_we_may(world, deployments, pull):
    may_delete(world)
    await deployments.report(key_of(pull), a_report(pull))
    assert list(pull.repo.environments) == [f"preview/acme/shop/{pull.number}"]
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))
    await deployments.report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))
    assert list(pull.repo.environments) == []


async def test_the_environment_stays_where_we_may_not_and_is_not_tried_again(world, deployments):
    for branch in ("one", "other"):
        pull = world.pull(branch)
        await deployments.report(key_of(pull), a_report(pull))
        await deployments.report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))
        assert states(pull) == [["success", "inactive"]]
    assert len(world.shop.environments) == 2
    assert sum(count for (method, _), count in world.github.requests.items() if method == "DELETE") == 1


@pytest.mark.parametrize(("length", "taken"), [(255, True), (256, False)])
async def test_the_name_of_an_environment_has_a_limit(deployments, pull, length, taken):
    report = a_report(pull, environment="e" * length)
    if taken:
        await deployments.report(key_of(pull), report)
    else:
        with pytest.raises(Refused, match="at most 255 characters"):
            await deployments.report(key_of(pull), report)
    assert len(pull.deployments) == taken


@pytest.mark.parametrize(
    ("words", "becomes"),
    [("é" * 140, "é" * 140), ("é" * 141, "é" * 139 + "…"), ("src/**\nb\x00\ud83c", "src/** b")],
)
async def test_a_description_is_one_line_that_fits(deployments, pull, words, becomes):
    for _ in range(2):
        await deployments.report(key_of(pull), a_report(pull, description=words))
    assert [[status.description for status in one.statuses] for one in pull.deployments] == [[becomes]]


async def test_a_revision_that_github_does_not_know_is_refused(deployments, pull):
    with pytest.raises(Refused):
        await deployments.report(key_of(pull), a_report(pull, revision="f" * 40))
    assert pull.repo.deployments == {}


@pytest.mark.parametrize("path", ["deployments", "statuses"])
async def test_a_deployment_whose_answer_was_lost_is_there_once(world, pull, path):
    await world.although_lost(
        lambda client: Deployments(client).report(key_of(pull), a_report(pull)), method="POST", path=path
    )
    assert states(pull) == [["success"]]


async def test_an_end_whose_answer_was_lost_is_told_once(world, pull):
    may_delete(world)
    await Deployments(world.client()).report(key_of(pull), a_report(pull))
    await world.although_lost(
        lambda client: Deployments(client).report(key_of(pull), a_report(pull, DeploymentState.INACTIVE)),
        method="DELETE",
        path="environments",
    )
    assert (states(pull), list(pull.repo.environments)) == ([["success", "inactive"]], [])


async def test_killed_anywhere_a_deployment_is_there_once_in_the_end(world):
    async def say(client, pull):
        await Deployments(client).report(key_of(pull), a_report(pull))

    pulls = await world.until_it_is_said(say)
    assert [states(pull) for pull in pulls] == [[["success"]]] * len(pulls)


async def test_killed_anywhere_the_new_one_takes_the_place_of_the_old_ones_in_the_end(world):
    async def begin(client, pull):
        for text in ("b", "c"):
            await Deployments(client).report(key_of(pull), a_report(pull, DeploymentState.FAILURE))
            pull.push({"b.txt": f"{text} {pull.number}"})

    async def say(client, pull):
        await Deployments(client).report(key_of(pull), a_report(pull))

    pulls = await world.until_it_is_said(say, begin)
    old = ["failure", "inactive"]
    assert [states(pull) for pull in pulls] == [[old, old, ["success"]]] * len(pulls)


async def test_killed_anywhere_it_ends_once_in_the_end(world):
    may_delete(world)

    async def begin(client, pull):
        await Deployments(client).report(key_of(pull), a_report(pull))

    async def say(client, pull):
        await Deployments(client).report(key_of(pull), a_report(pull, DeploymentState.INACTIVE))

    pulls = await world.until_it_is_said(say, begin)
    assert [states(pull) for pull in pulls] == [[["success", "inactive"]]] * len(pulls)
    assert world.shop.environments == {}


async def test_while_github_is_down_it_is_told_later(world, deployments, pull):
    world.github.down()
    with pytest.raises(Unavailable):
        await deployments.report(key_of(pull), a_report(pull))
    world.github.up()
    await deployments.report(key_of(pull), a_report(pull))
    assert states(pull) == [["success"]]
