"""Answers that are none."""

from typing import Any

from aiohttp import web

from tests.fakes.github.faults import Fault


def cut(request: web.Request) -> web.Response:
    """The line goes dead; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


def answer(request: web.Request, fault: Fault, body: Any) -> web.Response:
    """`body` is what would have been said."""
    if fault.kind == "fail":
        page = "<html><body>It was made to fail.</body></html>"
        return web.Response(status=fault.status, text=page, content_type="text/html", headers=fault.headers)
    if fault.kind == "garbage":
        return web.Response(text='{"cut short', content_type="application/json")
    if fault.kind == "half" and request.transport is not None:
        return _half(request.transport, bytes(body))
    return cut(request)


def _half(transport: Any, body: bytes) -> web.Response:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    transport.write(head.encode() + body[: len(body) // 2])
    transport.close()
    return web.Response(status=502)
