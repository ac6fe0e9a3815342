"""Repositories, their content and their people over the API."""

from tests.fakes.github import render
from tests.fakes.github.problems import ApiError, not_found
from tests.fakes.github.pulls import Pull
from tests.fakes.github.repositories import Repository
from tests.fakes.github.routes import Answer, Call, Listing, route

BIGGEST_BLOB = 100 * 2**20


@route("GET", "/repos/{owner}/{repo}", "metadata:read")
def get_repository(call: Call) -> Answer:
    return Answer(200, render.full_repository(call.repo))


@route("GET", "/repos/{owner}/{repo}/branches/{branch}", "contents:read")
def get_branch(call: Call) -> Answer:
    branch = call.parts["branch"]
    sha = call.repo.git.resolve(f"refs/heads/{branch}")
    if sha is None:
        raise ApiError(404, "Branch not found")
    return Answer(200, render.branch(call.repo, branch, sha))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}", "contents:read")
def get_commit(call: Call) -> Answer:
    """Without the files that it changed: nobody reads them."""
    sha = call.repo.resolve(call.parts["ref"])
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.parts['ref']}")
    return Answer(200, render.commit(call.repo, sha))


@route("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "pull_requests:read")
def list_pulls_of_commit(call: Call) -> Listing:
    """Of one that is on main those that were merged, else the open ones too. GitHub notices a merge a moment later:
    `state.slow_to_associate`."""
    repo = call.repo
    sha = repo.resolve(call.parts["commit_sha"])
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.parts['commit_sha']}")
    on_main = repo.git.merge_base(repo.head, sha) == sha
    pulls = [pull for pull in repo.pulls.values() if pull.merged or (pull.open and not on_main)]
    known = [] if call.state.slow_to_associate else [pull for pull in pulls if _holds(repo, pull, sha)]
    return Listing(known, render.pull_simple)


def _holds(repo: Repository, pull: Pull, sha: str) -> bool:
    is_its = repo.git.merge_base(pull.head, sha) == sha and repo.git.merge_base(pull.base_sha, sha) != sha
    return pull.merge_commit == sha or is_its


@route("GET", "/repos/{owner}/{repo}/git/trees/{tree_sha}", "contents:read")
def get_tree(call: Call) -> Answer:
    """A sha of a tree or of a commit, or a branch."""
    repo, asked = call.repo, call.parts["tree_sha"]
    commit = repo.resolve(asked)
    sha = repo.git.read_commit(commit).tree if commit else repo.git.resolve(asked, "tree")
    if sha is None:
        raise not_found()
    entries, most = repo.git.tree(sha, recursive="recursive" in call.query), call.state.biggest_tree
    body = {"sha": commit or sha, "url": f"{repo.api_url}/git/trees/{commit or sha}", "truncated": len(entries) > most}
    return Answer(200, body | {"tree": [render.tree_entry(repo, entry) for entry in entries[:most]]})


@route("GET", "/repos/{owner}/{repo}/git/blobs/{file_sha}", "contents:read")
def get_blob(call: Call) -> Answer:
    sha = call.parts["file_sha"]
    content = call.repo.git.blob(sha) if len(sha) == 40 else None
    if content is None:
        raise not_found()
    if len(content) > BIGGEST_BLOB:
        raise ApiError(403, "This blob is too large to fetch", {"code": "too_large", "field": "data"})
    return Answer(200, render.blob(call.repo, sha, content))


COARSE = {"maintain": "write", "triage": "read"}


@route("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission", "metadata:read", role="write", who="token")
def get_permission(call: Call) -> Answer:
    login = call.parts["username"]
    person = next((one for one in call.state.users.values() if one.login.lower() == login.lower()), None)
    if person is None:
        raise ApiError(404, f"{login} is not a user")
    role = call.repo.role(person)
    about = render.user(call.state.url, person) | {"role_name": role}
    return Answer(200, {"permission": COARSE.get(role, role), "role_name": role, "user": about})
