"""The platform that the policy names, put together. A part of the composition root."""

import asyncio
import hashlib
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from controller.adapters.local.platform import LocalPlatform
from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import PostgresDatabases
from controller.adapters.shared.sources import Where
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
    """A platform, and which of several controllers acts on it. `take_turns` runs until it is cancelled."""

    platform: Platform
    leads: Callable[[], bool]
    take_turns: Callable[[Turns], Coroutine[object, object, None]]


@asynccontextmanager
async def opened(home: Home, policy: Policy, source: Where) -> AsyncIterator[Grounds]:
    """Raises Refused or Unavailable where the platform cannot be used. Previews go on running after it closes."""
    match policy.platform:
        case "local":
            platform = local(home, policy, source)
            try:  # before it opens: workers may run already where that fails
                await platform.open()
                yield Grounds(platform, lambda: True, _always)
            finally:
                await platform.close()
        case "kubernetes":
            async with _kubernetes(home, policy, source) as grounds:
                yield grounds


def local(home: Home, policy: Policy, source: Where) -> LocalPlatform:
    postgres = EmbeddedPostgres(home.postgres)
    return LocalPlatform(
        home.platform,
        policy=policy,
        source=source,
        databases=PostgresDatabases(postgres.url, awake=postgres.ensure),
        psql=lambda: postgres.binary("psql"),
    )


@asynccontextmanager
async def _kubernetes(home: Home, policy: Policy, source: Where) -> AsyncIterator[Grounds]:
    from controller.adapters.kubernetes.connect import connect  # noqa: PLC0415 - who has no cluster does not pay for it
    from controller.adapters.kubernetes.leader import Leader  # noqa: PLC0415
    from controller.adapters.kubernetes.platform import KubernetesPlatform  # noqa: PLC0415

    kubernetes = policy.kubernetes
    async with AsyncExitStack() as stack:
        databases = _databases(policy)
        api = await connect(kubernetes)
        stack.push_async_callback(api.close)
        platform = KubernetesPlatform(api, policy=policy, source=source, home=home.platform, databases=databases)
        stack.push_async_callback(platform.close)
        await platform.open()
        identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        leader = Leader(api, kubernetes.namespace, kubernetes.instance, identity)

        async def take_turns(turns: Turns) -> None:
            async def lead() -> None:
                try:
                    await platform.lead()
                    await _always(turns)
                finally:
                    await platform.stand_by()

            await leader.run(lead)

        yield Grounds(platform, lambda: leader.leads, take_turns)


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
