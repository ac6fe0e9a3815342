"""The composition root: policy → adapters → loops, API and gateway. The only place that knows everything."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import structlog
from starlette.types import ASGIApp

from controller.access.desk import AccessDesk
from controller.adapters.git.forge import GitForge
from controller.adapters.history import open_history, sqlite_url
from controller.adapters.history.sql import SqlHistory
from controller.adapters.local.server import EmbeddedPostgres
from controller.api import create_api
from controller.api.metrics import Metrics, looks
from controller.api.pages import create_pages
from controller.api.probe_pages import create_probe_pages
from controller.api.target_pages import create_target_pages
from controller.beginning import Held, alone, listener, log_to_stderr, only_one
from controller.common.nouns import PreviewKey, Route
from controller.duties import Duties
from controller.errors import MayflyError, Refused, Unavailable
from controller.forges import Forged, opened_forge
from controller.gateway import Gateway
from controller.gateway.serving import Server, settle
from controller.grounds import Grounds, Turns, local, opened
from controller.ports import Forge, History, Platform
from controller.previews.frontdesk import FrontDesk
from controller.previews.model import Rules
from controller.previews.reconcile import Reconciler, Setting
from controller.production import Given, Production, opened_production
from controller.settings import ADMIN_TOKEN, HISTORY_URL, Home, Policy
from controller.stopping import Stopping, pace_of

log = structlog.get_logger()
PATIENCE = 5
"""Seconds that `mayfly stop` waits longer than the policy gives a controller to end."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A controller put together. `streams`, once set, ends the streams that never end by themselves."""

    act: Callable[[], Coroutine[object, object, None]]
    """Looks after everything, for as long as this controller is the one that does."""
    idle: Callable[[], Awaitable[object]]
    """Waits for what the loops do at this moment."""
    gateway: Gateway
    streams: asyncio.Event


def serve(home: Home, policy: Policy) -> int:
    """Until SIGINT or SIGTERM; what was deployed goes on running. Exit code 3 where it cannot start, 0 after a stop."""
    log_to_stderr()
    try:
        asyncio.run(run(home, policy))
    except MayflyError as error:
        log.error("Mayfly cannot run", reason=error.reason)
        return 3
    return 0


async def run(home: Home, policy: Policy) -> None:
    """Raises Refused or Unavailable where it cannot start."""
    stopping = Stopping(pace_of(policy))
    with alone(home, policy), listener(policy) as bound:
        async with assembled(home, policy, stopping) as parts:
            server = Server(parts.gateway, lambda: _let_go(parts, stopping), stopping)
            loop = asyncio.create_task(parts.act())
            loop.add_done_callback(lambda _: setattr(server, "should_exit", True))
            log.info("Mayfly looks after your previews", dashboard=policy.url(), home=str(home.path))
            settle()
            try:
                await server.serve(sockets=[bound])
            finally:
                await stopping.hand_over(loop, parts.idle)
        stopping.over()
        if not loop.cancelled() and (error := loop.exception()) is not None:
            raise error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error


def _let_go(parts: Parts, stopping: Stopping) -> None:
    parts.streams.set()
    parts.gateway.cut(stopping.pace.cut_after.total_seconds())


@asynccontextmanager
async def assembled(home: Home, policy: Policy, stopping: Stopping) -> AsyncIterator[Parts]:
    """Opens everything that a controller needs. What was deployed, and PostgreSQL, go on running after it closes.

    Raises Refused or Unavailable where a part cannot be had on this machine.
    """
    async with AsyncExitStack() as stack:
        history = await open_history(policy.history or os.environ.get(HISTORY_URL) or sqlite_url(home.history))
        stack.push_async_callback(history.close)
        metrics = Metrics()
        forged = await stack.enter_async_context(opened_forge(home, policy, os.environ, history, metrics, now))
        grounds = await stack.enter_async_context(opened(home, policy, forged.forge.source))
        samples = history.samples(policy.probing)
        given = Given(
            home, policy, os.environ, forged.forge, grounds.targets, history, metrics, now, grounds.leads, samples
        )
        production = await stack.enter_async_context(opened_production(given))
        reconciler = Reconciler(forged.forge, grounds.platform, history, _setting(policy, grounds), metrics, now)
        yield _together(_Whole(policy, forged, grounds, history, metrics, production, reconciler), stopping)


@dataclass(frozen=True, slots=True)
class _Whole:
    policy: Policy
    forged: Forged
    grounds: Grounds
    history: SqlHistory
    metrics: Metrics
    production: Production
    reconciler: Reconciler


