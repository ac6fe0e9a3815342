"""The status page and a probe's page in a real Chromium, on a phone too."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import uvicorn

from controller.api.app import create_api
from controller.api.pages import create_pages
from controller.api.probe_pages import create_probe_pages
from controller.settings import Policy
from tests.api.api import all_well
from tests.api.probe_world import ProbeWorld
from tests.browser.conftest import Open, Site, expect
from tests.fakes.conversations import FakeConversations
from tests.fakes.desk import FakeDesk

pytestmark = [pytest.mark.browser, pytest.mark.processes]
PHONE = {"viewport": {"width": 360, "height": 740}}


@pytest.fixture
def world() -> ProbeWorld:
    return ProbeWorld(datetime.now(UTC))


@pytest.fixture
async def site(world: ProbeWorld) -> AsyncIterator[Site]:
    """In place of the dashboard's own."""
    desk, policy, stopping = FakeDesk(datetime.now(UTC)), Policy(), asyncio.Event()
    pages = [create_pages(desk, None, policy, probes=world.desk), create_probe_pages(world.desk, policy)]
    app = create_api(
        desk, probes=world.desk, version="0", policy=policy, ready=all_well, routers=pages, stopping=stopping
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=3))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", desk, FakeConversations(desk))
    finally:
        stopping.set()
        server.should_exit = True
        await asyncio.wait_for(task, 15)


@pytest.mark.parametrize("path", ["/status", "/status/shop?span=90d", "/probes/shop"])
async def test_a_phone_scrolls_in_one_direction_and_sees_every_day(browse: Open, world: ProbeWorld, path: str) -> None:
    world.fires()
    page = await browse(path, **PHONE)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    if path.startswith("/status"):
        bars = (
            await page.locator(".days")
            .first.locator("path")
            .evaluate_all("paths => paths.map(path => path.getAttribute('d').split('M').length - 1)")
        )
        assert sum(bars) == 90
        drawn = await page.locator(".days").first.bounding_box()
        assert drawn is not None
        assert drawn["width"] / 90 * 3 / 4 > 1.5
        shown = await page.locator(".latency path.p95").first.bounding_box()
        assert shown is not None
        assert shown["width"] > 200


async def test_the_status_page_is_whole_without_scripts(browse: Open) -> None:
    page = await browse("/status", java_script_enabled=False)
    await expect(page.get_by_role("heading", level=1)).to_have_text("1 of 3 does not work")
    await page.get_by_role("link", name="7 days").click()
    await expect(page.get_by_text("7 days ago").first).to_be_visible()
    await page.get_by_role("link", name="The shop").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("The shop: ")


async def test_a_probe_s_page_stays_true_and_silences(browse: Open, world: ProbeWorld) -> None:
    page = await browse("/probes/shop")
    await page.locator(".live.online").wait_for()
    world.fires()
    world.watch.changes.tell("shop")
    await expect(page.locator("#alarm-fast-burn")).to_contain_text("It burns its error budget fast")
    await page.get_by_label("Because").fill("we move")
    await page.get_by_label("Your name").fill("ada")
    await page.get_by_role("button", name="Tell nobody").click()
    await expect(page.locator("#said")).to_contain_text("Nobody is told of it for 30 min.")
    await page.get_by_role("button", name="End it").click()
    await expect(page.locator("#said")).to_contain_text("It is over")
    assert await world.desk.silences() == ()
