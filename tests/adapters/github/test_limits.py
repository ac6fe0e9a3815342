"""Every limit of GitHub, at it and one past it: what GitHub says there, and what we do.

| one past            | Mayfly                                                            |
| ------------------- | ----------------------------------------------------------------- |
| what is written     | cuts it, or splits it, or refuses it with a reason                |
| what is read        | takes the next page, or says that it does not know                |
| how much is asked   | waits until the very moment GitHub names, and asks nothing before |
| how long a key lasts | has the next one already, or asks for it at once                 |

A test of a limit is made by `at`, which names it; a name in `limits` without any fails the last test.
"""

import asyncio
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.adapters.github import door, inbox, limits
from controller.adapters.github.checks import Checks
from controller.adapters.github.client import Nothing
from controller.adapters.github.commits import Commits
from controller.adapters.github.deployments import Deployments
from controller.adapters.github.door import Door
from controller.adapters.github.files import Files
from controller.adapters.github.key import AppKey
from controller.adapters.github.markers import sticky
from controller.adapters.github.statuses import Statuses
from controller.adapters.github.thread import Thread
from controller.adapters.github.wire import Request, Wire
from controller.common import markdown
from controller.common.words import (
    Annotation,
    CheckReport,
    CheckStatus,
    CommitReport,
    CommitState,
    CommitStatus,
    DeploymentReport,
    DeploymentState,
)
from controller.errors import Refused, Unavailable
from tests.adapters.github.speaking import REPO, key_of
from tests.adapters.github.world import APP, app_key
from tests.fakes.github.things import Status
from tests.scenarios.workday import a_workday

pytestmark = pytest.mark.processes

TESTED: set[str] = set()
PAST = [pytest.param(0, id="at"), pytest.param(1, id="past")]


def at(*names: str):
    """The test is given `past`: 0, and then 1."""
    TESTED.update(names)
    return pytest.mark.parametrize("past", PAST)


# What is written: GitHub's side of it


ANNOTATION = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m"}


def a_check(head, **output):
    return "check-runs", {"name": "x", "head_sha": head, "output": {"title": "t", "summary": "s"} | output}


def a_deployment(head, **more):
    return "deployments", {"ref": head, "auto_merge": False, "required_contexts": []} | more


WRITTEN = {
    "COMMENT": lambda head, count: ("issues/1/comments", {"body": "b" * count}),
    "OUTPUT": lambda head, count: a_check(head, summary="s" * count),
    "ANNOTATIONS": lambda head, count: a_check(head, annotations=[ANNOTATION] * count),
    "ANNOTATION_TITLE": lambda head, count: a_check(head, annotations=[ANNOTATION | {"title": "t" * count}]),
    "ANNOTATION_MESSAGE": lambda head, count: a_check(head, annotations=[ANNOTATION | {"message": "m" * count}]),
    "DEPLOYMENT_DESCRIPTION": lambda head, count: a_deployment(head, description="d" * count),
    "ENVIRONMENT": lambda head, count: a_deployment(head, environment="e" * count),
    "STATUS_CONTEXT": lambda head, count: (f"statuses/{head}", {"state": "pending", "context": "c" * count}),
    "STATUS_DESCRIPTION": lambda head, count: (f"statuses/{head}", {"state": "pending", "description": "d" * count}),
}


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("past", PAST)
async def test_github_takes_so_much_and_no_more(world, pull, name, past):
    path, body = WRITTEN[name](pull.head, getattr(limits, name) + past)
    sent = world.client().send("POST", REPO, path, body, Nothing, creates=True)
    if past:
        with pytest.raises(Refused, match="GitHub refuses POST"):
            await sent
        world.github.problems.clear()
    else:
        await sent


# What is written: ours


def a_report(pull, **more):
    report = CheckReport("mayfly/smoke", pull.head, CheckStatus.FAILURE, "failed", "summary", f"{pull.key}:smoke:1")
    return replace(report, **more)


def an_annotation(**more):
    return replace(Annotation("app.py", 1, "login", "500"), **more)


async def checked(world, pull, **report):
    await Checks(world.client(), world.app).report(key_of(pull), a_report(pull, **report))


async def deployed(world, pull, **report):
    report = {"environment": "pr-1", "description": "ready"} | report
    made = DeploymentReport(revision=pull.head, state=DeploymentState.SUCCESS, url="http://pr-1.test", **report)
    await Deployments(world.client()).report(key_of(pull), made)


