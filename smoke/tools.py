"""What the checks of one run share: one HTTP client, one Chromium. Made when first needed, closed at the end."""

import asyncio
import socket
from types import TracebackType
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from smoke.addresses import is_local
from smoke.target import Target

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from smoke.kinds.chromium import Chromium


class Resolver(AbstractResolver):
    """The system's, and `*.localhost`."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await self._system.resolve("127.0.0.1" if is_local(host) else host, port, family)

    async def close(self) -> None:
        await self._system.close()


class Tools:
    """An asynchronous context manager. One client for all checks: a client of one's own costs 20 ms."""

    def __init__(self, target: Target, names: list[str], *, keep_alive: bool = True) -> None:
        """`keep_alive`: whether a connection is used again; else each request measures a new one."""
        self._target = target
        self._keep_alive = keep_alive
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        self._http: aiohttp.ClientSession | None = None
        self._chromium: Chromium | None = None
        self._launching = asyncio.Lock()
        self.network = asyncio.Semaphore(target.parallel)
        self.heavy = asyncio.Semaphore(2)

    def number_of(self, name: str) -> int:
        return self._numbers.get(name, 0)

    @property
    def http(self) -> aiohttp.ClientSession:
        """Keeps no cookies: whoever wants some sends them."""
        if self._http is None:
            connector = aiohttp.TCPConnector(
                limit=self._target.parallel, resolver=Resolver(), force_close=not self._keep_alive
            )
            self._http = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), max_line_size=16 * 1024
            )
        return self._http

    async def browser(self) -> "Browser":
        """Raises Broken where there is no Chromium, or it does not start."""
        async with self._launching:
            if self._chromium is None:
                from smoke.kinds.chromium import Chromium  # noqa: PLC0415 - Playwright costs 0.3 s to import

                self._chromium = await Chromium.start()
            return self._chromium.browser

    async def __aenter__(self) -> "Tools":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._chromium is not None:
            await self._chromium.close()
        if self._http is not None:
            await self._http.close()
