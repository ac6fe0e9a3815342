"""Where a forge tells us unasked that something changed. Anybody can knock here, so little is done for a stranger.

    more than it may be, said so or found while reading   413
    not there within ten seconds                          408
    too many large ones at the same time                  503
    anything but POST                                     405, with a hint
    anything else                                         as the forge's `Webhooks` says

It stands outside of the guard: whoever signs it needs no origin.
"""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from controller.api import schemas
from controller.api.bodies import read_body, too_long
from controller.api.problems import problem
from controller.ports import Receipt, Webhooks

WITHIN = 10.0
"""Seconds; GitHub itself gives up then."""
LARGE = 64 * 1024
"""Bytes; few events are longer."""
LARGE_AT_ONCE = 8
"""So much memory strangers can have: this times the most that one may be."""
_OTHERS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]
_CLOSE = {"Connection": "close"}


def path_of(webhooks: Webhooks) -> str:
    return f"/webhooks/{webhooks.name}"


def create_webhooks(webhooks: Webhooks) -> APIRouter:
    router = APIRouter()
    path = path_of(webhooks)
    door = _Door(webhooks.max_body)

    @router.post(
        path,
        status_code=202,
        response_model=schemas.HeardOut,
        responses={
            "4XX": {"model": schemas.ProblemOut, "description": "Not signed, too large, or not what it should be"},
            503: {"model": schemas.ProblemOut, "description": "Deliver it again"},
        },
    )
    async def told(request: Request) -> Response:
        """The forge tells that something changed; signed."""
        body = await door.body(request)
        if isinstance(body, Receipt):
            return problem(body.status, body.reason, _CLOSE)
        receipt = await webhooks.receive(dict(request.headers), body)
        if receipt.status >= 400:
            return problem(receipt.status, receipt.reason)
        return JSONResponse(schemas.HeardOut(status=receipt.reason).model_dump(), receipt.status)

    @router.api_route(path, methods=_OTHERS, include_in_schema=False)
    async def only_told() -> Response:
        return problem(405, f"the forge POSTs here: enter this URL as its webhook ({path})", {"Allow": "POST"})

    return router


class _Door:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._why = {
            408: f"its content did not come within {WITHIN:g} seconds",
            413: f"more than {limit:,} bytes",
            503: "too many large ones at once",
        }

    async def body(self, request: Request) -> bytes | Receipt:
        if too_long(request.headers, self._limit):
            return self._refused(413)
        length = request.headers.get("content-length")
        if length is not None and int(length) <= LARGE:
            return self._read(await read_body(request.receive, LARGE, WITHIN))
        if self._large.locked():
            return self._refused(503)
        async with self._large:
            return self._read(await read_body(request.receive, self._limit, WITHIN))

    def _read(self, body: bytes | int) -> bytes | Receipt:
        return self._refused(body) if isinstance(body, int) else body

    def _refused(self, status: int) -> Receipt:
        return Receipt(status, self._why[status])
