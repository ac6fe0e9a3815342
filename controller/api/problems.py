"""What went wrong, as problem+json (RFC 9457).

Refused, reading       404   it is not there
Refused, changing      409   a person has to change something first
Unavailable            503   with Retry-After
malformed request      400   naming the field
"""

import math
from datetime import timedelta
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from controller.api.schemas import ProblemOut
from controller.errors import Refused, Unavailable

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


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(404 if request.method in {"GET", "HEAD"} else 409, error.reason)


def _unavailable(_: Request, error: Exception) -> Response:
    assert isinstance(error, Unavailable)
    wait = error.retry_after or RETRY_AFTER
    return problem(503, error.reason, {"Retry-After": str(max(1, math.ceil(wait.total_seconds())))})


def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, dict(error.headers or {}))


def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = [f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors()]
    return problem(400, "; ".join(details))
