"""A real server with the gateway in it, and real applications behind it, all on ports of the system's choice."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
from aiohttp import web
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from controller.common.nouns import Phase, PreviewKey, Route
from controller.gateway import Gateway
from controller.gateway.serving import Server

KEY = PreviewKey("shop", 7)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Door:
    """The gateway as it is reached: `pr-7` leads where `route` says."""

    port: int
    session: aiohttp.ClientSession
    server: Server
    routes: dict[str, Route] = field(default_factory=dict)
    visits: list[PreviewKey] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def host(self, label: str = "pr-7") -> dict[str, str]:
        return {"Host": f"{label}.localhost:{self.port}"}

    def lead(self, route: Route, label: str = "pr-7") -> None:
        self.routes[label] = route

    async def raw(self, request: bytes, *, until: bytes | None = None) -> bytes:
        """What comes back on one connection: all of it, or as far as `until`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(20):
                return await (reader.readuntil(until) if until else reader.read())
        finally:
            writer.close()


def a_route(address: tuple[str, int] | None = None, **differing: object) -> Route:
    return replace(Route(KEY, "web", Phase.READY, address), **differing)


async def a_dashboard(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
    else:
        await PlainTextResponse("the dashboard")(scope, receive, send)


@asynccontextmanager
async def a_door(domain: str = "localhost") -> AsyncIterator[Door]:
    bound = socket.create_server(("127.0.0.1", 0))
    visits: list[PreviewKey] = []
    routes: dict[str, Route] = {}

    async def on_visit(key: PreviewKey) -> None:
        visits.append(key)

    gateway = Gateway(routes.get, a_dashboard, domain, on_visit)
    server = Server(gateway, on_stop=gateway.cut)
    async with aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=30)) as session:
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield Door(bound.getsockname()[1], session, server, routes, visits)
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as opened:
        yield opened


@asynccontextmanager
async def an_application(handler: Handler) -> AsyncIterator[tuple[str, int]]:
    """A real server that answers everything with `handler`."""
    app = web.Application(client_max_size=2**40)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def a_script(answer: bytes, *, then_wait: bool = False) -> AsyncIterator[tuple[str, int]]:
    """A server that reads a head, writes `answer` as it is, and hangs up (or waits for the other side to)."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if then_wait:
                await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await server.wait_closed()


async def eventually(question: Callable[[], bool], within: float = 20) -> None:
    """Looks again until it is so."""
    async with asyncio.timeout(within):
        while not question():
            await asyncio.sleep(0.01)
