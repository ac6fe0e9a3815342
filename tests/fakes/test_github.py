"""The fake GitHub behaves as GitHub does, wherever somebody here relies on it."""

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.github import FakeGitHub, Link, Pull, Submodule
from tests.fakes.github.people import PERMISSIONS, App, Installation
from tests.fakes.github.repositories import Repository

pytestmark = pytest.mark.processes


@cache
def key_pair() -> tuple[str, str]:
    """Private, public."""
    key = rsa.generate_private_key(65537, 2048)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def app_token(app: int = 7, *, begins: float = -10, ends: float = 540, key: str = "") -> str:
    """Seconds from now."""
    now = int(time.time())
    claims = {"iss": str(app), "iat": int(now + begins), "exp": int(now + ends)}
    return jwt.encode(claims, key or key_pair()[0], algorithm="RS256")


@dataclass
class Said:
    status: int
    body: Any
    headers: Mapping[str, str]
    links: dict[str, str]


@dataclass
class Asker:
    """Asks with one token; `repo` is what paths that do not begin with `/` are below."""

    session: aiohttp.ClientSession
    root: str
    token: str = ""
    repo: str = "acme/shop"

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        below = f"/repos/{self.repo}" + (f"/{path}" if path else "")
        url = path if path.startswith("http") else self.root + (path if path.startswith("/") else below)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        how = {"json": body} if body is not None else {}
        async with self.session.request(method, url, headers=given, allow_redirects=False, **how) as response:
            text = await response.text()
            links = {name: str(link["url"]) for name, link in response.links.items()}
            parsed = json.loads(text) if text and response.content_type == "application/json" else text
            return Said(response.status, parsed, response.headers, links)


@dataclass
class Scene:
    github: FakeGitHub
    shop: Repository
    ask: Asker
    """As the App, installed at the shop."""
    app: App
    installation: Installation

    def as_(self, token: str) -> Asker:
        return Asker(self.ask.session, self.ask.root, token)

    def as_person(self, login: str, permission: str = "") -> Asker:
        repositories = [self.shop] if permission else []
        return self.as_(self.github.token(self.github.user(login, *repositories, permission=permission)))

    def as_installation(self, *repositories: Repository, **permissions: str) -> Asker:
        installed = self.github.install(self.app, *(repositories or [self.shop]), permissions=permissions)
        return self.as_(self.github.state.new_token(installed, permissions, []).value)

    async def deploy(self, pull: Pull, environment: str = "pr-1", **more: Any) -> int:
        body = {"ref": pull.head, "environment": environment, "required_contexts": [], "auto_merge": False} | more
        made = await self.ask("POST", "deployments", body)
        assert made.status == 201, made.body
        return int(made.body["id"])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with FakeGitHub(tmp_path / "github") as github, aiohttp.ClientSession() as session:
        shop = github.repository("acme/shop", {"README.md": "shop\n"})
        app = github.app(7, key_pair()[1])
        installation = github.install(app, shop)
        token = github.state.new_token(installation, installation.permissions, [])
        yield Scene(github, shop, Asker(session, github.api, token.value), app, installation)


@asynccontextmanager
async def a_listener() -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    heard: list[tuple[dict[str, str], bytes]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.read()))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/", hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", heard
    finally:
        await runner.cleanup()


# Who may.


async def test_an_app_comes_in_with_its_own_token_and_gets_one_for_an_hour(scene: Scene) -> None:
    app = scene.as_(app_token())
    (installation,) = (await app("GET", "/app/installations")).body
    made = await app("POST", f"/app/installations/{installation['id']}/access_tokens")
    assert made.status == 201
    assert made.body["permissions"] == {"metadata": "read"} | PERMISSIONS
    ask = scene.as_(made.body["token"])
    listed = await ask("GET", "/installation/repositories")
    assert [repo["full_name"] for repo in listed.body["repositories"]] == ["acme/shop"]
    scene.github.clock.advance(minutes=61)
    assert (await ask("GET", "")).status == 401


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(lambda: app_token(ends=700), "too far in the future", id="one that lives too long"),
        pytest.param(lambda: app_token(begins=-600, ends=-5), "'exp'", id="one that has expired"),
        pytest.param(lambda: app_token(begins=60), "'iat'", id="one from the future"),
        pytest.param(lambda: app_token()[:-6] + "AAAAAA", "decoded", id="one with another signature"),
    ],
)
async def test_an_apps_token_is_refused(scene: Scene, made: Callable[[], str], why: str) -> None:
    answer = await scene.as_(made())("GET", "/app")
    assert answer.status == 401
    assert why in answer.body["message"]


