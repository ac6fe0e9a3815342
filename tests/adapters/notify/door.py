"""Somebody who is told, over real HTTP: what they heard, and how they answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Door:
    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    """Headers and body of every request, taken or not."""

    @property
    def keys(self) -> list[str]:
        return [headers.get("Idempotency-Key", "") for headers, _ in self.heard]

    async def answer(self, request: web.Request) -> web.Response:
        self.heard.append((dict(request.headers), await request.read()))
        if self.hangs:
            await asyncio.sleep(60)
        return web.Response(status=self.status, headers=self.headers, text="said by them")


@asynccontextmanager
async def opened() -> AsyncIterator[Door]:
    door = Door()
    site = web.Application()
    site.router.add_post("/{path:.*}", door.answer)
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield door
    finally:
        await runner.cleanup()
