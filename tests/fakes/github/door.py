"""Who is asking: tokens of people and installations, the JWT of an App; and whether they may."""

import base64
from datetime import UTC, datetime, timedelta

import jwt

from tests.fakes.github.people import App, Token
from tests.fakes.github.problems import ApiError, bad_credentials, not_for_apps, not_found
from tests.fakes.github.repositories import Repository
from tests.fakes.github.routes import Route
from tests.fakes.github.state import State, reachable

JWT_LIFE = timedelta(minutes=10)
SLACK = timedelta(seconds=60)


def who(state: State, header: str) -> tuple[Token | None, App | None]:
    """Of an Authorization header. Raises ApiError where it is nobody's."""
    scheme, _, value = header.partition(" ")
    if not header:
        return None, None
    if scheme.lower() == "basic":
        return from_basic(state, value), None
    if scheme.lower() not in {"bearer", "token"}:
        raise bad_credentials()
    if value.count(".") == 2:
        return None, _app(state, value)
    return _known(state, value), None


def from_basic(state: State, value: str) -> Token:
    """`x-access-token:TOKEN`, or `LOGIN:TOKEN`."""
    try:
        return _known(state, base64.b64decode(value, validate=True).decode().partition(":")[2])
    except ValueError as error:
        raise bad_credentials() from error


def _known(state: State, value: str) -> Token:
    token = state.token(value)
    if token is None:
        raise bad_credentials()
    if token.installation is not None and token.installation.suspended_at:
        raise ApiError(403, "This installation has been suspended")
    return token


def _app(state: State, value: str) -> App:
    """Its times are held against this clock, or the machine's: a client may have either."""
    try:
        issuer = jwt.decode(value, options={"verify_signature": False}).get("iss")
        app = next((one for one in state.apps.values() if str(one.id) == str(issuer)), None)
        if app is None:
            raise ApiError(404, "Integration not found")
        said = jwt.decode(
            value,
            app.key,
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_iat": False, "verify_iss": False, "require": ["iat", "exp"]},
        )
        begun, ends = (datetime.fromtimestamp(int(said[name]), UTC) for name in ("iat", "exp"))
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ApiError(401, "A JSON web token could not be decoded") from error
    wrong = [_untimely(begun, ends, now) for now in (state.clock.now(), datetime.now(UTC))]
    if all(wrong):
        raise ApiError(401, wrong[0])
    return app


def _untimely(begun: datetime, ends: datetime, now: datetime) -> str:
    if ends > now + JWT_LIFE + timedelta(seconds=5) or ends - begun > JWT_LIFE + SLACK:
        return "'Expiration time' claim ('exp') is too far in the future"
    if begun > now + timedelta(seconds=5):
        return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
    return "'Expiration time' claim ('exp') must be a numeric value representing the future time" if ends <= now else ""


def require(state: State, route: Route, token: Token | None, app: App | None, repo: Repository | None) -> None:
    """Raises ApiError where this may not be done."""
    if app is not None and route.who != "app":
        raise ApiError(401, "An App's own token is good for nothing but its installations")
    if token is None and route.who == "token":
        raise ApiError(401, "Requires authentication")
    if repo is None:
        return
    if not state.reaches(token, repo):
        raise not_found()
    if token is not None and token.is_app:
        _require_of_app(route, token, repo)
    elif token is not None and not repo.may(token.user, route.role):
        raise (
            not_found()
            if route.role == "admin"
            else ApiError(403, f"Must have {route.role} access to {repo.full_name}.")
        )


def _require_of_app(route: Route, token: Token, repo: Repository) -> None:
    """Of a public repository where it is not installed, an App may read what anybody may."""
    if repo not in reachable(token):
        if any(need.endswith(":write") for need in route.needs):
            raise not_for_apps()
        return
    if route.needs and not any(token.grants(*need.split(":")) for need in route.needs):
        raise not_for_apps()
