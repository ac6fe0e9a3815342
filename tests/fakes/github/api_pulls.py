"""Pull requests over the API."""

from typing import Any

from tests.fakes.github import render
from tests.fakes.github.problems import ApiError, invalid
from tests.fakes.github.pulls import Pull
from tests.fakes.github.render import Json
from tests.fakes.github.repositories import Repository
from tests.fakes.github.routes import Answer, Call, Listing, route

PULLS = "/repos/{owner}/{repo}/pulls"
PULL = PULLS + "/{pull_number}"


@route("GET", PULLS, "pull_requests:read")
def list_pulls(call: Call) -> Listing:
    query, wanted = call.query, call.query.get("state", "open")
    pulls = [pull for pull in call.repo.pulls.values() if wanted in {"all", "open" if pull.open else "closed"}]
    if "base" in query:
        pulls = [pull for pull in pulls if pull.base == query["base"]]
    if ":" in query.get("head", ""):
        pulls = [pull for pull in pulls if f"{pull.head_repo.owner.login}:{pull.branch}" == query["head"]]
    by = "updated_at" if query.get("sort") == "updated" else "created_at"
    down = query.get("direction", "desc" if query.get("sort", "created") == "created" else "asc") == "desc"
    pulls.sort(key=lambda pull: (getattr(pull, by), pull.number), reverse=down)
    known: dict[int, Json] = {}
    return Listing(pulls, lambda pull: render.pull_simple(pull, known))


@route("GET", PULL, "pull_requests:read")
def get_pull(call: Call) -> Answer:
    return Answer(200, render.pull(call.pull()))


@route("POST", PULLS, "pull_requests:write", who="token")
def open_pull(call: Call) -> Answer:
    body, target = call.body, call.repo
    owner, _, branch = body["head"].rpartition(":")
    source = _source(call, owner) if owner and owner != target.owner.login else target
    if source is None or source.git.resolve(f"refs/heads/{branch}") is None:
        raise invalid("PullRequest", "head", "invalid")
    if target.git.resolve(f"refs/heads/{body['base']}") is None:
        raise invalid("PullRequest", "base", "invalid")
    _refuse_second(target, source, branch)
    about: dict[str, Any] = {"title": body.get("title") or branch, "draft": bool(body.get("draft"))}
    made = Pull(target, source, branch, body["base"], call.user, **about, body=body.get("body") or "")
    made.begin()
    return Answer(201, render.pull(made))


def _source(call: Call, owner: str) -> Repository | None:
    found = call.state.repository(f"{owner}/{call.repo.name}")
    return found if found is not None and found.parent is call.repo else None


def _refuse_second(target: Repository, source: Repository, branch: str) -> None:
    if any(one.open and one.head_repo is source and one.branch == branch for one in target.pulls.values()):
        told = f"A pull request already exists for {source.owner.login}:{branch}."
        raise ApiError(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": told})


@route("PATCH", PULL, "pull_requests:write", who="token")
def edit_pull(call: Call) -> Answer:
    pull, body = call.pull(), call.body
    if call.by_app is None and call.user is not pull.author and not call.repo.may(call.user, "write"):
        raise ApiError(403, f"{call.user.login} may not change {pull.key}")
    if "title" in body or "body" in body:
        pull.edit(title=body.get("title"), body=body.get("body"), by=call.user)
    if body.get("state") == "closed":
        pull.close(call.user)
    if body.get("state") == "open" and not pull.open:
        _reopen(call, pull)
    return Answer(200, render.pull(pull))


def _reopen(call: Call, pull: Pull) -> None:
    try:
        pull.reopen(call.user)
    except ValueError as error:
        raise invalid("PullRequest", "state", "invalid", str(error)) from error


@route("PUT", PULL + "/merge", "contents:write", role="write", who="token")
def merge_pull(call: Call) -> Answer:
    pull = call.pull()
    if call.body.get("sha", pull.head) != pull.head:
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    if pull.draft or not pull.open:
        raise ApiError(405, "Pull Request is not mergeable")
    try:
        sha = pull.merge(call.user)
    except ValueError as error:
        raise ApiError(405, "Pull Request is not mergeable") from error
    return Answer(200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


@route("GET", PULL + "/files", "pull_requests:read")
def list_files(call: Call) -> Listing:
    """At most 3,000, as GitHub's documentation of this operation says."""
    pull = call.pull()
    changes = call.repo.git.changes(pull.base_sha, pull.head)[:3000]
    return Listing(changes, lambda change: render.file(call.repo, pull.head, change))
