"""The dashboard on a real port, and a real Chromium to look at it."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from controller.api.app import create_api
from controller.api.pages import create_pages
from controller.api.target_pages import create_target_pages
from controller.deploys.desk import TargetDesk
from controller.settings import Policy
from tests.fakes.conversations import FakeConversations
from tests.fakes.desk import FakeDesk

try:
    from playwright import async_api as playwright
except ImportError:
    playwright = None

expect = playwright.expect if playwright else None
CHROMIUM = Path(os.environ.get("MAYFLY_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """What the dashboard shows, and where."""

    url: str
    desk: FakeDesk
    conversations: FakeConversations


@asynccontextmanager
async def serving(desk: FakeDesk, targets: TargetDesk | None = None) -> AsyncIterator[Site]:
    async def ready() -> dict[str, str]:
        return {}

    conversations = FakeConversations(desk)
    stopping = asyncio.Event()
    policy = Policy()
    routers = [create_pages(desk, conversations, policy, targets=targets)]
    routers += [create_target_pages(targets)] if targets else []
    app = create_api(desk, version="0", policy=policy, ready=ready, routers=routers, targets=targets, stopping=stopping)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=3))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", desk, conversations)
    finally:
        stopping.set()
        server.should_exit = True
        await asyncio.wait_for(task, 15)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(FakeDesk(datetime.now(UTC))) as running:
        yield running


Open = Callable[..., Awaitable["playwright.Page"]]


@pytest.fixture
async def browse(site: Site) -> AsyncIterator[Open]:
    """Opens a path of the dashboard; fails the test afterwards if the page complained in its console."""
    if playwright is None:
        pytest.skip("needs the extra `browser`")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM} (or in MAYFLY_CHROMIUM)")
    complaints: list[str] = []
    async with playwright.async_playwright() as engine:
        browser = await engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        async def open_path(path: str, **options: object) -> "playwright.Page":
            context = await browser.new_context(**options)
            page = await context.new_page()
            page.set_default_timeout(20_000)
            page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(site.url + path, wait_until="load")
            return page

        yield open_path
        await browser.close()
    assert complaints == []