async def told(world, pull, **report):
    checks = Checks(world.client(), world.app)
    await Commits(world.client(), checks).report(REPO, CommitReport(pull.head, **report))


def a_status(**more):
    return replace(CommitStatus("mayfly/production", CommitState.SUCCESS, "verified"), **more)


async def refused_if(past, saying, words):
    if past:
        with pytest.raises(Refused, match=words):
            await saying
    else:
        await saying


@at("COMMENT")
async def test_a_comment(world, pull, past):
    """With its marker. Whoever writes it knows how long it may be, so this refuses only what is a bug."""
    key = key_of(pull)
    body = "é" * (limits.COMMENT - len(f"{sticky(key)}\n") + past)
    await refused_if(past, Thread(world.client(), world.app).say(key, body), "at most 65,536 characters")
    assert [len(comment.body) for comment in pull.comments] == ([] if past else [limits.COMMENT])


@at("OUTPUT")
async def test_a_summary(world, pull, past):
    summary = "é" * (limits.OUTPUT + past)
    await refused_if(past, checked(world, pull, summary=summary), "at most 65,535 characters")
    assert [run.summary for run in pull.checks] == ([] if past else [summary])


def test_whoever_writes_them_cuts_them_there():
    assert (markdown.COMMENT_LIMIT, markdown.SUMMARY_LIMIT) == (limits.COMMENT, limits.OUTPUT)


@at("ANNOTATIONS")
async def test_annotations_of_a_request(world, pull, past):
    count = limits.ANNOTATIONS + past
    await checked(world, pull, annotations=tuple(an_annotation(line=line + 1) for line in range(count)))
    [run] = pull.checks
    assert [one["start_line"] for one in run.annotations] == list(range(1, count + 1))
    assert sum(number for (method, _), number in world.github.requests.items() if method != "GET") == 1 + past


@at("ANNOTATION_TITLE")
async def test_the_title_of_an_annotation(world, pull, past):
    most = limits.ANNOTATION_TITLE
    await checked(world, pull, annotations=(an_annotation(title="é" * (most + past)),))
    assert pull.checks[0].annotations[0]["title"] == ("é" * (most - 1) + "…" if past else "é" * most)


