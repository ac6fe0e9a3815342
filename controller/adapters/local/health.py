"""Whether a service answers: an HTTP GET below 400, or an open port. A client as light as can be, as it polls often."""

import asyncio
import re

LIMIT = 5.0
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)\b")


async def why_unhealthy(port: int, path: str | None, limit: float = LIMIT) -> str:
    """Empty where it works. Redirects count as an answer and are not followed."""
    try:
        async with asyncio.timeout(limit):
            return await _ask(port, path)
    except TimeoutError:
        return f"{f'GET {path}' if path else f'port {port}'} did not answer within {limit:g} s"
    except OSError:
        return f"nothing listens on port {port}"


async def _ask(port: int, path: str | None) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    try:
        if path is None:
            return ""
        safe = path.encode("ascii", "replace").replace(b" ", b"%20").replace(b"\r", b"").replace(b"\n", b"")
        head = b"GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\nAccept: */*\r\n\r\n"
        writer.write(head % (safe, port))
        match = _STATUS.match(await reader.read(512))
    finally:
        writer.close()
    if not match:
        return f"GET {path} was not answered with HTTP"
    return "" if int(match[1]) < 400 else f"GET {path} answered {match[1].decode()}"
