"""The platform that the policy names, put together. A part of the composition root."""

import asyncio
import hashlib
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from controller.adapters.local.platform import LocalPlatform
from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.local.targets import LocalTargets
from controller.adapters.notify import teller
from controller.adapters.postgres.databases import PostgresDatabases
from controller.adapters.shared.sources import Where
from controller.deploys.ports import Targets
from controller.errors import Refused
from controller.ports import Databases, Platform
from controller.settings import DATABASES_URL, Home, Policy


@dataclass(frozen=True, slots=True)
class Turns:
    """What is told of leading: `began`, and `ended`, which is awaited before anybody else begins."""

    began: Callable[[], None]
    ended: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Grounds:
    """A platform, main's places on it, and which of several controllers acts there. `take_turns` runs until it is
    cancelled."""

    platform: Platform
    targets: Targets
    leads: Callable[[], bool]
    take_turns: Callable[[Turns], Coroutine[object, object, None]]


@asynccontextmanager
async def opened(home: Home, policy: Policy, source: Where) -> AsyncIterator[Grounds]:
    """Raises Refused or Unavailable where the platform cannot be used. Previews go on running after it closes."""
    match policy.platform:
        case "local":
            async with _local(home, policy, source) as grounds:
                yield grounds
        case "kubernetes":
            async with _kubernetes(home, policy, source) as grounds:
                yield grounds


@asynccontextmanager
async def _local(home: Home, policy: Policy, source: Where) -> AsyncIterator[Grounds]:
    platform, targets = local(home, policy, source)
    try:  # before they open: workers may run already where that fails
        await platform.open()
        await targets.open()
        yield Grounds(platform, targets, lambda: True, _always)
    finally:
        await targets.close()
        await platform.close()


def local(home: Home, policy: Policy, source: Where) -> tuple[LocalPlatform, LocalTargets]:
    """Neither is open."""
    postgres = EmbeddedPostgres(home.postgres)
    databases = PostgresDatabases(postgres.url, awake=postgres.ensure)

    def psql() -> Path:
        return postgres.binary("psql")

    platform = LocalPlatform(home.platform, policy=policy, source=source, databases=databases, psql=psql)
    targets = LocalTargets(
        home.targets, policy=policy, source=source, databases=databases, psql=psql, secrets=os.environ
    )
    return platform, targets


@asynccontextmanager
async def _kubernetes(home: Home, policy: Policy, source: Where) -> AsyncIterator[Grounds]:
    from controller.adapters.kubernetes.connect import connect  # noqa: PLC0415 - who has no cluster does not pay for it
    from controller.adapters.kubernetes.leader import Leader  # noqa: PLC0415
    from controller.adapters.kubernetes.main.targets import KubernetesTargets  # noqa: PLC0415
    from controller.adapters.kubernetes.platform import KubernetesPlatform  # noqa: PLC0415

    kubernetes = policy.kubernetes
    async with AsyncExitStack() as stack:
        databases = _databases(policy)
        api = await connect(kubernetes)
        stack.push_async_callback(api.close)
        platform = KubernetesPlatform(api, policy=policy, source=source, home=home.platform, databases=databases)
        stack.push_async_callback(platform.close)
        await platform.open()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        targets = KubernetesTargets(
            api,
            policy=policy,
            source=source,
            home=home.targets,
            databases=databases,
            secrets=os.environ,
            tell=teller(policy.targets, os.environ, session),
        )
        stack.push_async_callback(targets.close)
        await targets.open()

        async def lead(turns: Turns) -> None:
            try:
                await platform.lead()
                await targets.lead()
                await _always(turns)
            finally:
                await targets.stand_by()
                await platform.stand_by()

        identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        leader = Leader(api, kubernetes.namespace, kubernetes.instance, identity)

        yield Grounds(platform, targets, lambda: leader.leads, lambda turns: leader.run(lambda: lead(turns)))


async def _always(turns: Turns) -> None:
    turns.began()
    try:
        await asyncio.Event().wait()
    finally:
        await turns.ended()


def _databases(policy: Policy) -> Databases | None:
    kubernetes = policy.kubernetes
    if kubernetes.databases.isolation == "namespace":
        return None
    if not (url := os.environ.get(DATABASES_URL)):
        raise Refused(f"`kubernetes.databases.isolation: server` needs the server's URL in {DATABASES_URL}")
    owner = f"m{hashlib.sha256(kubernetes.instance.encode()).hexdigest()[:9]}"
    return PostgresDatabases(url, owner)
