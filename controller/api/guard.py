"""What stands before the dashboard and the API. There is no login, so a request is trusted by where it comes from.

A preview runs strangers' code at `pr-7.localhost`, which browsers call *same-site* with the dashboard at `localhost`.
So only the same origin may change anything:

    GET, HEAD, OPTIONS                                  changes nothing: let through
    Sec-Fetch-Site other than same-origin or none       403
    Origin of another host, or `null`                   403
    a form, and neither header proves the same origin   403
    JSON, and neither header (a program, not a page)    let through: a page cannot send it to us without Origin
    any other content                                   415
    more than 64 KiB                                    413
    content that does not come within ten seconds       408
"""

import asyncio
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.api.problems import problem

MAX_BODY = 64 * 1024
"""Bytes."""
BODY_WITHIN = 10.0
"""Seconds."""
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make browsers send `Origin: null` with our own forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sealed = _sealed(send)
        headers = Headers(scope=scope)
        status, why = verdict(scope["method"], headers)
        if not status and _has_body(headers):
            body = await _body(receive)
            status, why = (0, "") if isinstance(body, bytes) else (body, _WHY[body])
            receive = _again(body, receive) if isinstance(body, bytes) else receive
        if status:
            await problem(status, why, {"Connection": "close"})(scope, receive, sealed)
        else:
            await self._app(scope, receive, sealed)


def verdict(method: str, headers: Headers) -> tuple[int, str]:
    """The status to refuse it with, and why; 0 where it may pass."""
    if _too_long(headers):
        return 413, _WHY[413]
    if method in _SAFE:
        return 0, ""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in {None, "same-origin", "none"}:
        return 403, f"a page of another origin asked for it ({site})"
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return 403, f"a page of another origin asked for it ({origin})"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        proven = origin is not None or site == "same-origin"
        return (0, "") if proven else (403, "a form has to come from our own page; send JSON instead")
    return (0, "") if kind == "application/json" else (415, "send application/json")


_WHY = {
    408: f"its content did not come within {BODY_WITHIN:g} seconds",
    413: f"more than {MAX_BODY:,} bytes",
}


def _too_long(headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    return not length.isdigit() or int(length) > MAX_BODY


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def _body(receive: Receive) -> bytes | int:
    """All of it, or the status to refuse it with."""
    body = b""
    try:
        async with asyncio.timeout(BODY_WITHIN):
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    return 413
                more = message.get("more_body", False)
    except TimeoutError:
        return 408
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Tells the content that was read already, then whatever follows."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _sealed(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return with_headers