def _together(whole: _Whole, stopping: Stopping) -> Parts:
    platform, reconciler, production = whole.grounds.platform, whole.reconciler, whole.production
    streams = asyncio.Event()

    async def visited(key: PreviewKey) -> None:
        await platform.visited(key, now())
        reconciler.bell.ring(key)

    def route(host: str) -> Route | None:
        return whole.grounds.targets.route(host) or platform.route(host)

    async def idle() -> None:
        await asyncio.gather(reconciler.idle(), production.deployer.idle())

    gateway = Gateway(route, _api(whole, stopping, streams), whole.policy.domain, visited)
    return Parts(lambda: _act(whole), idle, gateway, streams)


def _api(whole: _Whole, stopping: Stopping, streams: asyncio.Event) -> ASGIApp:
    policy, forged, history = whole.policy, whole.forged, whole.history
    desk = FrontDesk(whole.reconciler, whole.grounds.platform, history, rules_of(policy), now)
    targets, probes = whole.production.targets, whole.production.probes
    whole.metrics.before_reading(looks.budgets(probes))
    whole.metrics.before_reading(looks.notices(history.outbox))

    async def ready() -> dict[str, str]:
        return await stopping.readiness(lambda: _ready(forged.forge, whole.grounds.platform, history))

    return create_api(
        desk,
        targets=targets,
        probes=probes,
        version=version("mayfly"),
        policy=policy,
        ready=ready,
        metrics=whole.metrics,
        routers=[
            create_pages(desk, forged.conversations, policy, targets=targets, probes=probes),
            create_target_pages(targets),
            create_probe_pages(probes, policy),
        ],
        webhooks=forged.webhooks,
        stopping=streams,
        access=AccessDesk(history.access, history.access, now, os.environ.get(ADMIN_TOKEN, "")),
    )


async def _act(whole: _Whole) -> None:
    reconciler, production = whole.reconciler, whole.production
    duties = Duties([production.watch.run, production.postman.run])

    def began() -> None:
        reconciler.bell.ring()
        production.deployer.bell.ring()
        duties.begin()

    async def ended() -> None:
        await asyncio.gather(duties.end(), reconciler.close(), production.deployer.close())

    async with asyncio.TaskGroup() as group:
        group.create_task(reconciler.run())
        group.create_task(production.deployer.run())
        group.create_task(whole.grounds.take_turns(Turns(began, ended)))


def _setting(policy: Policy, grounds: Grounds) -> Setting:
    cluster = policy.kubernetes if policy.platform == "kubernetes" else None
    return Setting(rules_of(policy), policy.allow, policy.url(), policy.previews.resync, cluster, grounds.leads)


def now() -> datetime:
    return datetime.now(UTC)


def rules_of(policy: Policy) -> Rules:
    limits = policy.previews
    return Rules(
        max_alive=limits.max_alive,
        max_removals=limits.max_removals,
        quiet_period=limits.quiet_period,
        give_up_after=limits.give_up_after,
        sleep_after=limits.sleep_after,
        expire_after=limits.expire_after,
        max_life=limits.max_life,
        forks=policy.forks,
        author_may=frozenset(policy.allow.author_may),
    )


async def _ready(forge: Forge, platform: Platform, history: History) -> dict[str, str]:
    """By part: why it cannot be reached; empty where it can."""
    asked = {"forge": forge.repositories(), "platform": platform.previews(), "history": history.endings()}
    answers = await asyncio.gather(*asked.values(), return_exceptions=True)
    return {
        name: str(answer) if isinstance(answer, BaseException) else ""
        for name, answer in zip(asked, answers, strict=True)
    }


async def stop(home: Home, policy: Policy) -> None:
    """Ends everything: the controller if one runs, every process of the previews, PostgreSQL. All data stays, and the
    next `serve` goes on from there. Raises Refused or Unavailable where something does not end.
    """
    if policy.platform == "kubernetes":
        raise Refused("the previews run in the cluster; end the controller itself, and they go on")
    await _end_controller(home, int(policy.stop_within.total_seconds()) + PATIENCE)
    with only_one(home):
        platform, targets = local(home, policy, GitForge(home.forge).source)
        await platform.open()
        await platform.halt()
        await targets.open()
        await targets.halt()
        await EmbeddedPostgres(home.postgres).stop()


async def _end_controller(home: Home, within: int) -> None:
    for attempt in range(within * 10):
        try:
            with only_one(home):
                return
        except Held as held:
            if attempt == 0:
                os.kill(held.pid, signal.SIGTERM)
        await asyncio.sleep(0.1)
    raise Unavailable(f"the controller that looks after {home.path} did not end within {within} s")
