"""What stands before the dashboard and the API, whoever asks: a request is trusted by where it comes from.

A preview runs strangers' code at `pr-7.localhost`, which browsers call *same-site* with the dashboard at `localhost`.
So only the same origin may change anything:

    GET, HEAD, OPTIONS                                  changes nothing: let through
    Sec-Fetch-Site other than same-origin or none       403
    Origin of another host, or `null`                   403
    a form, and neither header proves the same origin   403
    JSON, and neither header (a program, not a page)    let through: a page cannot send it to us without Origin
    no content, and a DELETE or an `Authorization`      likewise: a page has to ask first, and is never answered
    any other content                                   415
    more than 64 KiB                                    413
    content that does not come within ten seconds       408
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.access.needs import SAFE
from controller.api.bodies import again, has_body, read_body, too_long
from controller.api.problems import problem

MAX_BODY = 64 * 1024
"""Bytes."""
BODY_WITHIN = 10.0
"""Seconds."""
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


class Guard:
    """ASGI middleware. What comes to the paths in `signed` proves itself; see `webhooks`."""

    def __init__(self, app: ASGIApp, signed: Collection[str] = ()) -> None:
        self._app = app
        self._signed = signed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in self._signed:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        status, why = verdict(scope["method"], headers)
        if not status and has_body(headers):
            body = await read_body(receive, MAX_BODY, BODY_WITHIN)
            status, why = (0, "") if isinstance(body, bytes) else (body, _WHY[body])
            receive = again(body, receive) if isinstance(body, bytes) else receive
        if status:
            await problem(status, why, {"Connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def verdict(method: str, headers: Headers) -> tuple[int, str]:
    """The status to refuse it with, and why; 0 where it may pass."""
    if too_long(headers, MAX_BODY):
        return 413, _WHY[413]
    if method in SAFE:
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
    bare = not has_body(headers) and (method != "POST" or "authorization" in headers)
    return (0, "") if bare or kind == "application/json" else (415, "send application/json")


_WHY = {
    408: f"its content did not come within {BODY_WITHIN:g} seconds",
    413: f"more than {MAX_BODY:,} bytes",
}
