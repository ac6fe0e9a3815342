"""The front door: every request comes in here and goes to the dashboard, to a preview, or away."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from yarl import URL

from controller.common.nouns import Phase, PreviewKey, Route
from controller.gateway import headers, hosts, notices, sockets
from controller.gateway.headers import Raw
from controller.gateway.notices import Notice
from controller.gateway.upstream import Ask, NoAnswer, NotTaken, Upstream
from controller.gateway.visits import Visits

CUT_AFTER = 1.0
"""Seconds; less than the server waits for requests under way."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What the server hands us, and the two things in it that everything depends on."""

    scope: Scope
    receive: Receive
    send: Send
    host: str
    label: str

    @property
    def headers(self) -> Raw:
        return list(self.scope["headers"])

    @property
    def is_socket(self) -> bool:
        return bool(self.scope["type"] == "websocket")

    @property
    def scheme(self) -> str:
        return "https" if self.scope["scheme"] in {"https", "wss"} else "http"

    @property
    def method(self) -> str:
        return "GET" if self.is_socket else str(self.scope["method"])

    def ask(self, key: PreviewKey, address: tuple[str, int]) -> Ask:
        client = (self.scope.get("client") or ("unknown", 0))[0]
        return Ask(
            key=key,
            name=hosts.name_of(self.host),
            method=self.method,
            url=URL.build(
                scheme="http",
                host=address[0],
                port=address[1],
                path=_target(self.scope),
                query_string=self.scope["query_string"].decode("latin-1"),
                encoded=True,
            ),
            headers=headers.upwards(self.headers, scheme=self.scheme, host=self.host, client=client),
            with_body=not self.is_socket and headers.has_body(self.headers),
        )


class Gateway:
    """An ASGI app. `routes` is asked for every request; `on_visit` is told of people only, and wakes what sleeps.

    The dashboard's lifespan is the gateway's.
    """

    def __init__(
        self,
        routes: Callable[[str], Route | None],
        dashboard: ASGIApp,
        domain: str,
        on_visit: Callable[[PreviewKey], Awaitable[None]],
    ) -> None:
        self._routes = routes
        self._dashboard = dashboard
        self._domain = domain
        self._visits = Visits(on_visit)
        self._upstream = Upstream()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(scope, receive, send)
        host = headers.one(scope["headers"], b"host")
        label = hosts.site(host, self._domain)
        if label == "":
            return await self._dashboard(scope, receive, send)
        request = _Request(scope, receive, send, host, label or "")
        if label is None or not _target(scope).startswith("/"):
            return await _answer(request, 404, [_TEXT], b"Nothing lives under this name.\n")
        return await self._serve(request)

    def cut(self, after: float = CUT_AFTER) -> None:
        """Ends, in a second, what is still being passed on. For a shutdown: some streams never end by themselves."""
        asyncio.get_running_loop().call_later(after, self._upstream.cut)

    async def close(self) -> None:
        await self._visits.close()
        await self._upstream.close()

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self.close()
            await send(message)

        await self._dashboard(scope, receive, closing)

    async def _serve(self, request: _Request) -> None:
        route = self._routes(request.label)
        asked_state = request.scope["path"] == notices.STATE_PATH
        if route:
            self._count(route, request, waiting=asked_state)
        if asked_state:
            await _answer(request, 200, [_JSON, *_marks(route)], notices.state(route))
            return
        notice = notices.of(route) if route else notices.unknown(request.label)
        if notice is None and route and route.address:
            notice = await self._pass_on(request, route, route.address)
        if notice:
            await self._show(request, notice, route)

    def _count(self, route: Route, request: _Request, *, waiting: bool) -> None:
        """A page that waits is no visit, but for a preview that sleeps: it is waiting for just that."""
        if not headers.by_person(request.headers):
            return
        if route.phase is Phase.SLEEPING or (route.phase is Phase.READY and not waiting):
            self._visits.note(route.key, asleep=route.phase is Phase.SLEEPING)

    async def _pass_on(self, request: _Request, route: Route, address: tuple[str, int]) -> Notice | None:
        """What to show instead, where the application answered nothing."""
        ask = request.ask(route.key, address)
        try:
            if request.is_socket:
                session = self._upstream.session(keep=False)
                await sockets.bridge(session, ask, request.scope, request.receive, request.send)
            else:
                await self._upstream.exchange(ask, request.receive, request.send)
        except NotTaken:
            return notices.refused(route)
        except NoAnswer as error:
            return notices.cut_off(route, str(error))
        return None

    async def _show(self, request: _Request, notice: Notice, route: Route | None) -> None:
        fields = _marks(route)
        if notice.retry_after:
            fields.append((b"retry-after", str(notice.retry_after).encode()))
        accept = headers.one(request.headers, b"accept")
        if "text/html" in accept and request.method in {"GET", "HEAD"}:
            link = hosts.dashboard(request.scheme, request.host, self._domain, route.key if route else None)
            return await _answer(request, notice.status, fields + notices.HTML_HEADERS, notices.html(notice, link))
        kind, body = notices.plain(notice, accept)
        return await _answer(request, notice.status, [*fields, (b"content-type", kind)], body)


_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_JSON = (b"content-type", b"application/json")
_ALWAYS: Raw = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


def _target(scope: Scope) -> str:
    """The path as it was sent, still encoded."""
    raw: bytes | None = scope.get("raw_path")
    return raw.decode("latin-1") if raw is not None else quote(scope["path"])


def _marks(route: Route | None) -> Raw:
    return headers.marks(route.key) if route else [(b"x-robots-tag", b"noindex, nofollow")]


async def _answer(request: _Request, status: int, fields: Raw, body: bytes) -> None:
    fields = [*fields, *_ALWAYS, (b"content-length", str(len(body)).encode())]
    if request.is_socket:
        await sockets.decline(request.scope, request.send, status, body, fields)
        return
    await request.send({"type": "http.response.start", "status": status, "headers": fields})
    await request.send({"type": "http.response.body", "body": body})
