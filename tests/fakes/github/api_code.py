"""Repositories, their content and their people over the API."""

from tests.fakes.github import render
from tests.fakes.github.problems import ApiError, not_found
from tests.fakes.github.routes import Answer, Call, route

BIGGEST_BLOB = 100 * 2**20


@route("GET", "/repos/{owner}/{repo}", "metadata:read")
def get_repository(call: Call) -> Answer:
    return Answer(200, render.full_repository(call.repo))


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
