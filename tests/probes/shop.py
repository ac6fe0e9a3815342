"""A small application that answers as it is told, and how often it was asked. In this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Shop:
    url: str = ""
    status: int = 200
    slow: float = 0.0
    """Seconds that `/slow` takes."""
    asked: list[str] = field(default_factory=list)
    ports: set[int] = field(default_factory=set)
    """Of those who asked: as many as there were connections."""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.transport is not None:
            self.ports.add(request.transport.get_extra_info("peername")[1])
        if request.path == "/slow":
            await asyncio.sleep(self.slow)
        return web.Response(status=self.status, text="Welcome")


@asynccontextmanager
async def opened() -> AsyncIterator[Shop]:
    shop = Shop()
    site = web.Application()
    site.router.add_route("*", "/{path:.*}", shop.answer)
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield shop
    finally:
        await runner.cleanup()
