"""Puts the API together: routes, guard, problems, and an OpenAPI document that tells the truth."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from controller.api import previews, problems, schemas
from controller.api.guard import Guard
from controller.api.health import create_health
from controller.api.metrics import Metrics
from controller.api.webhooks import create_webhooks, path_of
from controller.ports import Webhooks
from controller.previews.desk import Desk
from controller.settings import Policy

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": schemas.ProblemOut, "description": "The request has to change"},
    503: {"model": schemas.ProblemOut, "description": "Try again later, as `Retry-After` says"},
}


def create_api(  # noqa: PLR0913 - the one place where the API is put together, by name
    desk: Desk,
    *,
    version: str,
    policy: Policy,
    ready: Callable[[], Awaitable[dict[str, str]]],
    metrics: Metrics | None = None,
    routers: Sequence[APIRouter] = (),
    stopping: asyncio.Event | None = None,
    webhooks: Webhooks | None = None,
) -> FastAPI:
    """`ready` tells, by part, why it cannot be reached (empty where it can); `routers` are the pages. Without
    `webhooks` nobody can tell us anything unasked.

    Set `stopping` when the controller stops, and the streams (events, followed logs) end.
    """
    app = FastAPI(title="Mayfly", version=version, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, signed=[path_of(webhooks)] if webhooks else [])
    problems.install(app)
    stopping = stopping or asyncio.Event()
    parts = (
        previews.reading(desk),
        previews.files(desk, stopping),
        previews.changing(desk),
        previews.whole(desk, version, policy),
    )
    for part in parts:
        app.include_router(part, prefix="/api/v1", responses=_PROBLEMS)
    app.include_router(create_health(desk, ready, metrics or Metrics()))
    if webhooks:
        app.include_router(create_webhooks(webhooks))
    for router in routers:
        app.include_router(router, include_in_schema=False)
    describe = app.openapi
    app.openapi = lambda: _as_served(describe())  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _as_served(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI declares every model as application/json; problems are served as application/problem+json."""
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/ProblemOut"):
                    content["application/problem+json"] = content.pop("application/json")
    return document
