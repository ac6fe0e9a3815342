"""1,000 previews: the loop alone, and a whole controller beside a fake cluster of 1,000 namespaces.

The loop alone has its forge and its platform in memory. The whole one is `mayfly serve --platform kubernetes` with real
pushes and History in SQLite; the API server is a process of its own, and counts what it is asked.
"""

import asyncio
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from benchmarks._cluster import Cluster, cluster
from benchmarks._process import Use, use_of
from benchmarks.model import Row
from controller.adapters.history import open_history, sqlite_url
from controller.api.metrics import Metrics
from controller.ports import History
from controller.previews.model import Rules
from controller.previews.reconcile import Reconciler, Setting
from controller.settings import Allowed
from tests.adapters.kubernetes import programs
from tests.fakes.forge import FakeForge
from tests.fakes.platform import FakePlatform
from tests.scenarios.world import World

PREVIEWS = 1_000
ROUNDS = 7
MINUTE = 60.0
PATIENCE = 1_800.0
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SPEC = """
services: {web: {command: "serve --port {port}", port: 8000, health: /}, worker: {command: work}}
checks:
  smoke: [{name: home page, http: {path: /}}]
  e2e: [{name: checkout, http: {path: /checkout}}]
"""
SHOP = f"""
services: {{web: {{image: "{programs.SHOP}", command: [serve, good, one], port: 8000, health: /}}}}
database: {{postgres: {{}}}}
checks: {{smoke: [{{name: home page, http: {{path: /}}}}]}}
"""


async def measure() -> list[Row]:
    return [*await _loop_alone(), *await asyncio.to_thread(_whole)]


async def _loop_alone() -> list[Row]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
        history = await open_history(sqlite_url(Path(folder) / "history.sqlite3"))
        try:
            return await _Loop(history).rows()
        finally:
            await history.close()
            structlog.reset_defaults()


class _Loop:
    def __init__(self, history: History) -> None:
        self._forge = FakeForge(lambda: NOON - timedelta(minutes=1))
        self._platform = FakePlatform(lambda: NOON)
        self._history = history
        self._loop = self._controller()

    async def rows(self) -> list[Row]:
        keys = [self._forge.open("shop", f"branch-{n}", {".preview.yaml": SPEC}) for n in range(PREVIEWS)]
        made = await _time(self._settle)
        resync = [await _time(self._loop.round) for _ in range(ROUNDS)]
        looks = [await _time(partial(self._loop.round, {key})) for key in keys[:: PREVIEWS // 50]]
        return [
            Row(f"{PREVIEWS:,} previews, the loop alone: made, checked and told", made, None, None, "s", holds=True),
            Row.at_most("… a resync", statistics.median(resync), 2.0, "s"),
            Row("… a look at one of them", statistics.median(looks), None, None, "s", holds=True),
            Row("… the first round of a new controller", await self._restart(), None, None, "s", holds=True),
        ]

    def _controller(self) -> Reconciler:
        rules = Rules(max_alive=PREVIEWS, max_removals=PREVIEWS)
        setting = Setting(rules, Allowed(), "http://localhost:8080", timedelta(minutes=1))
        return Reconciler(self._forge, self._platform, self._history, setting, Metrics(), lambda: NOON)

    async def _settle(self) -> None:
        """Until there is nothing to do and nothing to say any more."""
        quiet, deadline = 0, time.monotonic() + PATIENCE
        while quiet < ROUNDS:
            before = await self._history.said()
            actions = await self._loop.round()
            at_rest = not actions and await self._history.said() is before and self._all_told()
            quiet = quiet + 1 if at_rest else 0
            if time.monotonic() > deadline:
                raise RuntimeError("they did not get ready")

    def _all_told(self) -> bool:
        return all("all 2 checks passed" in self._forge.sticky(key) for key in self._forge.pulls)

    async def _restart(self) -> float:
        again = self._controller()
        try:
            return await _time(again.round)
        finally:
            await again.close()


async def _time(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class _Look:
    """What had been used and asked for up to some moment."""

    use: Use
    requests: Mapping[str, int]
    rounds: float
    """Seconds in all rounds together."""


def _whole() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        with cluster(kubeconfig) as fake:
            world = World(Path(folder) / "world", _policy(kubeconfig))
            world.start()
            try:
                return _Whole(world, fake).rows()
            finally:
                world.kill()


def _policy(kubeconfig: Path) -> str:
    images = f"{{mayfly: '{programs.MAYFLY}', postgres: '{programs.POSTGRES}'}}"
    kubernetes = f"kubeconfig: {kubeconfig}, images: {images}, wait_for_image: 0s, reach: direct"
    return f"""
platform: kubernetes
previews: {{max_alive: {PREVIEWS}, max_removals: {PREVIEWS}, resync: 1m, give_up_after: 1h}}
kubernetes: {{{kubernetes}, requests_per_second: 1000}}
"""


class _Whole:
    def __init__(self, world: World, fake: Cluster) -> None:
        self._world, self._fake = world, fake

    def rows(self) -> list[Row]:
        began = time.perf_counter()
        self._push()
        self._until_told()
        made = time.perf_counter() - began
        before = self._look()
        time.sleep(MINUTE)
        after = self._look()
        asked = {what: count - before.requests.get(what, 0) for what, count in after.requests.items()}
        most = ", ".join(f"{count} {what}" for what, count in sorted(asked.items(), key=_by_count) if count)
        cpu = 100 * (after.use.cpu - before.use.cpu) / MINUTE
        return [
            Row(f"{PREVIEWS:,} previews, a whole controller: push → checked", made, None, None, "s", holds=True),
            Row.at_most("… memory", after.use.memory, 300.0, "MB", against=f"at most {after.use.peak:.0f} MB so far"),
            Row.at_most("… CPU of an idle minute", cpu, 2.0, "% of a core"),
            Row.at_most("… requests of an idle minute", sum(asked.values()), 60, "", against=most),
            Row.at_most("… a resync (all rounds of that minute)", after.rounds - before.rounds, 2.0, "s"),
        ]

    def _push(self) -> None:
        """A branch for every preview, each with a commit of its own, in one push."""
        self._world.write({".preview.yaml": SHOP})
        base = self._world.commit("the shop")
        stream = "".join(
            f"commit refs/heads/branch-{n}\ncommitter ada <ada@example.com> 1767355200 +0000\n"
            f"data <<END\nchange {n}\nEND\nfrom {base}\n"
            for n in range(PREVIEWS)
        )
        subprocess.run(["git", "fast-import", "--quiet"], cwd=self._world.checkout, input=stream.encode(), check=True)
        self._world.push("refs/heads/branch-*")

    def _until_told(self) -> None:
        """Until all are checked, and the controller has come to rest."""
        deadline, busy = time.monotonic() + PATIENCE, True
        while busy or self._figure('mayfly_checks_total{outcome="passed",suite="smoke"}') < PREVIEWS:
            if time.monotonic() > deadline:
                raise TimeoutError(f"they did not get ready: {self._world.log()[-3000:]}")
            before = use_of(self._world.pid).cpu
            time.sleep(5)
            busy = use_of(self._world.pid).cpu - before > 0.5

    def _figure(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self._world.get("/metrics") or "", re.MULTILINE)
        return float(found[1]) if found else 0.0

    def _look(self) -> _Look:
        return _Look(use_of(self._world.pid), self._fake.requests(), self._figure("mayfly_round_seconds_sum"))


def _by_count(item: tuple[str, int]) -> int:
    return -item[1]


if __name__ == "__main__":
    print(asyncio.run(measure()))
