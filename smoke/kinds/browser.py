"""A page in a real Chromium: what a person would see. What the console said and which requests failed is kept."""

from contextlib import suppress
from datetime import timedelta

from yarl import URL

from smoke.context import Context, answering
from smoke.documents import format_duration
from smoke.kinds.chromium import Browser, Locator, Page, PlaywrightError, PlaywrightTimeout
from smoke.kinds.http import locate
from smoke.model import Outcome
from smoke.spec import BrowserAction, BrowserCheck, BrowserExpect
from smoke.target import Finding

MAX_NOTES = 30
MAX_NOTE = 500
MOST_PATIENCE = 5.0
"""Seconds that something expected may take to appear, once the page is loaded."""


async def check(spec: BrowserCheck, context: Context) -> Finding:
    url = locate(spec.path, context)
    browser = await context.tools.browser()
    async with answering(context.time_limit + timedelta(seconds=10), "the browser did not end"):
        return await _visit(browser, url, spec, context)


async def _visit(browser: Browser, url: URL, spec: BrowserCheck, context: Context) -> Finding:
    profile = await browser.new_context(ignore_https_errors=False)
    try:
        page = await profile.new_page()
        page.set_default_timeout(context.time_limit.total_seconds() * 1000)
        notes, errors = _listen(page)
        problem = await _problem(page, url, spec, context)
        if not problem and errors and spec.console_errors == "fail":
            problem = f"the console has an error: {errors[0]}"
        picture = await _picture(page, context) if spec.screenshot else ""
        title = "" if problem else await page.title()
    finally:
        with suppress(PlaywrightError):
            await profile.close()
    details = "\n".join(notes)
    if problem:
        return Finding(Outcome.FAILED, problem, details, screenshot=picture)
    return Finding(message=f"{title!r}" if title else "", details=details, screenshot=picture)


def _listen(page: Page) -> tuple[list[str], list[str]]:
    """What the page complains about, as it happens: every note, and the errors among them."""
    notes: list[str] = []
    errors: list[str] = []

    def note(text: str, *, error: bool = False) -> None:
        if len(notes) < MAX_NOTES:
            notes.append(text[:MAX_NOTE])
        if error and not errors:
            errors.append(text[:MAX_NOTE])

    page.on(
        "console",
        lambda message: note(f"console: {message.text}", error=True) if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: note(f"uncaught: {error}", error=True))
    page.on("requestfailed", lambda request: note(f"request failed: {request.url} ({request.failure})"))
    page.on(
        "response",
        lambda response: (
            note(f"request failed: {response.url} ({response.status})") if response.status >= 400 else None
        ),
    )
    return notes, errors


async def _problem(page: Page, url: URL, spec: BrowserCheck, context: Context) -> str:
    """What is wrong with the page; empty where nothing is."""
    try:
        answer = await page.goto(str(url), wait_until="load")
        if answer is not None and answer.status >= 400:
            return f"the status is {answer.status}"
        for action in spec.actions:
            await _act(page, action, context)
        if not context.target.external and URL(page.url).origin() != url.origin():
            return f"it led to another host, {page.url}"
        return await _missing(page, spec.expect, context)
    except PlaywrightTimeout as error:
        return f"{_first_line(error)} (it had {format_duration(context.time_limit)})"
    except PlaywrightError as error:
        return _first_line(error)
    except ValueError:
        return f"it led to {page.url}"


def _first_line(error: PlaywrightError) -> str:
    return error.message.strip().splitlines()[0] if error.message.strip() else "the browser failed"


async def _act(page: Page, action: BrowserAction, context: Context) -> None:
    if action.click is not None:
        await page.locator(context.fill(action.click)).first.click()
    for selector, text in (action.fill or {}).items():
        await page.locator(context.fill(selector)).first.fill(context.fill(text))
    if action.press is not None:
        await page.keyboard.press(action.press)


async def _missing(page: Page, expect: BrowserExpect, context: Context) -> str:
    """Waits for what is expected. What did not come in time is told."""
    if expect.selector is not None and not await _comes(page.locator(context.fill(expect.selector)), context):
        return f"nothing that matches {expect.selector!r} is visible"
    if expect.text is not None and not await _comes(page.get_by_text(context.fill(expect.text)), context):
        return f"the text {expect.text!r} is not visible"
    if expect.title is not None and (wanted := context.fill(expect.title)) not in (title := await page.title()):
        return f"the title is {title!r}, expected {wanted!r} in it"
    return ""


async def _comes(element: Locator, context: Context) -> bool:
    limit = min(context.time_limit.total_seconds(), MOST_PATIENCE)
    try:
        await element.first.wait_for(state="visible", timeout=limit * 1000)
    except PlaywrightTimeout:
        return False
    return True


async def _picture(page: Page, context: Context) -> str:
    name = context.file_name(".png")
    try:
        await page.screenshot(path=context.target.output / name, timeout=5_000, animations="disabled")
    except (PlaywrightError, OSError):
        return ""  # a picture is a help, never the outcome
    return name
