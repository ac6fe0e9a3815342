"""Reads what a request carries: no more than it may, and no longer."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive


def has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def too_long(headers: Headers, limit: int) -> bool:
    """Whether it says so itself."""
    length = headers.get("content-length", "0")
    return not length.isdigit() or int(length) > limit


async def read_body(receive: Receive, limit: int, within: float) -> bytes | int:
    """All of it, or the status to refuse it with: 413 beyond `limit` bytes, 408 after `within` seconds."""
    body = bytearray()
    try:
        async with asyncio.timeout(within):
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > limit:
                    return 413
                more = message.get("more_body", False)
    except TimeoutError:
        return 408
    return bytes(body)


def again(body: bytes, receive: Receive) -> Receive:
    """Tells the content that was read already, then whatever follows."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
