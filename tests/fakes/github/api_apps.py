"""Apps, installations, tokens, and who somebody is."""

from tests.fakes.github import render
from tests.fakes.github.clock import written
from tests.fakes.github.people import App, Installation
from tests.fakes.github.problems import ApiError, not_found
from tests.fakes.github.repositories import Repository
from tests.fakes.github.routes import Answer, Call, Listing, route
from tests.fakes.github.state import reachable


@route("GET", "/app", who="app")
def get_app(call: Call) -> Answer:
    return Answer(200, render.app(call.state, _app(call)))


@route("GET", "/app/installations", who="app")
def list_installations(call: Call) -> Listing:
    found = [one for one in call.state.installations.values() if one.app is _app(call)]
    return Listing(found, lambda one: render.installation(call.state, one))


@route("POST", "/app/installations/{installation_id}/access_tokens", who="app")
def create_token(call: Call) -> Answer:
    found = call.state.installations.get(call.number("installation_id"))
    if found is None or found.app is not _app(call):
        raise not_found()
    if found.suspended_at:
        raise ApiError(403, "This installation has been suspended")
    made = call.state.new_token(found, _permissions(call, found), _repositories(call, found))
    assert made.expires is not None
    return Answer(201, render.token(made, written(made.expires)))


def _permissions(call: Call, installation: Installation) -> dict[str, str]:
    wanted: dict[str, str] = call.body.get("permissions") or installation.permissions
    for name, level in wanted.items():
        if level not in {installation.permissions.get(name), "read"} or name not in installation.permissions:
            raise ApiError(422, "The permissions requested are not granted to this installation.")
    return dict(wanted)


def _repositories(call: Call, installation: Installation) -> list[Repository]:
    names, ids = call.body.get("repositories", []), call.body.get("repository_ids", [])
    found = [repo for repo in installation.repositories if repo.name in names or repo.id in ids]
    if len(found) != len(names) + len(ids):
        raise ApiError(422, "There is at least one repository that does not exist or is not accessible.")
    return found


def _app(call: Call) -> App:
    if call.app is None:
        raise ApiError(401, "A JSON web token could not be decoded")
    return call.app


@route("GET", "/installation/repositories", who="token")
def list_repositories(call: Call) -> Listing:
    if call.token is None or not call.token.is_app:
        raise ApiError(403, "You must authenticate with an installation access token in order to list repositories.")
    return Listing(reachable(call.token), render.repository, of="repositories")


@route("GET", "/user", who="token")
def get_user(call: Call) -> Answer:
    if call.by_app is not None:
        raise ApiError(403, "Resource not accessible by integration")
    return Answer(200, render.me(call.state.url, call.user))
