"""The composition root: policy → adapters → the loop, the API and the gateway. The only place that knows everything."""

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import structlog

from controller.adapters.git.forge import GitForge
from controller.adapters.history import open_history, sqlite_url
from controller.adapters.local.server import EmbeddedPostgres
from controller.api import create_api
from controller.api.metrics import Metrics
from controller.api.pages import create_pages
from controller.common.nouns import PreviewKey
from controller.errors import MayflyError, Refused, Unavailable
from controller.forges import opened_forge
from controller.gateway import Gateway
from controller.gateway.serving import Server, settle
from controller.grounds import Turns, local, opened
from controller.ports import Forge, History, Platform
from controller.previews.frontdesk import FrontDesk
from controller.previews.model import Rules
from controller.previews.reconcile import Reconciler, Setting
from controller.settings import HISTORY_URL, Home, Policy

log = structlog.get_logger()
STOP_WITHIN = 20
"""Seconds that a running controller has to end when it is told to."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A controller put together. `stopping`, once set, ends the streams that never end by themselves."""

    act: Callable[[], Coroutine[object, object, None]]
    """Looks after the previews, for as long as this controller is the one that does."""
    gateway: Gateway
    stopping: asyncio.Event


def serve(home: Home, policy: Policy) -> int:
    """Until SIGINT or SIGTERM; the previews go on running. Exit code 3 where it cannot start, 0 after a stop."""
    _log_to_stderr()
    try:
        asyncio.run(run(home, policy))
    except MayflyError as error:
        log.error("Mayfly cannot run", reason=error.reason)
        return 3
    return 0


async def run(home: Home, policy: Policy) -> None:
    """Raises Refused or Unavailable where it cannot start."""
    with _alone(home, policy), _listener(policy) as listener:
        async with assembled(home, policy) as parts:
            server = Server(parts.gateway, lambda: _let_go(parts))
            loop = asyncio.create_task(parts.act())
            loop.add_done_callback(lambda _: setattr(server, "should_exit", True))
            log.info("Mayfly looks after your previews", dashboard=policy.url(), home=str(home.path))
            settle()
            try:
                await server.serve(sockets=[listener])
            finally:
                loop.cancel()
                await asyncio.wait([loop])
        if not loop.cancelled() and (error := loop.exception()) is not None:
            raise error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error


def _let_go(parts: Parts) -> None:
    parts.stopping.set()
    parts.gateway.cut()


@asynccontextmanager
async def assembled(home: Home, policy: Policy) -> AsyncIterator[Parts]:
    """Opens everything that a controller needs. Previews and PostgreSQL go on running after it closes.

    Raises Refused or Unavailable where a part cannot be had on this machine.
    """
    async with AsyncExitStack() as stack:
        history = await open_history(policy.history or os.environ.get(HISTORY_URL) or sqlite_url(home.history))
        stack.push_async_callback(history.close)
        metrics, stopping = Metrics(), asyncio.Event()
        forged = await stack.enter_async_context(opened_forge(home, policy, os.environ, history, metrics, now))
        forge = forged.forge
        grounds = await stack.enter_async_context(opened(home, policy, forge.source))
        platform = grounds.platform
        setting = _setting(policy, grounds.leads)
        reconciler = Reconciler(forge, platform, history, setting, metrics, now)
        desk = FrontDesk(reconciler, platform, history, setting.rules, now)

        async def visited(key: PreviewKey) -> None:
            await platform.visited(key, now())
            reconciler.bell.ring(key)

        api = create_api(
            desk,
            version=version("mayfly"),
            policy=policy,
            ready=lambda: _ready(forge, platform, history),
            metrics=metrics,
            routers=[create_pages(desk, forged.conversations, policy)],
            webhooks=forged.webhooks,
            stopping=stopping,
        )
        gateway = Gateway(platform.route, api, policy.domain, visited)

        async def act() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(reconciler.run())
                group.create_task(grounds.take_turns(Turns(reconciler.bell.ring, reconciler.close)))

        yield Parts(act, gateway, stopping)


def _setting(policy: Policy, leads: Callable[[], bool]) -> Setting:
    cluster = policy.kubernetes if policy.platform == "kubernetes" else None
    return Setting(rules_of(policy), policy.allow, policy.url(), policy.previews.resync, cluster, leads)


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
    await _end_controller(home)
    with only_one(home):
        platform = local(home, policy, GitForge(home.forge).source)
        await platform.open()
        await platform.halt()
        await EmbeddedPostgres(home.postgres).stop()


async def _end_controller(home: Home) -> None:
    for attempt in range(STOP_WITHIN * 10):
        try:
            with only_one(home):
                return
        except Held as held:
            if attempt == 0:
                os.kill(held.pid, signal.SIGTERM)
        await asyncio.sleep(0.1)
    raise Unavailable(f"the controller that looks after {home.path} did not end within {STOP_WITHIN} s")


class Held(Refused):
    """Another process looks after this home."""

    def __init__(self, home: Home, pid: int) -> None:
        super().__init__(f"another Mayfly (pid {pid}) already looks after {home.path}")
        self.pid = pid


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Holds the home for this process; the lock goes with the process, however that ends. Raises Held or Refused."""
    try:
        home.path.mkdir(parents=True, exist_ok=True)
        file = home.lock.open("a+")
    except OSError as error:
        raise Refused(f"cannot write to {home.path}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Held(home, int(file.read().strip() or 0)) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def _alone(home: Home, policy: Policy) -> Iterator[None]:
    """On a cluster, a Lease says who acts, and replicas may share a home."""
    if policy.platform == "kubernetes":
        yield
        return
    with only_one(home):
        yield


@contextmanager
def _listener(policy: Policy) -> Iterator[socket.socket]:
    """Bound before anything else is done: a port that is taken stops the start, and says so."""
    host, port = policy.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            hint = "set another `listen` in mayfly.yaml, or use --listen"
            raise Refused(f"cannot listen on {policy.listen}: {error.strerror}; {hint}") from error
        yield listener


def _log_to_stderr() -> None:
    """For people at a terminal, JSON lines elsewhere. Tracebacks without local variables: those may hold secrets."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    shape: list[structlog.typing.Processor] = (
        [plain] if sys.stderr.isatty() else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
