"""One Chromium for a run: Debian's, driven by Playwright. Every check gets a fresh profile in it.

Its sandbox needs user namespaces, which a container is seldom given: `MAYFLY_CHROMIUM_SANDBOX=off` goes without, where
the container is thrown away after the run.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass

from smoke.target import Broken

__all__ = ["Browser", "Chromium", "Locator", "Page", "PlaywrightError", "PlaywrightTimeout", "path"]

_ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LONGEST_FOLDER = 50
"""Bytes of a temporary folder in which Chromium's socket still has a path (108 of them, unix(7))."""
LAUNCH_LIMIT = 30_000
"""Milliseconds, as Playwright counts."""

try:
    from playwright.async_api import Browser, Locator, Page, Playwright, async_playwright
    from playwright.async_api import Error as PlaywrightError
    from playwright.async_api import TimeoutError as PlaywrightTimeout
except ImportError as absent:
    raise Broken("Playwright is not installed; it comes with the extra `browser`") from absent


def path() -> str:
    """Raises Broken where there is none."""
    named = os.environ.get("MAYFLY_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found or shutil.which(found) is None:
        what = f"{named} is not a program" if named else "Chromium is not installed"
        raise Broken(f"{what}; install `chromium`, or set MAYFLY_CHROMIUM to its path")
    return found


@dataclass(frozen=True, slots=True)
class Chromium:
    driver: Playwright
    browser: Browser
    folder: tempfile.TemporaryDirectory[str]

    @staticmethod
    async def start() -> "Chromium":
        """Raises Broken where it does not start."""
        program = path()
        folder = _short_folder()
        driver = await async_playwright().start()
        try:
            sandbox = os.geteuid() != 0 and os.environ.get("MAYFLY_CHROMIUM_SANDBOX") != "off"  # it refuses root's
            browser = await driver.chromium.launch(
                executable_path=program,
                args=[*_ARGUMENTS, *(() if sandbox else ("--no-sandbox",))],
                chromium_sandbox=sandbox,
                env={**os.environ, "TMPDIR": folder.name},
                timeout=LAUNCH_LIMIT,
                handle_sigint=False,
                handle_sigterm=False,
            )
        except PlaywrightError as error:
            await driver.stop()
            folder.cleanup()
            raise Broken(f"Chromium does not start: {error.message.splitlines()[0]}", error.message) from error
        except BaseException:
            await driver.stop()
            folder.cleanup()
            raise
        return Chromium(driver, browser, folder)

    async def close(self) -> None:
        try:
            await self.browser.close()
        finally:
            await self.driver.stop()
            self.folder.cleanup()


def _short_folder() -> tempfile.TemporaryDirectory[str]:
    """For Chromium's files: where all of ours are, or in `/tmp` where that is too deep for the path of a socket."""
    deep = len(os.fsencode(tempfile.gettempdir())) > LONGEST_FOLDER
    parent = "/tmp" if deep else None  # noqa: S108 - a fresh folder in it, that only we can enter
    return tempfile.TemporaryDirectory(prefix="mayfly-", dir=parent, ignore_cleanup_errors=True)
