"""Who may come in, before anything else is done for them. `controller.access.needs` says what a request needs.

    open, or nothing needed                    let through
    no token                                   401; a browser that wants a page is led to the login
    a token that is nobody's (any more)        401, and 429 after `rates.login` a minute from one address
    too little scope                           403, and which one it needs
    a session's change without own origin      403: a program sends its token in `Authorization`
    more than its rate                         429

A token that is right is never refused for wrong ones that came from the same address: behind one proxy all do.
Where access is open, whoever is on this machine is not counted.
"""

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from controller.access.desk import ANYBODY, AccessDesk
from controller.access.model import Identity, Scope
from controller.access.needs import SAFE, Openness, is_metered, needed
from controller.access.rates import Allowance, Meter, Tier, client_of, is_loopback
from controller.api.calls import call_in
from controller.api.problems import problem, unavailable
from controller.api.seal import adding
from controller.api.sessions import Sessions, login_page
from controller.errors import MayflyError

NOBODY = Identity("", Scope.READ)
_CLOSE = {"Connection": "close"}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mayfly"'}
_WRONG_TOKEN = {"WWW-Authenticate": 'Bearer realm="mayfly", error="invalid_token"'}


class Stopped(Exception):
    """The request goes no further."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Access:
    """ASGI middleware. Without a `desk` access has to be open."""

    def __init__(
        self, app: ASGIApp, *, desk: AccessDesk | None, openness: Openness, meter: Meter, sessions: Sessions
    ) -> None:
        self._app = app
        self._desk = desk
        self._openness = openness
        self._meter = meter
        self._sessions = sessions

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            call_in(scope).identity = identity = await self._admitted(scope)
            allowance = self._counted(scope, identity)
        except Stopped as stopped:
            await stopped.response(scope, receive, send)
        except MayflyError as error:
            await unavailable(error)(scope, receive, send)
        else:
            await self._app(scope, receive, adding(send, allowance.headers()) if allowance else send)

    async def _admitted(self, scope: Connection) -> Identity:
        """Raises Stopped or Unavailable."""
        if self._openness.everything or self._desk is None:
            return ANYBODY
        method, path = scope["method"], scope["path"]
        needs, headers = needed(method, path, self._openness), Headers(scope=scope)
        identity = await self._identified(scope, headers, must=needs is not None)
        if needs is None or (identity and identity.scope.covers(needs)):
            return identity or NOBODY
        if identity:
            raise Stopped(_scarce(identity, needs))
        raise Stopped(self._unknown(scope, headers, "this needs a token: `Authorization: Bearer mayfly_…`", _CHALLENGE))

    async def _identified(self, scope: Connection, headers: Headers, *, must: bool) -> Identity | None:
        """None where no token came. Where none is needed, a wrong one in a cookie is as good as none."""
        assert self._desk is not None
        bearer, session = bearer_of(headers), self._sessions.read(headers)
        if not (bearer or session) or not is_metered(scope["path"]):
            return None
        identity = await self._desk.who(bearer or session)
        if identity is None and (bearer or must):
            raise Stopped(self._wrong(scope, headers))
        if identity and not bearer and not is_own(scope["method"], headers):
            raise Stopped(problem(403, "this did not come from our own page; a program sends its token", _CLOSE))
        return identity

    def _wrong(self, scope: Connection, headers: Headers) -> Response:
        if refusal := too_many(self._meter.count(Tier.LOGIN, client(scope))):
            return refusal
        return self._unknown(scope, headers, "this token is not known here, or not any more", _WRONG_TOKEN)

    def _unknown(self, scope: Connection, headers: Headers, why: str, challenge: dict[str, str]) -> Response:
        if refusal := too_many(self._meter.count(tier_of(scope), client(scope))):
            return refusal
        if "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api/"):
            query = scope["query_string"].decode("latin-1")
            wanted = scope["path"] + (f"?{query}" if query else "")
            return RedirectResponse(login_page(wanted if scope["method"] in SAFE else "/"), 303)
        return problem(401, why, challenge | _CLOSE)

    def _counted(self, scope: Connection, identity: Identity) -> Allowance | None:
        """Raises Stopped."""
        if not is_metered(scope["path"]) or (self._openness.everything and is_loopback(address_of(scope))):
            return None
        allowance = self._meter.count(tier_of(scope), identity.token or client(scope))
        if refusal := too_many(allowance):
            raise Stopped(refusal)
        return allowance


def _scarce(identity: Identity, needs: Scope) -> Response:
    """As RFC 6750, 3.1 has it."""
    challenge = f'Bearer realm="mayfly", error="insufficient_scope", scope="{needs}"'
    why = f"this needs the scope `{needs}`, and your token has `{identity.scope}`"
    return problem(403, why, {"WWW-Authenticate": challenge} | _CLOSE)


def bearer_of(headers: Headers) -> str:
    """The token in `Authorization` (RFC 6750, 2.1); empty where there is none."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def is_own(method: str, headers: Headers) -> bool:
    """Whether a cookie may stand for the person: `guard` compares the origin, here one has to be told at all."""
    return method in SAFE or "origin" in headers or headers.get("sec-fetch-site") == "same-origin"


def too_many(allowance: Allowance) -> Response | None:
    if allowance.taken:
        return None
    why = f"more than {allowance.limit} a minute; try again in {allowance.resets_in} s"
    return problem(429, why, allowance.headers() | _CLOSE)


def tier_of(scope: Connection) -> Tier:
    return Tier.READ if scope["method"] in SAFE else Tier.OPERATE


def client(scope: Connection) -> str:
    return client_of(address_of(scope))


def address_of(scope: Connection) -> str:
    known = scope.get("client")
    return str(known[0]) if known else "unknown"
