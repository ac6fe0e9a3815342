from dataclasses import replace
from pathlib import Path

import pytest

from smoke.model import Outcome
from smoke.target import Target
from tests.smoke.examples import run_one

pytest.importorskip("playwright", reason="the extra `browser` is not installed")
from smoke.kinds import chromium
from smoke.target import Broken

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture(autouse=True)
def _chromium() -> None:
    try:
        chromium.path()
    except Broken as absent:
        pytest.skip(absent.message)


@pytest.mark.parametrize(
    ("check", "outcome", "words"),
    [
        pytest.param(
            "expect: {title: Shop, text: Welcome, selector: body}", Outcome.PASSED, "'Shop'", id="as it should"
        ),
        pytest.param("expect: {title: Basket}", Outcome.FAILED, "the title is 'Shop'", id="another title"),
        pytest.param(
            "expect: {text: Goodbye}\ntimeout: 3s", Outcome.FAILED, "text 'Goodbye' is not visible", id="no text"
        ),
        pytest.param(
            "expect: {selector: '#no'}\ntimeout: 3s", Outcome.FAILED, "matches '#no' is visible", id="no element"
        ),
        pytest.param("path: /status/500", Outcome.FAILED, "the status is 500", id="an error"),
        pytest.param("path: /never\ntimeout: 1s", Outcome.FAILED, "it had 1 s", id="too slow"),
        pytest.param("path: /broken-page", Outcome.PASSED, "'Oh'", id="errors in the console are only told"),
        pytest.param(
            "path: /broken-page, console_errors: fail", Outcome.FAILED, "the console has an error", id="or not"
        ),
        pytest.param("path: '/redirect?to=http://localhost:9/'", Outcome.FAILED, "", id="elsewhere"),
        pytest.param(
            "path: /form, actions: [{fill: {'#who': '{sha}'}}, {press: Tab}, {click: button}], expect: {text: Hello a}",
            Outcome.PASSED,
            "'Form'",
            id="filled in and clicked",
        ),
        pytest.param(
            "path: /form, actions: [{click: '#no'}]\ntimeout: 1s", Outcome.FAILED, "it had 1 s", id="no button"
        ),
        pytest.param("path: 'http://example.com/'", Outcome.BROKEN, "takes a path", id="a host"),
    ],
)
async def test_a_page(check: str, outcome: Outcome, words: str, target: Target):
    text, _, rest = check.partition("\n")
    result = await run_one(f"browser: {{{text}}}\n{rest}", target)
    assert words in result.attempts[0].message
    assert result.outcome is outcome
    assert result.screenshot or outcome is not Outcome.PASSED
    if result.screenshot:
        assert (target.output / result.screenshot).read_bytes().startswith(b"\x89PNG")


async def test_what_the_page_complained_about_is_kept(target: Target):
    details = (await run_one("browser: {path: /broken-page}", target)).attempts[0].details
    assert "console: no basket" in details
    assert "uncaught: " in details
    assert "/status/404 (404)" in details


@pytest.mark.parametrize(
    ("program", "words"),
    [("/no/such/chromium", "is not a program"), ("/bin/false", "Chromium does not start")],
)
async def test_without_a_browser_nothing_is_known(
    program: str, words: str, target: Target, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MAYFLY_CHROMIUM", program)
    result = await run_one("browser: {path: /}", replace(target))
    assert words in result.attempts[0].message
    assert result.outcome is Outcome.BROKEN


def test_no_chromium_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("MAYFLY_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Broken, match="not installed"):
        chromium.path()
