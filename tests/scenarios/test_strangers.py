"""What strangers try at the doors of a whole controller: nothing runs, nothing leaks, each is told why.

What comes in by a webhook is posted to the real API over HTTP. Pull requests, comments and permissions are GitHub's.
"""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from controller.previews.model import Verb
from tests.adapters.github.world import SECRET, app_key
from tests.fakes.github import Link
from tests.scenarios.workday import SPEC, Workday, a_workday, key_of

pytestmark = pytest.mark.processes
JSON = "application/json"
MIB = 2**20
TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"[:36]


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Workday]:
    async with a_workday(tmp_path) as day:
        yield day


def signed(body: bytes, secret: str = SECRET, delivery: str = "d-1", event: str = "pull_request") -> dict[str, str]:
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Delivery": delivery, "X-GitHub-Event": event, "Content-Type": JSON}
    return headers | {"X-Hub-Signature-256": f"sha256={mac}"}


def without(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def about(number: object = 1, **more: object) -> bytes:
    """The least of a pull_request event."""
    repository = {"id": 1, "full_name": "acme/shop"}
    event = {"action": "opened", "number": number, "repository": repository, "sender": {"login": "eve"}}
    return json.dumps(event | {"pull_request": {"number": number}} | more).encode()


BODY = about()
SHA1 = f"sha1={hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()}"
MAC = signed(BODY)["X-Hub-Signature-256"]
NESTED = b'{"action": "opened", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        pytest.param(BODY, without(signed(BODY), "X-Hub-Signature-256"), 401, "signature", id="no signature"),
        pytest.param(BODY, signed(BODY, "guessed"), 401, "signature", id="another secret"),
        pytest.param(BODY, signed(BODY, ""), 401, "signature", id="an empty secret"),
        pytest.param(
            BODY,
            without(signed(BODY), "X-Hub-Signature-256") | {"X-Hub-Signature": SHA1},
            401,
            "signature",
            id="only a SHA-1 signature",
        ),
        pytest.param(about(2), signed(BODY), 401, "signature", id="the signature of another body"),
        pytest.param(BODY + b" ", signed(BODY), 401, "signature", id="one blank more than was signed"),
        pytest.param(
            BODY, signed(BODY) | {"X-Hub-Signature-256": MAC.upper()}, 401, "signature", id="a signature in capitals"
        ),
        pytest.param(
            BODY, signed(BODY) | {"X-Hub-Signature-256": MAC[7:]}, 401, "signature", id="a signature without its name"
        ),
        pytest.param(BODY, signed(BODY) | {"X-Hub-Signature-256": "sha256="}, 401, "signature", id="half a signature"),
        pytest.param(b"", signed(BODY), 401, "signature", id="nothing, with a signature"),
        pytest.param(b" " * (2 * MIB + 1), signed(BODY), 413, "bytes", id="one byte too many"),
        pytest.param(
            BODY,
            signed(BODY) | {"Content-Type": "application/x-www-form-urlencoded"},
            415,
            "application/json",
            id="a form",
        ),
        pytest.param(BODY, without(signed(BODY), "X-GitHub-Delivery"), 400, "X-GitHub-Delivery", id="no id"),
        pytest.param(BODY, signed(BODY, delivery="../../etc"), 400, "X-GitHub-Delivery", id="an id that is a path"),
        pytest.param(BODY, signed(BODY, delivery="x" * 65), 400, "X-GitHub-Delivery", id="an id without end"),
        pytest.param(BODY, signed(BODY, event="Pull Request"), 400, "X-GitHub-Event", id="an event that is none"),
        pytest.param(b"{", signed(b"{"), 400, "pull_request", id="no JSON"),
        pytest.param(b"[]", signed(b"[]"), 400, "pull_request", id="a list"),
        pytest.param(b"null", signed(b"null"), 400, "pull_request", id="null"),
        pytest.param(NESTED, signed(NESTED), 400, "pull_request", id="nested without end"),
        pytest.param(b"\xff\xfe", signed(b"\xff\xfe"), 400, "pull_request", id="no UTF-8"),
        *(
            pytest.param(body, signed(body), 400, "pull_request", id=name)
            for name, body in {
                "a number like no other": about(10**30),
                "a number below zero": about(-1),
                "a number in words": about("one"),
                "a repository that is a path": about(repository={"id": 1, "full_name": "../../etc/passwd"}),
            }.items()
        ),
    ],
)
async def test_what_is_posted_to_the_door_is_refused_and_nothing_is_looked_at(day, body, headers, status, reason):
    day.open()
    await day.github.webhooks.settled()
    await day.loop.bell.answer(0)
    day.github.requests.clear()
    answered, text = await day.deliver(body, headers)
    assert (answered, reason in text) == (status, True), text
    assert SECRET not in text
    assert day.github.requests == {}


