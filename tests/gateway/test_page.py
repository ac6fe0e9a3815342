"""The page that waits, in a real browser: it tells how far it is, and gives way to the application by itself."""

import os
from pathlib import Path

import pytest
from aiohttp import web

from controller.common.nouns import Phase
from tests.gateway.conftest import Door, a_route, an_application

playwright = pytest.importorskip("playwright.async_api", reason="needs the extra `browser`")
CHROMIUM = Path(os.environ.get("MAYFLY_CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

pytestmark = [
    pytest.mark.processes,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Chromium at {CHROMIUM} (or in MAYFLY_CHROMIUM)"),
]


async def test_a_starting_preview_appears_without_anybody_reloading(door: Door):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="<h1>The shop</h1>", content_type="text/html")

    complaints: list[str] = []
    async with an_application(handler) as address, playwright.async_playwright() as engine:
        browser = await engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: complaints.append(message.text) if "503" not in message.text else None)
        door.lead(a_route(phase=Phase.STARTING, step="seed"))
        await page.goto(f"http://pr-7.localhost:{door.port}/products#first")
        await page.get_by_text("seed").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        door.lead(a_route(phase=Phase.STARTING, step="migrate"))
        await page.get_by_text("migrate").wait_for()
        door.lead(a_route(address))
        await page.get_by_role("heading", name="The shop").wait_for()
        assert page.url.endswith("/products#first")
        await browser.close()
    assert [text for text in complaints if "favicon" not in text] == []
