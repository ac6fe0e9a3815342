"""Puts the API together: routes, who may use them, problems, and an OpenAPI document that tells the truth."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI

from controller.access.desk import AccessDesk
from controller.access.needs import Openness
from controller.access.rates import Meter
from controller.api import previews, problems, schemas
from controller.api.access import Access
from controller.api.agents import create_agents
from controller.api.audit import Audited
from controller.api.described import as_served
from controller.api.given import Change, create_events
from controller.api.guard import Guard
from controller.api.health import create_health
from controller.api.login import Login
from controller.api.metrics import Metrics
from controller.api.probes import create_probes, probe_changes
from controller.api.seal import Sealed
from controller.api.sessions import Sessions
from controller.api.targets import create_targets, target_changes
from controller.api.tokens import create_tokens
from controller.api.webhooks import create_webhooks, path_of
from controller.deploys.desk import TargetDesk
from controller.errors import Refused
from controller.ports import Webhooks
from controller.previews.desk import Desk
from controller.probes.desk import ProbeDesk
from controller.settings import Policy

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": schemas.ProblemOut, "description": "The request has to change"},
    503: {"model": schemas.ProblemOut, "description": "Try again later, as `Retry-After` says"},
}


def create_api(  # noqa: PLR0913 - the one place where the API is put together, by name
    desk: Desk,
    *,
    targets: TargetDesk | None = None,
    probes: ProbeDesk | None = None,
    version: str,
    policy: Policy,
    ready: Callable[[], Awaitable[dict[str, str]]],
    metrics: Metrics | None = None,
    routers: Sequence[APIRouter] = (),
    stopping: asyncio.Event | None = None,
    webhooks: Webhooks | None = None,
    access: AccessDesk | None = None,
) -> FastAPI:
    """`ready` tells, by part, why it cannot be reached (empty where it can); `routers` are the pages. Without
    `webhooks` nobody can tell us anything unasked, without `access` nobody has a token, and what is done is not written
    down: raises Refused where the policy wants tokens.

    Set `stopping` when the controller stops, and the streams (events, followed logs) end.
    """
    app = FastAPI(title="Mayfly", version=version, docs_url=None, redoc_url=None)
    problems.install(app)
    stopping = stopping or asyncio.Event()
    parts = [*_of_previews(desk, stopping, version, policy), *_of_production(targets, probes, access, stopping)]
    parts.append(create_events(_changes(desk, targets, probes), stopping))
    for part in parts:
        app.include_router(part, prefix="/api/v1", responses=_PROBLEMS)
    app.include_router(create_health(desk, ready, metrics or Metrics()))
    if webhooks:
        app.include_router(create_webhooks(webhooks))
    openness = _fence(app, policy, access, webhooks)
    for router in routers:
        app.include_router(router, include_in_schema=False)
    describe = app.openapi
    app.openapi = lambda: as_served(describe(), openness)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _of_previews(desk: Desk, stopping: asyncio.Event, version: str, policy: Policy) -> list[APIRouter]:
    return [
        previews.files(desk, stopping),  # before what is shorter: a repository's name may have slashes
        previews.reading(desk),
        previews.changing(desk),
        previews.whole(desk, version, policy),
    ]


def _of_production(
    targets: TargetDesk | None, probes: ProbeDesk | None, access: AccessDesk | None, stopping: asyncio.Event
) -> list[APIRouter]:
    routers = [create_targets(targets, stopping)] if targets else []
    routers += [create_probes(probes)] if probes else []
    routers += [create_agents(probes, access)] if probes and access else []
    return routers + ([create_tokens(access)] if access else [])


def _changes(
    desk: Desk, targets: TargetDesk | None, probes: ProbeDesk | None
) -> list[Callable[[], AsyncIterator[Change]]]:
    changes: list[Callable[[], AsyncIterator[Change]]] = [partial(previews.changes, desk)]
    changes += [partial(target_changes, targets)] if targets else []
    return changes + ([partial(probe_changes, probes)] if probes else [])


def _fence(app: FastAPI, policy: Policy, access: AccessDesk | None, webhooks: Webhooks | None) -> Openness:
    """The middleware, innermost first, and the login."""
    if policy.tokens and access is None:
        raise Refused("the policy wants tokens (`access.mode`), and there is nothing that knows any")
    openness = Openness(not policy.tokens, policy.access.public_reading, policy.probing.public_status)
    meter = Meter(policy.access.rates)
    sessions = Sessions(secure=policy.url().startswith("https://"), lasts=policy.access.session)
    app.add_middleware(Guard, signed=[path_of(webhooks)] if webhooks else [])
    app.add_middleware(Access, desk=access, openness=openness, meter=meter, sessions=sessions)
    if access:
        app.add_middleware(Audited, desk=access, clock=_now)
        if policy.tokens:
            app.include_router(Login(access, sessions, meter, _now).router())
    app.add_middleware(Sealed)
    return openness


def _now() -> datetime:
    return datetime.now(UTC)