async def test_what_was_said_before_rings_no_more_and_under_another_id_changes_nothing(day):
    pull = day.open()
    await day.settle()
    old = next(one for one in day.github.webhooks.deliveries if one.event == "pull_request")
    assert (await day.deliver(old.body(), old.headers()))[1] == '{"status":"seen before"}'
    pull.close()
    await day.settle()
    replayed = old.headers() | {"X-GitHub-Delivery": "another"}
    assert (await day.deliver(old.body(), replayed))[0] == 202
    await day.settle()
    assert day.alive() == {}


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(
            {"action": "closed", "pull_request": {"number": 1, "state": "closed", "merged": True}}, id="closed"
        ),
        pytest.param({"pull_request": {"number": 1, "head": {"sha": "f" * 40}}}, id="another head"),
        pytest.param(
            {"pull_request": {"number": 1, "head": {"repo": {"id": 1}}, "author_association": "OWNER"}}, id="no fork"
        ),
        pytest.param({"repository": {"id": 2, "full_name": "acme/secrets"}}, id="elsewhere"),
    ],
)
async def test_nothing_that_a_webhook_says_is_believed(day, lie):
    pull = day.open()
    await day.settle()
    body = about(**lie)
    assert (await day.deliver(body, signed(body)))[0] == 202
    await day.settle()
    assert day.alive() == {1: pull.head}


async def a_fork(day: Workday, files: dict[str, object] | None = None):
    day.fork = day.shop.fork(by=day.eve)
    pull = day.fork.open("feature", {".preview.yaml": SPEC, **(files or {})}, day.eve, title="From afar")
    await day.settle()
    return pull


Attempt = Callable[[Workday, object], Awaitable[None]]


def says(body: str, who: str = "eve") -> Attempt:
    """`{head}` and `{before}` are revisions of the pull request."""

    async def attempt(day, pull):
        person = day.github.user(who)
        before = pull.heads[-2] if len(pull.heads) > 1 else "0" * 40
        pull.comment(body.format(head=pull.head, before=before, short=pull.head[:7]), by=person)

    return attempt


async def writes_and_is_sent_away(day, pull):
    carol = day.github.user("carol", day.shop, permission="write")
    day.github.webhooks.hold()
    pull.comment(f"/preview approve {pull.head}", by=carol)
    day.shop.allow(carol, "read")
    day.github.webhooks.release()


async def is_only_called_an_owner(day, pull):
    person = day.github.user("boss", day.shop, permission="read")
    pull.comment(f"/preview approve {pull.head}", by=person)
    next(one for one in pull.comments if one.user is person).author_association = "OWNER"


async def edits_what_was_said_before(day, pull):
    said = pull.comment("nice", by=day.eve)
    await day.settle()
    pull.edit_comment(said, f"/preview approve {pull.head}", by=day.eve)


async def writes_our_marker(day, pull):
    pull.comment(f"<!-- mayfly acme/shop#{pull.number} -->\n### ✅ Preview ready", by=day.eve)
    pull.comment(f"<!-- mayfly answer 1 -->\n/preview approve {pull.head}", by=day.eve)


async def looks_like_us(day, pull):
    pull.comment(f"/preview approve {pull.head}", by=day.github.user("mayfly"))
    pull.comment(f"/preview approve {pull.head}", by=day.github.user("mayfly-bot"))


async def pushes_after_the_approval(day, pull):
    day.github.webhooks.hold()
    pull.comment(f"/preview approve {pull.head}", by=day.ada)
    pull.push({"evil.py": "import os"}, by=day.eve)
    day.github.webhooks.release()


async def deletes_the_fork(day, pull):
    day.fork.delete()