@at("ANNOTATION_MESSAGE")
async def test_the_message_of_an_annotation(world, pull, past):
    """Bytes, and no half of a character."""
    message = "m" * past + "é" * (limits.ANNOTATION_MESSAGE // 2)
    await checked(world, pull, annotations=(an_annotation(message=message),))
    assert pull.checks[0].annotations[0]["message"] == message[: len(message) - past]


@at("DEPLOYMENT_DESCRIPTION")
async def test_the_description_of_a_deployment(world, pull, past):
    most = limits.DEPLOYMENT_DESCRIPTION
    await deployed(world, pull, description="é" * (most + past))
    assert pull.deployments[0].statuses[-1].description == ("é" * (most - 1) + "…" if past else "é" * most)


@at("ENVIRONMENT")
async def test_the_name_of_an_environment(world, pull, past):
    name = "e" * (limits.ENVIRONMENT + past)
    await refused_if(past, deployed(world, pull, environment=name), "at most 255 characters")
    assert list(world.shop.environments) == ([] if past else [name])


@at("STATUS_DESCRIPTION")
async def test_the_description_of_a_status(world, pull, past):
    most = limits.STATUS_DESCRIPTION
    await Statuses(world.client(world.person)).report(key_of(pull), a_report(pull, title="é" * (most + past)))
    assert world.shop.statuses[-1].description == ("é" * (most - 1) + "…" if past else "é" * most)


@at("STATUS_CONTEXT")
async def test_the_name_of_a_status(world, pull, past):
    name = "c" * (limits.STATUS_CONTEXT + past)
    await refused_if(past, told(world, pull, status=a_status(context=name)), "at most 255 characters")
    assert [status.context for status in world.shop.statuses] == ([] if past else [name])


@pytest.mark.parametrize("past", PAST)
async def test_the_descriptions_of_a_target(world, pull, past):
    most = limits.STATUS_DESCRIPTION
    words = "é" * (most + past)
    deployment = DeploymentReport("production", pull.head, DeploymentState.SUCCESS, "http://x.test", words)
    await told(world, pull, status=a_status(description=words), deployment=deployment)
    cut = "é" * (most - 1) + "…" if past else words
    assert [status.description for status in world.shop.statuses] == [cut]
    assert [status.description for status in pull.deployments[0].statuses] == [cut]


@pytest.mark.parametrize("past", PAST)
async def test_the_name_of_a_targets_environment(world, pull, past):
    name = "e" * (limits.ENVIRONMENT + past)
    deployment = DeploymentReport(name, pull.head, DeploymentState.SUCCESS, "http://x.test", "live")
    await refused_if(past, told(world, pull, deployment=deployment), "at most 255 characters")
    assert list(world.shop.environments) == ([] if past else [name])


@at("STATUSES")
async def test_statuses_of_a_revision_and_context(world, pull, past):
    before = limits.STATUSES - 1 + past
    pending = Status(1, pull.head, "pending", "mayfly/smoke", "waits", None, pull.author, pull.created_at)
    world.shop.statuses += [replace(pending, id=number) for number in range(before)]
    saying = Statuses(world.client(world.person)).report(key_of(pull), a_report(pull))
    await refused_if(past, saying, "maximum number of statuses")
    assert len(world.shop.statuses) == limits.STATUSES


# What is read


@at("PAGE")
async def test_a_page_of_a_list(place, forge, past):
    pull = place.shop.open("feature")
    said = [pull.comment(f"number {number}") for number in range(limits.PAGE + past)]
    asked = ("GET", "/issues/{issue_number}/comments")
    assert [int(comment.id) for comment in await forge.comments(key_of(pull))] == said
    assert place.asked()[asked] == (4 if past else 1), "two pages are read until two readings agree"


@at("CHANGED_FILES")
async def test_the_files_of_a_pull_request(place, forge, past):
    """Where as many as that are listed, there may be more: none counts as all of them."""
    count = limits.CHANGED_FILES - 1 + past
    pull = place.shop.open("feature", {f"{number}.txt": "" for number in range(count)})
    paths = await forge.changed_paths(await forge.pull(key_of(pull)))
    assert paths is None if past else len(paths) == count


@pytest.mark.parametrize("past", PAST)
async def test_the_entries_of_a_folder(world, past):
    """GitHub lists 100,000, and says so where there are more; here it lists three."""
    world.github.state.biggest_tree = 3
    head = world.shop.push({f"docs/{number}.txt": "x" for number in range(3 + past)})
    reading = Files(world.client()).read(REPO, head, "docs/0.txt", 10)
    if past:
        with pytest.raises(Unavailable, match="did not list a whole folder"):
            await reading
    else:
        assert await reading == b"x"


@at("PAYLOAD")
async def test_a_webhook(tmp_path, past):
    """We take a tenth of what GitHub would send, and never read the rest."""
    assert inbox.MAX_BODY < limits.PAYLOAD
    async with a_workday(tmp_path) as day:
        payload = {"repository": {"id": 1, "full_name": REPO}, "pull_request": {"number": 1}}
        body = json.dumps(payload).encode().ljust(inbox.MAX_BODY + past)
        mac = hmac.new(b"it rings, and nothing more", body, hashlib.sha256).hexdigest()
        named = {"X-GitHub-Delivery": "d-1", "X-GitHub-Event": "pull_request", "Content-Type": "application/json"}
        status, _ = await day.deliver(body, named | {"X-Hub-Signature-256": f"sha256={mac}"})
    assert status == (413 if past else 202)


# How much is asked


def clocked(world):
    """A controller that has just begun, by GitHub's clock; its token is that of all others, and lasts."""
    world.github.state.token(world.app.value).expires = None
    client = world.client()
    client._door.clock = world.github.clock.now
    return client


def elsewhere(world, count, *, every=timedelta(), creates=False, points=0):
    """Others who use the same account ask so much."""
    purse = world.github.state.token(world.app.value).purse
    for _ in range(count):
        world.github.limits.check(purse, creates=creates, points=points)
        world.github.clock.advance(seconds=every.total_seconds())


async def says_or_waits(world, pull, past, wait):
    """One past, nothing more is asked until the moment that GitHub named; then it is said."""
    thread, key, github = Thread(clocked(world), world.app), key_of(pull), world.github
    if not past:
        await thread.say(key, "hello")
        assert (github.limits.refused, len(pull.comments)) == (0, 1)
        return
    with pytest.raises(Unavailable, match="secondary rate limit") as caught:
        await thread.say(key, "hello")
    assert wait - timedelta(seconds=5) < caught.value.retry_after <= wait + timedelta(seconds=1)
    github.clock.advance(seconds=caught.value.retry_after.total_seconds() - 2)
    with pytest.raises(Unavailable):
        await thread.say(key, "hello")
    assert (github.limits.refused, pull.comments) == (1, [])
    github.clock.advance(seconds=2)
    await thread.say(key, "hello")
    assert (github.limits.refused, len(pull.comments)) == (1, 1)


@at("CREATED_PER_MINUTE")
async def test_things_created_in_a_minute(world, pull, past):
    elsewhere(world, limits.CREATED_PER_MINUTE - 1 + past, creates=True)
    await says_or_waits(world, pull, past, timedelta(minutes=1))


@at("CREATED_PER_HOUR")
async def test_things_created_in_an_hour(world, pull, past):
    count, every = limits.CREATED_PER_HOUR - 1 + past, timedelta(seconds=2)
    elsewhere(world, count, every=every, creates=True)
    await says_or_waits(world, pull, past, timedelta(hours=1) - count * every)


@at("POINTS_PER_MINUTE")
async def test_points_of_a_minute(world, pull, past):
    """To look at what stands there is one, and to write it five."""
    elsewhere(world, 1, points=limits.POINTS_PER_MINUTE - 6 + past)
    await says_or_waits(world, pull, past, timedelta(minutes=1))


@at("AT_ONCE")
async def test_requests_under_way(world, past):
    """Far fewer than GitHub takes: one more of ours waits for the first that is answered."""
    assert door.UNDER_WAY < limits.AT_ONCE
    world.github.faults.slow(0.2)
    client, most = world.client(), 0
    asked = [
        asyncio.create_task(client.get(REPO, f"pulls/{world.pull(f'b-{number}').number}", Nothing))
        for number in range(door.UNDER_WAY + past)
    ]
    while not all(task.done() for task in asked):
        most = max(most, world.github.server.under_way)
        await asyncio.sleep(0.01)
    await asyncio.gather(*asked)
    assert most == door.UNDER_WAY


@at("SECONDARY_WAIT")
async def test_a_secondary_limit_that_names_no_time(world, past):
    """We wait a minute, and one that comes again makes it two."""
    world.github.limits.says_when = False
    client, waits = clocked(world), []
    for _ in range(1 + past):
        world.github.limits.secondary(times=1)
        with pytest.raises(Unavailable) as caught:
            await client.get(REPO, "", Nothing)
        waits.append(caught.value.retry_after)
        world.github.clock.advance(seconds=waits[-1].total_seconds())
    assert waits == [limits.SECONDARY_WAIT, 2 * limits.SECONDARY_WAIT][: 1 + past]
    await client.get(REPO, "", Nothing)


# How long a key lasts


@at("TOKEN_LIFE")
async def test_a_token(place, past):
    """Ours stands still, so that only GitHub knows that it ended: the next one is asked for at once."""
    async with place.forge() as forge:
        forge._client._door.clock = door.now_utc
        await forge.open_pulls(place.shop.full_name)
        place.github.clock.advance(seconds=limits.TOKEN_LIFE.total_seconds() - 5 + 5 * past)
        assert await forge.open_pulls(place.shop.full_name) == ()
    granted = [token for token in place.github.state.tokens.values() if token.installation is not None]
    assert len(granted) == 1 + past


@at("JWT_LIFE")
async def test_an_apps_own_word(place, past):
    """A minute is to spare for clocks that disagree; ours that is further ahead makes it last too long for GitHub."""
    ahead = timedelta(minutes=1) + past * timedelta(seconds=30)
    key, wire = AppKey(APP, app_key()[0]), Wire(place.github.api)
    answer = await Door(wire).ask("app", Request("GET", "app", token=key.word(place.github.clock.now() + ahead)))
    await wire.close()
    assert answer.status == (401 if past else 200)


def test_every_limit_is_tested_at_it_and_one_past_it():
    assert {name for name in vars(limits) if name.isupper()} == TESTED
    assert set(WRITTEN) <= TESTED
