"""The least of GitHub that a door can be tested on: things and lists by path, ETags, pages, tokens and troubles."""

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web
from multidict import CIMultiDictProxy

from controller.adapters.github.client import Client
from controller.adapters.github.door import Door
from controller.adapters.github.meter import Limit, Outcome
from controller.adapters.github.wire import Wire
from controller.errors import Refused

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
Trouble = Callable[[web.Request], Awaitable[web.Response | None]]


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    status: int
    token: str
    body: str
    headers: CIMultiDictProxy[str]


@dataclass
class Hub:
    """`things` are objects by path, `lists` are cut into pages of `per_page`. Each trouble answers in place of it, in
    turn, where it answers at all."""

    url: str = ""
    things: dict[str, object] = field(default_factory=dict)
    lists: dict[str, list[object]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {"ghp_token"})
    headers: dict[str, str] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    per_page: int = 100
    answering: Callable[[web.Request], Awaitable[web.Response | None]] | None = None
    """Answers before anything else, where it does."""

    def asked(self, path: str = "") -> list[str]:
        """`GET 200` of each request below a path, in order."""
        return [f"{seen.method} {seen.status}" for seen in self.seen if seen.path.startswith(path)]

    def trouble(self, *statuses: int, message: str = "no", **headers: str) -> None:
        """The next requests are answered so."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for status in statuses:

            async def answer(_: web.Request, status: int = status) -> web.Response:
                return web.json_response({"message": message}, status=status, headers=named)

            self.troubles.append(answer)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = await self._answer(request)
        response.headers.update(self.headers)
        self.seen.append(
            Seen(
                request.method,
                request.path,
                response.status,
                request.headers.get("Authorization", "").removeprefix("Bearer "),
                await request.text(),
                request.headers,
            )
        )
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        if self.answering is not None and (answer := await self.answering(request)) is not None:
            return answer
        if self.troubles and (answer := await self.troubles.pop(0)(request)) is not None:
            return answer
        if request.headers.get("Authorization") not in {f"Bearer {token}" for token in self.tokens}:
            return web.json_response({"message": "Bad credentials"}, status=401)
        if request.method != "GET":
            return web.json_response({"id": 1}, status=201)
        if request.path in self.lists:
            return self._page(request)
        if request.path in self.things:
            return tagged(request, self.things[request.path], {})
        return web.json_response({"message": "Not Found"}, status=404)

    def _page(self, request: web.Request) -> web.Response:
        items, page = self.lists[request.path], int(request.query.get("page", "1"))
        link = {}
        if page * self.per_page < len(items):
            link["Link"] = f'<{request.url.update_query(page=page + 1)}>; rel="next"'
        return tagged(request, items[(page - 1) * self.per_page : page * self.per_page], link)


def tagged(request: web.Request, value: object, headers: dict[str, str]) -> web.Response:
    text = json.dumps(value)
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers={"ETag": etag})
    return web.Response(text=text, content_type="application/json", headers=headers | {"ETag": etag})


@dataclass
class Counter:
    """A meter that can be read."""

    outcomes: list[Outcome] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)

    def asked(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def throttled(self, limit: Limit) -> None:
        self.limits.append(limit)


@dataclass
class Keyring:
    """Credentials: the first token until it is forgotten, then the next."""

    tokens: list[str] = field(default_factory=lambda: ["ghp_token"])
    is_app: bool = True
    missing: set[str] = field(default_factory=set)

    async def repositories(self) -> tuple[str, ...]:
        return ("acme/shop",)

    async def token(self, repo: str) -> str:
        if repo in self.missing:
            raise Refused(f"the App is not installed on {repo}")
        return self.tokens[0]

    async def login(self) -> str:
        return "mayfly[bot]"

    def secrets(self) -> tuple[str, ...]:
        return tuple(self.tokens)

    def forget(self, repo: str) -> None:
        if len(self.tokens) > 1:
            self.tokens.pop(0)


@asynccontextmanager
async def a_hub() -> AsyncIterator[Hub]:
    hub = Hub()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hub.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hub
    finally:
        await runner.cleanup()


@asynccontextmanager
async def a_client(hub: Hub, clock: Clock, credentials: Keyring, **options: object) -> AsyncIterator[Client]:
    """`meter` and `seconds` are for the door and the wire, the rest for the client."""
    wire = Wire(hub.url, seconds=options.pop("seconds", 5.0))
    door = Door(wire, meter=options.pop("meter", None), clock=clock)
    client = Client(door, credentials, timedelta(minutes=1), **options)
    try:
        yield client
    finally:
        await client.close()