async def test_an_app_that_is_suspended_or_uninstalled_may_do_nothing(scene: Scene) -> None:
    scene.github.suspend(scene.installation)
    assert (await scene.ask("GET", "")).status == 403
    path = f"/app/installations/{scene.installation.id}/access_tokens"
    assert (await scene.as_(app_token())("POST", path)).status == 403
    scene.github.unsuspend(scene.installation)
    assert (await scene.ask("GET", "")).status == 200
    scene.github.uninstall(scene.installation)
    assert (await scene.ask("GET", "")).status == 401
    assert (await scene.as_(app_token())("POST", path)).status == 404


async def test_what_a_token_may_not_see_is_not_there(scene: Scene) -> None:
    scene.github.repository("acme/secret", private=True)
    asked = [scene.ask, scene.as_person("eve"), scene.as_(""), scene.as_person("ada", "write")]
    assert [(await ask("GET", "/repos/acme/secret")).status for ask in asked] == [404] * 4
    assert (await scene.as_("nonsense")("GET", "/repos/acme/secret")).status == 401


async def test_what_an_app_was_not_granted_it_may_not_do(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    ask = scene.as_installation(metadata="read", pull_requests="read", checks="read")
    assert (await ask("GET", "pulls/1")).status == 200
    assert (await ask("POST", "issues/1/comments", {"body": "hello"})).status == 403
    assert (await ask("POST", "check-runs", {"name": "x", "head_sha": pull.head})).status == 403
    assert (await ask("GET", f"git/trees/{pull.head}")).status == 403


async def test_permissions_of_people_come_in_a_coarse_word_and_a_fine_one(scene: Scene) -> None:
    for role in ("read", "triage", "write", "maintain", "admin"):
        scene.github.user(role, scene.shop, permission=role)
    scene.github.user("eve")
    found = {}
    for login in ("read", "triage", "write", "maintain", "admin", "eve", "nobody"):
        said = await scene.ask("GET", f"collaborators/{login}/permission")
        found[login] = (said.status, said.body.get("permission"), said.body.get("role_name"))
    assert found == {
        "read": (200, "read", "read"),
        "triage": (200, "read", "triage"),
        "write": (200, "write", "write"),
        "maintain": (200, "write", "maintain"),
        "admin": (200, "admin", "admin"),
        "eve": (200, "read", "read"),
        "nobody": (404, None, None),
    }


# Pull requests.


async def test_a_pull_request_is_seen_as_it_is(scene: Scene) -> None:
    ada = scene.github.user("ada", scene.shop)
    pull = scene.shop.open("feature", {"a.txt": "1\n2\n"}, ada, title="Add a", draft=True, labels=("ui",))
    before = pull.head
    pull.push({"b.txt": "3\n", "README.md": None})
    said = (await scene.ask("GET", "pulls/1")).body
    assert (said["title"], said["draft"], said["state"], said["merged"]) == ("Add a", True, "open", False)
    assert (said["head"]["sha"], said["commits"], said["changed_files"]) == (pull.head, 2, 3)
    assert said["mergeable_state"] == "draft"
    files = (await scene.ask("GET", "pulls/1/files")).body
    assert {one["filename"]: one["status"] for one in files} == {
        "a.txt": "added",
        "b.txt": "added",
        "README.md": "removed",
    }
    pull.force_push({"a.txt": "1\n"})
    assert pull.heads == [before, pull.heads[1], pull.head]
    pull.ready()
    sha = pull.merge()
    said = (await scene.ask("GET", "pulls/1")).body
    assert (said["state"], said["merged"], said["merge_commit_sha"]) == ("closed", True, sha)
    assert scene.shop.head == sha
    assert (await scene.ask("GET", "pulls")).body == []
    assert (await scene.ask("GET", "pulls/2")).status == 404


async def test_a_fork_has_another_repository_and_later_none(scene: Scene) -> None:
    fork = scene.shop.fork(scene.github.user("eve"))
    pull = fork.open("evil", {"x.txt": "x\n"})
    head = (await scene.ask("GET", "pulls/1")).body["head"]
    assert (head["label"], head["repo"]["id"], head["sha"]) == ("eve:evil", fork.id, pull.head)
    pull.push({"x.txt": "y\n"})
    assert (await scene.ask("GET", f"git/trees/{pull.head}")).status == 200
    fork.delete()
    (listed,) = (await scene.ask("GET", "pulls")).body
    assert (listed["head"]["repo"], listed["head"]["sha"]) == (None, pull.head)


async def test_people_open_close_and_merge_over_the_api(scene: Scene) -> None:
    ask = scene.as_person("ada", "write")
    scene.shop.push({"a.txt": "1\n"}, "feature")
    body = {"title": "Add a", "head": "feature", "base": "main"}
    made = await ask("POST", "pulls", body)
    assert (made.status, made.body["number"], made.body["user"]["login"]) == (201, 1, "ada")
    assert (await ask("POST", "pulls", body)).status == 422
    assert (await ask("POST", "pulls", body | {"head": "nothing"})).status == 422
    assert (await ask("PATCH", "pulls/1", {"state": "closed"})).body["state"] == "closed"
    assert (await ask("PATCH", "pulls/1", {"state": "open"})).body["state"] == "open"
    assert (await scene.as_person("eve")("PATCH", "pulls/1", {"state": "closed"})).status == 403
    assert (await ask("PUT", "pulls/1/merge", {"sha": "0" * 40})).status == 409
    assert (await ask("PUT", "pulls/1/merge", {})).body["merged"]
    assert (await ask("PUT", "pulls/1/merge", {})).status == 405


async def test_what_conflicts_is_not_merged(scene: Scene) -> None:
    scene.shop.open("feature", {"README.md": "mine\n"})
    scene.shop.push({"README.md": "theirs\n"})
    assert (await scene.as_person("ada", "write")("PUT", "pulls/1/merge", {})).status == 405
    assert scene.shop.pulls[1].open


async def test_long_lists_come_in_pages_and_quickly(scene: Scene) -> None:
    scene.shop.open_many(1000)
    numbers, url, begun = [], "pulls?per_page=100", time.monotonic()
    while url:
        page = await scene.ask("GET", url)
        numbers += [pull["number"] for pull in page.body]
        url = page.links.get("next", "")
    assert time.monotonic() - begun < 5, "it takes a fifth of a second on a quiet machine"
    assert numbers == list(range(1000, 0, -1))
    assert set(page.links) == {"first", "prev"}
    assert "per_page=100" in page.links["first"]
    assert scene.github.requests["GET", "/repos/{owner}/{repo}/pulls"] == 10


async def test_what_has_not_changed_costs_nothing(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    first = await scene.ask("GET", "pulls/1")
    assert first.headers["ETag"].startswith('W/"')
    again = await scene.ask("GET", "pulls/1", If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, "")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
    assert again.headers["ETag"] == first.headers["ETag"]
    pull.comment("hello")
    changed = await scene.ask("GET", "pulls/1", If_None_Match=first.headers["ETag"])
    assert (changed.status, changed.body["comments"]) == (200, 1)


async def test_a_renamed_repository_is_found_under_its_number(scene: Scene) -> None:
    scene.shop.open("feature")
    scene.shop.rename("acme/store")
    moved = await scene.ask("GET", "pulls/1?x=1")
    assert moved.status == 301
    assert moved.headers["Location"] == f"{scene.github.api}/repositories/{scene.shop.id}/pulls/1?x=1"
    found = await scene.ask("GET", moved.headers["Location"].partition("?")[0])
    assert found.body["base"]["repo"]["full_name"] == "acme/store"


async def test_trees_tell_links_and_submodules_from_files(scene: Scene) -> None:
    sha = scene.shop.push({"dir/a.txt": "a\n", "link": Link("/etc/passwd"), "module": Submodule("1" * 40)})
    tree = (await scene.ask("GET", f"git/trees/{sha}?recursive=1")).body["tree"]
    modes = {one["path"]: (one["mode"], one["type"]) for one in tree}
    assert modes == {
        "README.md": ("100644", "blob"),
        "dir": ("040000", "tree"),
        "dir/a.txt": ("100644", "blob"),
        "link": ("120000", "blob"),
        "module": ("160000", "commit"),
    }
    scene.github.state.biggest_tree = 4
    cut = (await scene.ask("GET", f"git/trees/{sha}?recursive=1")).body
    assert (cut["truncated"], len(cut["tree"])) == (True, 4)
    blob = next(one["sha"] for one in tree if one["path"] == "dir/a.txt")
    assert (await scene.ask("GET", f"git/blobs/{blob}")).body["content"] == "YQo=\n"
    assert (await scene.ask("GET", f"git/blobs/{'0' * 40}")).status == 404


# Comments.


async def test_comments_are_made_edited_and_deleted(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    made = (await scene.ask("POST", "issues/1/comments", {"body": "one"})).body
    assert (made["user"]["login"], made["user"]["type"]) == ("mayfly[bot]", "Bot")
    assert made["performed_via_github_app"]["id"] == 7
    scene.github.clock.advance(seconds=5)
    edited = (await scene.ask("PATCH", f"issues/comments/{made['id']}", {"body": "two"})).body
    assert edited["updated_at"] > edited["created_at"] == made["created_at"]
    assert pull.sticky() == "two"
    assert [one["body"] for one in (await scene.ask("GET", "issues/1/comments")).body] == ["two"]
    later = (await scene.ask("GET", f"issues/comments?since={edited['updated_at']}")).body
    assert [one["id"] for one in later] == [made["id"]]
    assert (await scene.as_person("eve")("DELETE", f"issues/comments/{made['id']}")).status == 403
    assert (await scene.ask("DELETE", f"issues/comments/{made['id']}")).status == 204
    assert (await scene.ask("GET", f"issues/comments/{made['id']}")).status == 404
    assert pull.sticky() is None


@pytest.mark.parametrize(("length", "status"), [(65_536, 201), (65_537, 422)])
async def test_a_comment_has_a_longest(scene: Scene, length: int, status: int) -> None:
    scene.shop.open("feature")
    assert (await scene.ask("POST", "issues/1/comments", {"body": "é" * length})).status == status


async def test_a_locked_conversation_is_for_those_who_may_write(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    comment = pull.comment("hello")
    pull.lock()
    askers = [scene.ask, scene.as_person("eve"), scene.as_person("ada", "write")]
    assert [(await ask("POST", "issues/1/comments", {"body": "x"})).status for ask in askers] == [403, 403, 201]
    assert (await scene.ask("POST", f"issues/comments/{comment}/reactions", {"content": "eyes"})).status == 403


async def test_a_reaction_is_made_once(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    path = f"issues/comments/{pull.comment('hello')}/reactions"
    first = await scene.ask("POST", path, {"content": "eyes"})
    again = await scene.ask("POST", path, {"content": "eyes"})
    assert (first.status, again.status) == (201, 200)
    assert first.body["id"] == again.body["id"]
    assert pull.reactions(pull.comments[0].id) == [("mayfly[bot]", "eyes")]


# Checks and statuses.


async def test_check_runs_grow_by_updates(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    note = {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "wrong"}
    body = {"name": "smoke", "head_sha": pull.head, "status": "in_progress", "external_id": "x1"}
    made = (await scene.ask("POST", "check-runs", body)).body
    assert (made["status"], made["conclusion"], made["output"]["annotations_count"]) == ("in_progress", None, 0)
    output = {"title": "Failed", "summary": "one is wrong", "annotations": [note] * 50}
    await scene.ask("PATCH", f"check-runs/{made['id']}", {"conclusion": "failure", "output": output})
    done = (await scene.ask("PATCH", f"check-runs/{made['id']}", {"output": output | {"annotations": [note]}})).body
    assert (done["status"], done["conclusion"], done["output"]["annotations_count"]) == ("completed", "failure", 51)
    notes = await scene.ask("GET", f"check-runs/{made['id']}/annotations?per_page=50")
    assert (len(notes.body), "next" in notes.links) == (50, True)
    suite = (await scene.ask("GET", f"check-suites/{made['check_suite']['id']}")).body
    assert (suite["head_sha"], suite["conclusion"]) == (pull.head, "failure")


async def test_the_latest_of_each_name_counts(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    for name in ("smoke", "unit", "smoke"):
        await scene.ask("POST", "check-runs", {"name": name, "head_sha": pull.head})
    path = f"commits/{pull.head}/check-runs"
    latest = (await scene.ask("GET", path)).body
    assert (latest["total_count"], sorted(run["name"] for run in latest["check_runs"])) == (2, ["smoke", "unit"])
    assert (await scene.ask("GET", f"{path}?filter=all")).body["total_count"] == 3
    assert (await scene.ask("GET", f"{path}?filter=all&check_name=smoke&app_id=7")).body["total_count"] == 2
    assert (await scene.ask("GET", f"{path}?app_id=8")).body["total_count"] == 0


async def test_checks_are_for_apps_and_each_for_its_own(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    body = {"name": "smoke", "head_sha": pull.head}
    assert (await scene.as_person("ada", "admin")("POST", "check-runs", body)).status == 403
    made = (await scene.ask("POST", "check-runs", body)).body
    other = scene.github.install(scene.github.app(8, key_pair()[1], "other"), scene.shop)
    ask = scene.as_(scene.github.state.new_token(other, other.permissions, []).value)
    assert (await ask("PATCH", f"check-runs/{made['id']}", {"status": "queued"})).status == 403
    assert (await scene.ask("POST", "check-runs", body | {"head_sha": "1" * 40})).status == 422


NOTE = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "x"}


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"output": {"title": "x", "summary": "s" * 65_536}}, id="a summary too long"),
        pytest.param({"output": {"title": "x", "summary": "s", "text": "t" * 65_536}}, id="a text too long"),
        pytest.param({"output": {"title": "x", "summary": "s", "annotations": [NOTE] * 51}}, id="annotations too many"),
        pytest.param({"conclusion": "passed"}, id="a conclusion that there is not"),
        pytest.param({"sumary": "x"}, id="a field that there is not"),
    ],
)
async def test_a_request_that_is_not_as_described_is_the_askers_bug(scene: Scene, wrong: dict[str, Any]) -> None:
    pull = scene.shop.open("feature")
    said = await scene.ask("POST", "check-runs", {"name": "smoke", "head_sha": pull.head} | wrong)
    assert said.status == 422
    assert pull.checks == []
    assert scene.github.problems
    scene.github.problems.clear()


async def test_leaving_raises_what_was_not_as_described(tmp_path: Path) -> None:
    async def visit() -> None:
        async with FakeGitHub(tmp_path) as github, aiohttp.ClientSession() as session:
            github.repository("acme/shop")
            await Asker(session, github.api)("GET", "pulls?page_size=5")

    with pytest.raises(AssertionError, match="no such parameter"):
        await visit()


async def test_commit_statuses_are_told_by_context(scene: Scene) -> None:
    fork = scene.shop.fork(scene.github.user("eve"))
    pull = fork.open("evil")
    ask = scene.as_person("ada", "write")
    for state in ("pending", "success"):
        assert (await ask("POST", f"statuses/{pull.head}", {"state": state, "context": "mayfly"})).status == 201
    assert pull.statuses == {"mayfly": "success"}
    listed = (await ask("GET", f"commits/{pull.head}/statuses")).body
    assert [one["state"] for one in listed] == ["success", "pending"]
    long = {"state": "success", "description": "d" * 141}
    assert (await ask("POST", f"statuses/{pull.head}", long)).status == 422
    unknown = await ask("POST", f"statuses/{'1' * 40}", {"state": "success"})
    assert (unknown.status, unknown.body["message"]) == (422, f"No commit found for SHA: {'1' * 40}")
    assert (await scene.as_person("eve")("POST", f"statuses/{pull.head}", {"state": "success"})).status == 403


# Deployments.


async def test_a_deployment_retires_the_ones_before(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    first, second = await scene.deploy(pull), await scene.deploy(pull)
    other = await scene.deploy(pull, "pr-2")
    passing = await scene.deploy(pull, transient_environment=True)
    for number in (first, other, passing, second):
        await scene.ask("POST", f"deployments/{number}/statuses", {"state": "success", "environment_url": "https://x"})
    assert {one.id: one.state for one in pull.deployments} == {
        first: "inactive",
        second: "success",
        other: "success",
        passing: "success",
    }
    listed = (await scene.ask("GET", "deployments?environment=pr-1")).body
    assert [one["id"] for one in listed] == [passing, second, first]
    statuses = (await scene.ask("GET", f"deployments/{first}/statuses")).body
    assert [one["state"] for one in statuses] == ["inactive", "success"]


async def test_a_deployment_waits_for_statuses_unless_it_says_otherwise(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    await scene.ask("POST", f"statuses/{pull.head}", {"state": "pending"})
    assert (await scene.ask("POST", "deployments", {"ref": pull.head})).status == 409
    assert (await scene.ask("POST", "deployments", {"ref": "nothing"})).status == 422
    await scene.ask("POST", f"statuses/{pull.head}", {"state": "success"})
    assert (await scene.ask("POST", "deployments", {"ref": pull.head})).status == 201
    scene.shop.push({"new.txt": "new\n"})
    behind = await scene.ask("POST", "deployments", {"ref": "feature", "required_contexts": []})
    assert (behind.status, len(pull.heads)) == (202, 2)


async def test_only_what_is_inactive_can_be_deleted_and_an_environment_only_by_its_keepers(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    one, _ = await scene.deploy(pull), await scene.deploy(pull)
    assert (await scene.ask("DELETE", f"deployments/{one}")).status == 422
    await scene.ask("POST", f"deployments/{one}/statuses", {"state": "inactive"})
    assert (await scene.ask("DELETE", f"deployments/{one}")).status == 204
    assert (await scene.ask("DELETE", "environments/pr-1")).status == 403
    assert list(scene.shop.environments) == ["pr-1"]
    keeper = scene.as_installation(administration="write", actions="read")
    assert (await keeper("GET", "environments/pr-1")).body["name"] == "pr-1"
    assert (await keeper("DELETE", "environments/pr-1")).status == 204
    assert (await keeper("GET", "environments/pr-1")).status == 404


@pytest.mark.parametrize(("length", "status"), [(140, 201), (141, 422)])
async def test_a_deployments_words_are_few(scene: Scene, length: int, status: int) -> None:
    pull = scene.shop.open("feature")
    number = await scene.deploy(pull)
    said = await scene.ask("POST", f"deployments/{number}/statuses", {"state": "queued", "description": "d" * length})
    assert said.status == status


# Limits, and what goes wrong.


async def test_a_quota_is_used_up_and_comes_back(scene: Scene) -> None:
    scene.github.limits.limit = 2
    answers = [await scene.ask("GET", "") for _ in range(3)]
    assert [one.status for one in answers] == [200, 200, 403]
    assert [one.headers["X-RateLimit-Remaining"] for one in answers] == ["1", "0", "0"]
    assert (await scene.as_person("ada")("GET", "")).status == 200
    assert (await scene.ask("GET", "/rate_limit")).status == 200
    scene.github.clock.advance(minutes=59)
    assert (await scene.ask("GET", "")).status == 403
    scene.github.clock.advance(minutes=2)
    token = scene.github.state.new_token(scene.installation, scene.installation.permissions, [])
    assert (await scene.as_(token.value)("GET", "")).status == 200


async def test_content_is_not_made_faster_than_eighty_a_minute(scene: Scene) -> None:
    scene.shop.open("feature")
    made = [await scene.ask("POST", "issues/1/comments", {"body": "x"}) for _ in range(81)]
    assert [one.status for one in made] == [201] * 80 + [403]
    assert "secondary rate limit" in made[-1].body["message"]
    assert 50 < int(made[-1].headers["Retry-After"]) <= 61
    assert (await scene.ask("GET", "")).status == 200
    scene.github.clock.advance(seconds=61)
    assert (await scene.ask("POST", "issues/1/comments", {"body": "x"})).status == 201


async def test_points_are_spent_by_the_minute(scene: Scene) -> None:
    scene.shop.open("feature")
    scene.github.limits.points_per_minute = 12
    methods = ["GET", "POST", "GET", "POST"]
    paths = {"GET": ("pulls/1", None), "POST": ("issues/1/comments", {"body": "x"})}
    assert [(await scene.ask(method, *paths[method])).status for method in methods] == [200, 201, 200, 201]
    assert (await scene.ask("GET", "")).status == 403


async def test_a_secondary_limit_can_come_without_a_time(scene: Scene) -> None:
    scene.github.limits.status, scene.github.limits.says_when = 429, False
    scene.github.limits.secondary(times=1)
    limited = await scene.ask("GET", "")
    assert (limited.status, "Retry-After" in limited.headers) == (429, False)
    assert (await scene.ask("GET", "")).status == 200


async def test_what_fails_afterwards_was_done(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    body = {"body": "hello"}
    scene.github.faults.fail(502, 1, "POST", "comments")
    assert (await scene.ask("POST", "issues/1/comments", body)).status == 502
    assert len(pull.comments) == 0
    scene.github.faults.fail(502, 1, "POST", "comments", after=True)
    assert (await scene.ask("POST", "issues/1/comments", body)).status == 502
    assert len(pull.comments) == 1
    for break_it in (scene.github.faults.cut, scene.github.faults.half):
        break_it(1, "POST")
        with pytest.raises(aiohttp.ClientError):
            await scene.ask("POST", "issues/1/comments", body)
    assert len(pull.comments) == 2
    scene.github.faults.garbage()
    with pytest.raises(ValueError, match="Unterminated"):
        await scene.ask("GET", "")


async def test_down_is_down_until_it_is_up(scene: Scene) -> None:
    scene.github.faults.slow(30, times=1)
    waiting = asyncio.create_task(scene.ask("GET", ""))
    while not scene.github.server.under_way:
        await asyncio.sleep(0.005)
    scene.github.down()
    with pytest.raises(aiohttp.ClientError):
        await waiting
    with pytest.raises(aiohttp.ClientError):
        await scene.ask("GET", "")
    scene.github.up()
    assert (await scene.ask("GET", "")).status == 200


# Git.


async def test_real_git_fetches_what_it_may_and_a_push_is_noticed(scene: Scene, tmp_path: Path) -> None:
    ada = scene.github.user("ada", scene.shop)
    pull = scene.shop.open("feature", {"a.txt": "1\n"}, ada)
    before = pull.head
    pull.force_push()
    host = scene.github.url.removeprefix("http://")
    url = f"http://x-access-token:{scene.github.token(ada)}@{host}/acme/shop.git"
    await git(tmp_path, "clone", "--quiet", "--branch=feature", url, "copy")
    copy = tmp_path / "copy"
    await git(copy, "fetch", "--quiet", url, before)
    (copy / "b.txt").write_text("2\n")
    await git(copy, "add", "b.txt")
    await git(copy, "-c", "user.name=ada", "-c", "user.email=ada@example.org", "commit", "--quiet", "-m", "Add b")
    await git(copy, "push", "--quiet", "origin", "feature")
    assert pull.head == (await git(copy, "rev-parse", "HEAD")).strip()
    assert pull.head in await git(copy, "ls-remote", "origin", "refs/pull/1/head")
    assert (await scene.ask("GET", "pulls/1")).body["head"]["sha"] == pull.head


async def test_git_is_refused_to_those_who_may_not(scene: Scene, tmp_path: Path) -> None:
    secret = scene.github.repository("acme/secret", private=True)
    host = scene.github.url.removeprefix("http://")
    eve = scene.github.token(scene.github.user("eve"))
    for who in (f"x-access-token:{eve}@", f"x-access-token:{scene.ask.token}@", "x:nonsense@"):
        with pytest.raises(subprocess.CalledProcessError):
            await git(tmp_path, "ls-remote", f"http://{who}{host}/{secret.full_name}.git")
    await git(tmp_path, "clone", "--quiet", f"http://eve:{eve}@{host}/acme/shop.git", "copy")
    with pytest.raises(subprocess.CalledProcessError):
        await git(tmp_path / "copy", "push", "--quiet", "origin", "HEAD:refs/heads/evil")
    assert list(scene.shop.git.refs()) == ["refs/heads/main"]


async def git(folder: Path, *arguments: str) -> str:
    """Raises CalledProcessError."""
    environment = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    process = await asyncio.create_subprocess_exec(
        "git", *arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, ["git", *arguments])
    return said.decode()


# Webhooks.


async def test_a_day_of_deliveries(scene: Scene) -> None:
    async with a_listener() as (url, heard):
        scene.github.webhooks.to(url, "s3cret")
        ada = scene.github.user("ada", scene.shop)
        pull = scene.shop.open("feature", {"a.txt": "1\n"}, ada)
        pull.push({"a.txt": "2\n"})
        comment = pull.comment("/preview pin", ada)
        pull.edit_comment(comment, "/preview unpin")
        pull.delete_comment(comment)
        pull.close()
        pull.reopen()
        pull.merge()
        await scene.github.webhooks.settled()
    told = [(headers["X-GitHub-Event"], json.loads(body).get("action", "")) for headers, body in heard]
    opened = [("push", ""), ("check_suite", "requested"), ("pull_request", "opened")]
    pushed = [("push", ""), ("check_suite", "requested"), ("pull_request", "synchronize")]
    talked = [("issue_comment", "created"), ("issue_comment", "edited"), ("issue_comment", "deleted")]
    moved = [("pull_request", "closed"), ("pull_request", "reopened"), ("pull_request", "closed")]
    merged = [("push", ""), ("check_suite", "requested")]
    assert told == opened + pushed + talked + moved + merged
    for headers, body in heard:
        signature = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert headers["X-Hub-Signature-256"] == f"sha256={signature}"
        assert headers["X-GitHub-Hook-Installation-Target-ID"] == "7"
        assert json.loads(body)["installation"]["id"] == scene.installation.id
    assert len({headers["X-GitHub-Delivery"] for headers, _ in heard}) == len(heard)


async def test_deliveries_get_lost_doubled_held_and_sent_again(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    async with a_listener() as (url, heard):
        hooks = scene.github.webhooks
        hooks.to(url, "s3cret")
        hooks.lose()
        pull.comment("lost")
        hooks.duplicate()
        pull.comment("twice")
        hooks.hold()
        pull.comment("later")
        pull.comment("first")
        hooks.release(backwards=True)
        await hooks.settled()
        hooks.redeliver(hooks.deliveries[0].id)
        await hooks.settled()
    said = [json.loads(body)["comment"]["body"] for _, body in heard]
    assert sorted(said[:4]) == ["first", "later", "twice", "twice"]
    assert said[4] == "lost"
    assert hooks.deliveries[1].answers == [202, 202]


async def test_re_running_a_check_asks_its_own_app(scene: Scene) -> None:
    pull = scene.shop.open("feature")
    scene.github.install(scene.github.app(8, key_pair()[1], "other"), scene.shop)
    await scene.ask("POST", "check-runs", {"name": "smoke", "head_sha": pull.head, "external_id": "x1"})
    async with a_listener() as (url, heard):
        for app in scene.github.state.apps.values():
            scene.github.webhooks.to(url, "s3cret", app)
        pull.rerun("smoke")
        pull.rerun_all(scene.app)
        await scene.github.webhooks.settled()
    (run_headers, run), (suite_headers, suite) = heard
    assert {one["X-GitHub-Hook-Installation-Target-ID"] for one in (run_headers, suite_headers)} == {"7"}
    assert (json.loads(run)["action"], json.loads(run)["check_run"]["external_id"]) == ("rerequested", "x1")
    assert json.loads(suite)["check_suite"]["head_sha"] == pull.head


async def test_it_runs_in_a_process_of_its_own(tmp_path: Path) -> None:

    key = tmp_path / "app.pem"
    key.write_text(key_pair()[1])
    command = [sys.executable, "-m", "tests.fakes.github", "--folder", str(tmp_path / "f"), "--app-key", str(key)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        about = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        async with aiohttp.ClientSession() as session:
            assert (await Asker(session, about["api"], about["tokens"]["ada"])("GET", "")).status == 200
            assert len((await Asker(session, about["api"], app_token())("GET", "/app/installations")).body) == 1
    finally:
        process.terminate()
        await process.wait()
