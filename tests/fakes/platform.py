"""A platform in memory: a small world to change and to read.

What is deployed becomes ready at once, and its checks pass, unless told otherwise:

    platform = FakePlatform(clock)
    platform.slow = True                  # deploys stay `starting` until `platform.finish(key)`
    platform.breaks["abc…"] = "migrate: column is null"
    platform.outcomes["e2e"] = Outcome.FAILED
    platform.down = True
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from controller.errors import Refused, Unavailable
from controller.previews.model import (
    CheckJob,
    DeployOrder,
    Phase,
    Preview,
    PreviewKey,
    Route,
    Service,
    ServiceState,
)
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun


class FakePlatform:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.down = False
        self.slow = False
        self.killed_after: int | None = None
        """So many more actions are carried out; then whoever asks dies, right after the action."""
        self.breaks: dict[str, str] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.alive: dict[PreviewKey, Preview] = {}
        self.deployed: list[tuple[PreviewKey, str]] = []
        self.removed: list[PreviewKey] = []
        self.lines: list[str] = ["listening"]
        self._made = 0
        self._listeners: set[asyncio.Queue[PreviewKey | None]] = set()

    def ring(self, key: PreviewKey | None = None) -> None:
        for listener in self._listeners:
            listener.put_nowait(key)

    def finish(self, key: PreviewKey) -> None:
        """What was slow becomes ready, or breaks."""
        preview = self.alive[key]
        broken = self.breaks.get(preview.revision, "")
        phase = Phase.FAILED if broken else Phase.READY
        self.alive[key] = replace(preview, phase=phase, phase_since=self.now(), reason=broken)
        self.ring(key)

    def visit(self, key: PreviewKey) -> None:
        self.alive[key] = replace(self.alive[key], last_visit=self.now())
        self.ring(key)

    async def previews(self) -> tuple[Preview, ...]:
        self._reach()
        return tuple(self.alive.values())

    async def preview(self, key: PreviewKey) -> Preview | None:
        self._reach()
        return self.alive.get(key)

    async def deploy(self, order: DeployOrder) -> None:
        self._reach()
        self.deployed.append((order.key, order.revision))
        old = self.alive.get(order.key)
        self._made += 1
        self.alive[order.key] = Preview(
            key=order.key,
            uid=old.uid if old else f"uid-{self._made}",
            revision=order.revision,
            phase=Phase.STARTING,
            phase_since=self.now(),
            created_at=old.created_at if old else self.now(),
            url=f"http://{order.host}.localhost:8080",
            services=(Service(order.spec.main_service, ServiceState.HEALTHY, order.host),),
            last_visit=old.last_visit if old else None,
            deploy_order=order.order,
            rest_order=old.rest_order if old else 0,
        )
        if not self.slow:
            self.finish(order.key)
        self._maybe_die()

    async def run_checks(self, key: PreviewKey, uid: str, revision: str, suite: str, order: int) -> None:
        self._reach()
        outcome = self.outcomes.get(suite, Outcome.PASSED)
        result = CheckResult(f"{suite} check", "http", (Attempt(outcome, timedelta(milliseconds=20)),))
        run = SuiteRun(suite, revision, self.now(), timedelta(milliseconds=20), (result,))
        preview = self.alive[key]
        job = CheckJob(suite, revision, order, self.now(), run)
        self.alive[key] = replace(preview, jobs=(*preview.jobs, job))
        self.ring(key)
        self._maybe_die()

    async def give_up(self, key: PreviewKey, uid: str, revision: str, because: str) -> None:
        self._reach()
        self.alive[key] = replace(self.alive[key], phase=Phase.FAILED, phase_since=self.now(), reason=because)
        self._maybe_die()

    async def sleep(self, key: PreviewKey, uid: str, order: int) -> None:
        self._rest(key, Phase.SLEEPING, order)

    async def wake(self, key: PreviewKey, uid: str, order: int) -> None:
        self._rest(key, Phase.READY, order)

    def _rest(self, key: PreviewKey, phase: Phase, order: int) -> None:
        self._reach()
        self.alive[key] = replace(self.alive[key], phase=phase, phase_since=self.now(), rest_order=order)
        self._maybe_die()

    async def remove(self, key: PreviewKey, uid: str) -> None:
        self._reach()
        if key in self.alive and self.alive[key].uid == uid:
            del self.alive[key]
            self.removed.append(key)
            self.ring(key)
        self._maybe_die()

    async def visited(self, key: PreviewKey, at: datetime) -> None:
        self.visit(key)

    def route(self, host: str) -> Route | None:
        return None

    async def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        if key not in self.alive:
            raise Refused(f"there is no preview of {key}")
        for line in self.lines[-lines:]:
            yield line

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None:
        return None

    async def bells(self) -> AsyncIterator[PreviewKey | None]:
        queue: asyncio.Queue[PreviewKey | None] = asyncio.Queue()
        self._listeners.add(queue)
        while True:
            yield await queue.get()

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the platform is down")

    def _maybe_die(self) -> None:
        if self.killed_after is not None:
            self.killed_after -= 1
            if self.killed_after < 0:
                self.killed_after = None
                raise Killed


class Killed(BaseException):
    """The controller died, right here."""
