"""For machines: is it alive, can it work, how is it doing."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

from controller.api import schemas
from controller.api.metrics import Metrics
from controller.errors import MayflyError
from controller.previews.desk import Desk

READY_WITHIN = 5.0
"""Seconds."""


def create_health(desk: Desk, ready: Callable[[], Awaitable[dict[str, str]]], metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> schemas.HealthOut:
        """The process answers."""
        return schemas.HealthOut(status="ok")

    @router.get("/readyz", responses={503: {"model": schemas.ReadyOut, "description": "Not ready"}})
    async def readyz(response: Response) -> schemas.ReadyOut:
        """The forge, the platform and the history can be reached."""
        parts = await _asked(ready)
        response.status_code = 503 if any(parts.values()) else 200
        return schemas.ReadyOut(ready=not any(parts.values()), parts=parts)

    @router.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        metrics.set_forge(await desk.forge())
        return Response(await metrics.read(), headers={"Content-Type": metrics.content_type})

    return router


async def _asked(ready: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
    try:
        async with asyncio.timeout(READY_WITHIN):
            return await ready()
    except TimeoutError:
        return {"controller": f"no answer within {READY_WITHIN:g} seconds"}
    except MayflyError as error:
        return {"controller": error.reason}