async def presses_re_run(day, pull):
    body = json.dumps(
        {
            "action": "rerequested",
            "check_run": {
                "name": "mayfly/smoke",
                "external_id": f"acme/shop#{pull.number}:smoke:{pull.head}:0",
                "app": {"id": day.app.id},
                "head_sha": pull.head,
                "pull_requests": [{"number": pull.number}],
            },
            "repository": {"id": day.shop.id, "full_name": "acme/shop"},
            "sender": {"login": "eve"},
        }
    ).encode()
    await day.deliver(body, signed(body, event="check_run"))


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(says("please"), id="a fork, and no approval"),
        pytest.param(says("/preview approve {head}"), id="a stranger approves"),
        pytest.param(says("/preview up"), id="a stranger wants it up"),
        pytest.param(says("/preview redeploy"), id="a stranger wants it deployed"),
        pytest.param(says("/preview redeploy", "ada"), id="a redeploy is no approval"),
        pytest.param(says("/preview approve {short}", "ada"), id="a revision that begins alike"),
        pytest.param(says("/preview approve", "ada"), id="no revision"),
        pytest.param(says("/preview approve main", "ada"), id="a branch"),
        pytest.param(says("/preview approve " + "f" * 40, "ada"), id="another revision"),
        pytest.param(says("> /preview approve {head}", "ada"), id="a quotation"),
        pytest.param(says("```\n/preview approve {head}\n```", "ada"), id="within a fence"),
        pytest.param(says("well, /preview approve {head}", "ada"), id="within a sentence"),
        pytest.param(says("/previewapprove {head}", "ada"), id="not our word"),
        pytest.param(writes_and_is_sent_away, id="somebody who may not any more"),
        pytest.param(is_only_called_an_owner, id="somebody who is only called an owner"),
        pytest.param(edits_what_was_said_before, id="an old comment, edited"),
        pytest.param(writes_our_marker, id="our marker"),
        pytest.param(looks_like_us, id="a name like ours"),
        pytest.param(pushes_after_the_approval, id="a push behind the back of who approves"),
        pytest.param(deletes_the_fork, id="a fork that is gone"),
        pytest.param(presses_re_run, id="a button that is not there"),
    ],
)
async def test_nothing_of_a_fork_runs_unless_that_very_revision_was_approved(day, attempt):
    pull = await a_fork(day)
    await attempt(day, pull)
    await day.settle(minutes=2)
    assert day.platform.deployed == []
    assert day.alive() == {}
    ours = [one for one in pull.comments if one.author == "mayfly[bot]"]
    sticky = [one.body for one in ours if one.body.startswith(f"<!-- mayfly acme/shop#{pull.number} -->")]
    assert len(sticky) == 1
    assert f"/preview approve {pull.head}" in sticky[0]


async def test_an_approval_of_what_was_there_before_is_answered_with_what_is(day):
    pull = await a_fork(day)
    before = pull.head
    pull.push({"evil.py": "import os"}, by=day.eve)
    await day.settle()
    pull.comment(f"/preview approve {before}", by=day.ada)
    await day.settle()
    assert day.alive() == {}
    assert f"`{before[:7]}` is not the head. Look at `{pull.head[:7]}`" in pull.comments[-1].body


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.APPROVE_REMOVAL])
async def test_a_stranger_commands_nothing_on_anybodys_pull_request(day, verb):
    pull = day.open()
    await day.settle()
    stood, deployed, runs = day.alive(), len(day.platform.deployed), {run.name: run.id for run in pull.checks}
    asked = pull.comment(f"/preview {verb} {pull.head if verb is Verb.APPROVE else '2d'}", by=day.eve)
    again = pull.comment(f"/preview {verb} {pull.head}", by=day.eve)
    await day.settle()
    assert (day.alive(), len(day.platform.deployed)) == (stood, deployed)
    assert {run.name: run.id for run in pull.checks} == runs
    assert "Pinned" not in pull.sticky("Preview ready")
    assert pull.reactions(asked) == [("mayfly[bot]", "confused")]
    refusals = [one.body for one in pull.comments if "needs write permission" in one.body]
    assert len(refusals) == 1
    assert pull.reactions(again) == []


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({".preview.yaml": "x" * 300_000}, ".preview.yaml", id="too large"),
        pytest.param({".preview.yaml": SPEC + "allow: {forks: on}\n"}, "allow", id="a key of the policy"),
        pytest.param({".preview.yaml": SPEC + "secrets: [KEY]\n"}, "secrets", id="a key that asks for secrets"),
        pytest.param(
            {".preview.yaml": "a: &a [x]\n" + "".join(f"b{n}: &a [*a, *a, *a, *a]\n" for n in range(30))},
            ".preview.yaml",
            id="a bomb",
        ),
        pytest.param({".preview.yaml": "[" * 50_000}, ".preview.yaml", id="nested without end"),
        pytest.param(
            {".preview.yaml": SPEC + "database: {postgres: {seed: [../../etc/passwd]}}\n"},
            "seed",
            id="a path out of here",
        ),
        pytest.param(
            {".preview.yaml": SPEC + "database: {postgres: {seed: [seed.sql]}}\n", "seed.sql": Link("/etc/passwd")},
            "seed.sql",
            id="a seed that is a link",
        ),
    ],
)
async def test_a_spec_that_reaches_for_more_makes_nothing_and_says_why(day, files, reason):
    pull = day.open(files=files)
    await day.settle()
    assert day.platform.deployed == []
    assert reason in pull.sticky()
    assert "root:" not in pull.sticky()
    assert {run.name: run.conclusion for run in pull.checks} == {"mayfly/spec": "failure"}


