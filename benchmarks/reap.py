"""200 previews whose pull requests are closed at once, until their namespaces are gone.

The peer deletes 200 namespaces like them with bare requests, as many at a time: what is left is the pace of the API
server. On the cluster of $KUBECONFIG where one is named, and on a fake one otherwise, in a process of its own.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from benchmarks._cluster import cluster
from benchmarks._ground import Ground, commit, ground, policy, real_cluster
from benchmarks.model import Row
from controller.adapters.history import open_history, sqlite_url
from controller.adapters.kubernetes.api import NAMESPACE
from controller.adapters.kubernetes.names import selector
from controller.api.metrics import Metrics
from controller.common.errands import each
from controller.common.nouns import PreviewKey
from controller.common.spec import FILE
from controller.previews.model import Rules
from controller.previews.reconcile import Reconciler, Setting
from controller.settings import Policy
from tests.adapters.kubernetes import programs
from tests.fakes.forge import FakeForge

NAMESPACES = 200
PATIENCE = 1_200.0


async def measure() -> list[Row]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder, ExitStack() as stack:
            where, chosen, image = _chosen(Path(folder), stack)
            forge = _Forge(commit(Path(folder), {"README": "a shop"}), image)
            async with ground(Path(folder), chosen) as here, _crowd(here, forge, Path(folder)) as crowd:
                await crowd.open()
                ours = await crowd.reaped_by_us()
                await crowd.open()
                bare = await crowd.reaped_with_bare_requests()
    finally:
        structlog.reset_defaults()
    against = f"the same namespaces deleted with bare requests ({where})"
    name = f"{NAMESPACES} pull requests closed → their namespaces gone"
    return [Row.at_most(name, ours, 1.1 * bare + 5.0, "s", peer=bare, against=against)]


def _chosen(folder: Path, stack: ExitStack) -> tuple[str, Policy, str]:
    """Where, how, and which image the previews run."""
    if os.environ.get("KUBECONFIG"):
        image = real_cluster()
        return "a real cluster", policy(requests_per_second=1000, images={"mayfly": image}), image
    kubeconfig = folder / "kubeconfig"
    stack.enter_context(cluster(kubeconfig))
    images = {"mayfly": programs.MAYFLY, "postgres": programs.POSTGRES}
    chosen = policy(kubeconfig=str(kubeconfig), images=images, reach="direct", requests_per_second=1000)
    return "a fake cluster", chosen, programs.SHOP


@asynccontextmanager
async def _crowd(here: Ground, forge: "_Forge", folder: Path) -> AsyncIterator["_Crowd"]:
    history = await open_history(sqlite_url(folder / "history.sqlite3"))
    rules = Rules(max_alive=NAMESPACES, max_removals=NAMESPACES)
    chosen = here.policy
    setting = Setting(rules, chosen.allow, chosen.url(), timedelta(minutes=1), chosen.kubernetes)
    loop = Reconciler(forge, here.platform, history, setting, Metrics(), lambda: datetime.now(UTC))
    running = asyncio.create_task(loop.run())
    try:
        yield _Crowd(here, forge, running)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await history.close()


class _Forge(FakeForge):
    """Every pull request is at the one commit there is, and brings the same application."""

    def __init__(self, revision: str, image: str) -> None:
        super().__init__(lambda: datetime.now(UTC) - timedelta(seconds=5))
        self._only_commit = revision
        self._spec = f'services: {{web: {{image: "{image}", command: [serve, good, one], port: 8000}}}}'.encode()

    def push(self, key: PreviewKey, files: Mapping[str, str] | None = None) -> str:
        self.edit(key, head=self._only_commit)
        return self._only_commit

    async def read_file(self, repo: str, revision: str, path: str, limit: int) -> bytes | None:
        return self._spec if path == FILE else None


class _Crowd:
    def __init__(self, here: Ground, forge: _Forge, running: "asyncio.Task[None]") -> None:
        self._here, self._forge, self._running = here, forge, running
        self._keys: list[PreviewKey] = []

    async def open(self) -> None:
        """Until everything is applied; whether the pods run is another matter."""
        self._keys = [self._forge.open("shop", f"branch-{n}") for n in range(NAMESPACES)]
        async with asyncio.timeout(PATIENCE):
            while await self._started() < NAMESPACES:  # noqa: ASYNC110 -- looked at from outside, as a person would
                await asyncio.sleep(0.5)

    async def reaped_by_us(self) -> float:
        began = time.perf_counter()
        for key in self._keys:
            self._forge.close(key)
        return await self._until_gone(began)

    async def reaped_with_bare_requests(self) -> float:
        """Nobody of ours looks on."""
        self._running.cancel()
        await asyncio.wait([self._running])
        await self._here.platform.stand_by()
        names = await self._namespaces()
        began = time.perf_counter()
        await each(lambda name: self._here.api.delete(NAMESPACE, name), names)
        return await self._until_gone(began)

    async def _started(self) -> int:
        found = await self._here.platform.previews()
        return sum(any(step.name == "start web" for step in preview.steps) for preview in found)

    async def _until_gone(self, began: float) -> float:
        async with asyncio.timeout(PATIENCE):
            while await self._namespaces():  # noqa: ASYNC110 -- likewise
                await asyncio.sleep(0.1)
        return time.perf_counter() - began

    async def _namespaces(self) -> list[str]:
        found, _ = await self._here.api.list(NAMESPACE, labels=selector(self._here.policy.kubernetes.instance))
        return [one["metadata"]["name"] for one in found]


if __name__ == "__main__":
    print(asyncio.run(measure()))
