"""The page of a target in a real Chromium; every test also fails if the page complains in its console."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.api.production import a_day_in_production
from tests.browser.conftest import Open, Site, serving
from tests.browser.test_dashboard import CONTRAST, PHONE
from tests.deploys.day import Day
from tests.fakes.desk import FakeDesk

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture
async def day() -> Day:
    return await a_day_in_production()


@pytest.fixture
async def site(day: Day) -> AsyncIterator[Site]:
    async with serving(FakeDesk(datetime.now(UTC)), day.desk) as running:
        yield running


async def test_a_person_rolls_back_and_sees_it_happen(browse: Open, day: Day) -> None:
    page = await browse("/")
    await page.get_by_role("link", name="production", exact=True).click()
    await page.locator(".live.online").wait_for()
    await page.evaluate("window.stayed = true")
    assert await page.get_by_role("button", name="Roll back production").is_hidden()
    await page.get_by_text("Roll back…").click()
    await page.get_by_role("button", name="Roll back production").click()
    assert await page.evaluate("document.activeElement.name") == "because"  # the reason is needed
    await page.locator("#ask-rollback [name=because]").fill("prices are wrong")
    await page.get_by_role("button", name="Roll back production").click()
    await page.locator("#said", has_text="is rolled back from #2").wait_for()
    assert await page.get_by_role("button", name="Roll back production").is_hidden()

    await day.settle(3)

    await page.locator(".hero", has_text="#1").wait_for()
    await page.locator("#timeline", has_text="prices are wrong").wait_for()
    assert await page.evaluate("window.stayed")


async def test_it_fits_a_phone_and_is_read_in_both_schemes(browse: Open) -> None:
    async def poor(scheme: str) -> list[str]:
        page = await browse("/targets/production", color_scheme=scheme, **PHONE)
        for fold in await page.locator("details.down > summary").all():
            await fold.click()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        return list(await page.evaluate(CONTRAST))

    assert await asyncio.gather(poor("light"), poor("dark")) == [[], []]