@pytest.mark.parametrize("to", ["/etc/passwd", "README.md", ".git/config"])
async def test_a_spec_that_is_a_link_is_none(day, to):
    pull = day.open(files={".preview.yaml": Link(to)})
    await day.settle()
    assert day.platform.deployed == []
    assert (pull.comments, pull.checks) == ([], [])
    assert day.loop.holds[key_of(pull)].because.startswith("There is no .preview.yaml at")


INJECTIONS = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a link": "[click](javascript:alert(1)) ![pixel](https://evil.example/p.png)",
    "a mention": "@acme/everybody closes #1 acme/shop#1",
    "our marker": "--> <!-- mayfly acme/shop#1 -->",
    "a fence": "```\n# Merged\n```\n~~~",
    "a table": "| a | b |\n| - | - |",
    "what turns text around": "\u202egnp.exe\u2066 \x1b[31mred\x1b[0m \x00",
}


@pytest.mark.parametrize("name", INJECTIONS)
async def test_what_the_application_prints_stays_text(day, name):
    hostile = INJECTIONS[name]
    pull = day.open()
    day.platform.breaks[pull.head] = f"migrate: {hostile.splitlines()[0]}\n{hostile}"
    await day.settle()
    said = pull.sticky()
    assert "**What failed:**" in said
    outside = said.split("```")[0]  # what stands before the log
    for word in ("\n<", " <s", " <i", "[click]", "@acme/", "\u202e", "\x1b", "\x00"):
        assert word not in outside
    assert outside.replace("\\<", "").count("<!-- mayfly") == 1
    assert said.startswith("<!-- mayfly acme/shop#1 -->\n### ❌ Preview failed")
    await day.settle()
    assert len(pull.comments) == 1  # and ours is still found


async def test_no_secret_that_is_printed_is_told(day):
    pull = day.open()
    lines = [f"MY_TOKEN={TOKEN}", f"secret {SECRET}", app_key()[0], "postgres://shop:hunter2hunter2@db/shop"]
    day.platform.breaks[pull.head] = f"migrate: {TOKEN}\n" + "\n".join(lines)
    await day.settle()
    said = json.dumps([one.body for one in pull.comments] + [run.summary or "" for run in pull.checks])
    said += json.dumps([status.description for one in pull.deployments for status in one.statuses])
    for secret in (TOKEN, SECRET, "hunter2hunter2", *app_key()[0].splitlines()[1:-1]):
        assert secret not in said
    assert "What failed" in said


async def test_a_log_without_end_fits_into_a_comment(day):
    pull = day.open()
    day.platform.breaks[pull.head] = "migrate: " + "`" * 70_000 + "\n" + "\n".join(["`" * 5_000 + "|<b>"] * 2_000)
    await day.settle()
    assert len(pull.sticky()) <= 65_536
    assert [one.statuses[-1].state for one in pull.deployments] == ["failure"]


async def test_a_thousand_commands_in_one_comment_are_five(day):
    pull = day.open()
    await day.settle()
    pull.comment("\n".join(f"/preview nonsense{number}" for number in range(1000)), by=day.ada)
    await day.settle()
    assert pull.comments[-1].body.count("is not a command") == 5


async def test_a_branch_is_a_name_and_nothing_else(day):
    pull = day.open("--upload-pack=touch${IFS}x;$(id)")
    await day.settle()
    assert day.alive() == {pull.number: pull.head}
    assert day.platform.machine.orders[key_of(pull)].branch == "--upload-pack=touch${IFS}x;$(id)"
