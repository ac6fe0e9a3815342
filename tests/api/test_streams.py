"""Answers that go on, over a real server: they arrive as it happens, and end with the person or the controller."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from controller.common.nouns import PreviewKey
from controller.gateway import Gateway
from controller.gateway.serving import Server
from tests.api.api import an_api
from tests.deploys.day import Day
from tests.fakes.desk import READY, FakeDesk
from tests.gateway.conftest import eventually

pytestmark = pytest.mark.processes


@dataclass
class Served:
    url: str
    desk: FakeDesk
    server: Server
    session: aiohttp.ClientSession


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


@asynccontextmanager
async def serving(**more: object) -> AsyncIterator[Served]:
    async def nobody(key: PreviewKey) -> None:
        pass

    bound, desk, stopping = socket.create_server(("127.0.0.1", 0)), FakeDesk(), asyncio.Event()
    gateway = Gateway(lambda label: None, an_api(desk, stopping=stopping, **more), "localhost", nobody)
    server = Server(gateway, on_stop=stopping.set)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        try:
            yield Served(f"http://127.0.0.1:{bound.getsockname()[1]}", desk, server, session)
        finally:
            server.should_exit = True
            await task


async def test_a_change_is_told_to_everybody_who_listens(served: Served):
    async with (
        served.session.get(served.url + "/api/v1/events") as one,
        served.session.get(served.url + "/api/v1/events") as two,
    ):
        assert one.content_type == "text/event-stream"
        for answer in (one, two):
            assert await answer.content.readuntil(b"\n\n") == b"retry: 1000\n\n"
        served.desk.ring(READY)
        served.desk.ring(None)
        for answer in (one, two):
            told = [json.loads((await answer.content.readuntil(b"\n\n")).removeprefix(b"data: ")) for _ in range(2)]
            assert told == [{"repo": "shop", "number": 7}, {"repo": None, "number": None}]


async def test_targets_are_told_of_among_previews():
    async with serving(targets=(day := Day()).desk) as served, served.session.get(served.url + "/api/v1/events") as one:
        await one.content.readuntil(b"\n\n")
        day.deployer.broadcast.tell("production")
        assert await one.content.readuntil(b"\n\n") == b'data: {"target": "production"}\n\n'
        served.desk.ring(READY)
        assert await one.content.readuntil(b"\n\n") == b'data: {"repo": "shop", "number": 7}\n\n'
        day.deployer.broadcast.tell(None)
        assert await one.content.readuntil(b"\n\n") == b'data: {"target": null}\n\n'


async def test_silence_is_filled_with_heartbeats(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("controller.api.streams.HEARTBEAT", 0.05)
    async with served.session.get(served.url + "/api/v1/events") as answer:
        await answer.content.readuntil(b"\n\n")
        assert await answer.content.readuntil(b"\n\n") == b": beat\n\n"
        served.desk.ring(READY)
        while (text := await answer.content.readuntil(b"\n\n")) == b": beat\n\n":
            pass
        assert text == b'data: {"repo": "shop", "number": 7}\n\n'


async def test_who_stops_listening_is_forgotten(served: Served):
    async with served.session.get(served.url + "/api/v1/events") as answer:
        await answer.content.readuntil(b"\n\n")
        assert served.desk.listeners == 1
    await eventually(lambda: served.desk.listeners == 0)


async def test_a_log_is_followed_line_by_line(served: Served):
    url = served.url + "/api/v1/previews/shop/7/logs?service=worker&follow=true"
    async with served.session.get(url) as answer:
        assert await answer.content.readline() == b"waiting for work\n"
        for line in ("one", "two"):
            await served.desk.log(READY, "worker", line)
            assert await answer.content.readline() == f"{line}\n".encode()


async def test_a_silent_log_is_followed_from_its_first_line(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("controller.api.given.FIRST_LINE_WITHIN", 0.05)
    served.desk.lines[READY, "quiet"] = []
    async with served.session.get(served.url + "/api/v1/previews/shop/7/logs?service=quiet&follow=true") as answer:
        assert answer.status == 200
        await served.desk.log(READY, "quiet", "at last")
        assert await answer.content.readline() == b"at last\n"


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/previews/shop/7/logs?service=web&follow=true"])
async def test_a_stop_ends_what_would_go_on_for_ever(served: Served, path: str):
    async with served.session.get(served.url + path) as answer:
        await answer.content.readline()
        served.server.should_exit = True
        await asyncio.wait_for(answer.read(), 20)  # ends well: nothing was cut
    await eventually(lambda: served.desk.listeners == 0)
