"""What went wrong, as problem+json (RFC 9457).

Refused, reading       404   it is not there
Refused, changing      409   a person has to change something first
Unavailable            503   with Retry-After
malformed request      400   naming the field
no such path, method   404, 405
a bug                  500   without a word of it: the log has it
"""

import math
from datetime import timedelta
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from controller.api.schemas import ProblemOut
from controller.api.seal import SECURITY_HEADERS
from controller.errors import MayflyError, Refused, Unavailable

RETRY_AFTER = timedelta(seconds=5)
"""Where nobody knows better."""


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = ProblemOut(title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump_json()
    return Response(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(Exception, _bug)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(404 if request.method in {"GET", "HEAD"} else 409, error.reason)


def unavailable(error: MayflyError) -> Response:
    """503. Also for what is refused to ourselves, before anybody's request was looked at."""
    wait = (error.retry_after if isinstance(error, Unavailable) else None) or RETRY_AFTER
    return problem(503, error.reason, {"Retry-After": str(max(1, math.ceil(wait.total_seconds())))})


def _unavailable(_: Request, error: Exception) -> Response:
    assert isinstance(error, Unavailable)
    return unavailable(error)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(_allowed(request))
        return problem(405, f"{request.method} is nothing that can be done here; {allowed} is", {"Allow": allowed})
    return problem(error.status_code, error.detail, dict(error.headers or {}))


def _allowed(request: Request) -> list[str]:
    """Methods of this path, of all its routes (RFC 9110, 10.2.1); Starlette names those of the first one."""
    routes: list[BaseRoute] = request.app.routes
    return [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = [f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors()]
    return problem(400, "; ".join(details))


def _bug(_: Request, error: Exception) -> Response:
    """Starlette answers this one outside of all middleware, and raises the error on for the log."""
    return problem(500, "something is wrong here; the log of the controller says what", dict(SECURITY_HEADERS))
