"""A part of a page is looked up on its own; one that does not answer says why in its place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from fastapi import Request
from fastapi.responses import Response

from controller.api.rendering import Pages
from controller.api.streams import closing
from controller.common.markdown import cut, plain
from controller.common.nouns import Service
from controller.errors import Refused, Unavailable

PATIENCE = 5.0
"""Seconds until a part of a page is shown as not answering."""
TAIL = 200
"""Log lines that are shown at first."""
MAX_LINE = 2_000
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Part(Generic[Value]):
    """Of a page: a value, or why there is none. `missing` where there is no such thing, and waiting will not help."""

    value: Value | None
    problem: str = ""
    missing: bool = False

    @property
    def status(self) -> int:
        """Of the page whose main part it is."""
        return 503 if self.problem else 200


async def look(looking: Awaitable[Value]) -> Part[Value]:
    """What it comes to; never raises what a page can continue without."""
    try:
        async with asyncio.timeout(PATIENCE):
            return Part(await looking)
    except Refused as error:
        return Part(None, error.reason, missing=True)
    except Unavailable as error:
        return Part(None, error.reason)
    except TimeoutError:
        return Part(None, f"it did not answer within {PATIENCE:g} seconds")


async def tail(lines: AsyncIterator[str]) -> list[str]:
    """The last lines of a log, fit to be shown."""
    async with closing(lines):
        return [cut(plain(line), MAX_LINE) async for line in lines][-TAIL:]


def choose(services: Sequence[Service], wanted: str) -> str:
    """The one whose log is shown: the one asked for, or the first; empty where nothing runs."""
    names = [service.name for service in services]
    return wanted if wanted in names else next(iter(names), "")


def no_page(pages: Pages, request: Request, reason: str, now: datetime) -> Response:
    return pages.show(request, "problem.html", {"reason": reason}, now=now, status=404)
