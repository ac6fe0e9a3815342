"""What a preview answers, asked where its platform says that it is."""

import asyncio
from typing import Protocol

from controller.common.nouns import Route


class Leads(Protocol):
    """A platform, or targets."""

    def route(self, host: str) -> Route | None: ...


async def ask(platform: Leads, host: str, path: str = "/") -> str:
    """The body; the connection is the only one, and closed after it."""
    route = platform.route(host)
    assert route is not None
    assert route.address is not None, route
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(*route.address)
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()
