"""A platform in memory: a small world to change and to read.

What is deployed becomes ready at once, and its checks pass, unless told otherwise:

    platform = FakePlatform(clock)
    platform.slow = True                  # deploys stay `starting` until `platform.finish(key)`
    platform.breaks["abc…"] = "migrate: column is null"
    platform.outcomes["e2e"] = Outcome.FAILED
    platform.down = True

It keeps the same promises as the real ones: `tests/contracts/platform.py` runs on it.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from controller.common.bells import Broadcast
from controller.common.nouns import CheckJob, Phase, PreviewKey, Route, Service, StepState
from controller.errors import Refused, Unavailable
from controller.previews.model import DeployOrder, Preview
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from tests.fakes.machine import TOOK, Machine, services, step_names, steps


class Killed(BaseException):
    """The controller died, right here."""


class FakePlatform:
    """Read `alive`; `deployed` and `removed` are what was done, in order: repeating an order does nothing.

    Nothing takes time here: no preview is ever seen `terminating`, and no checks are seen under way.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC), machine: Machine | None = None) -> None:
        self.now = now
        self.machine = machine or Machine()
        self.alive = self.machine.alive
        self.breaks = self.machine.breaks
        self.down = False
        self.slow = False
        self.killed_after: int | None = None
        """So many more actions are carried out; then whoever asks dies, right after the action."""
        self.outcomes: dict[str, Outcome] = {}
        self.deployed: list[tuple[PreviewKey, str]] = []
        self.removed: list[PreviewKey] = []
        self.lines: list[str] = ["listening"]
        """The log of every service. No service writes to it, so following it ends where it does."""
        self._broadcast: Broadcast[PreviewKey] = Broadcast()

    # What happens in the world

    def ring(self, key: PreviewKey | None = None) -> None:
        self._broadcast.tell(key)

    def finish(self, key: PreviewKey) -> None:
        """What was slow becomes ready, or breaks."""
        order = self.machine.orders[key]
        reason, _, said = self.breaks.get(order.revision, "").partition("\n")
        step, _, why = reason.partition(": ")
        self._prepare_database(order, broken=step == "migrate")
        phase = Phase.FAILED if reason else Phase.READY
        ran = steps(order.spec, self.now(), step, StepState.FAILED)
        self._put(replace(self.alive[key], phase=phase, reason=reason, logs=said or why, steps=ran))

    def visit(self, key: PreviewKey) -> None:
        """Somebody looks at it now."""
        self._seen(key, self.now())

    # The port

    async def previews(self) -> tuple[Preview, ...]:
        self._reach()
        return tuple(self.alive.values())

    async def preview(self, key: PreviewKey) -> Preview | None:
        self._reach()
        return self.alive.get(key)

    async def deploy(self, order: DeployOrder) -> None:
        with self._acting():
            if self.machine.orders.get(order.key) == order:
                return
            self.deployed.append((order.key, order.revision))
            self.machine.orders[order.key] = order
            self._put(self._begun(order))
            if not self.slow and order.revision not in self.machine.stuck:
                self.finish(order.key)

    async def run_checks(self, key: PreviewKey, uid: str, revision: str, suite: str, order: int) -> None:
        with self._acting():
            preview = self._meant(key, uid, revision)
            known = {(job.suite, job.revision, job.order) for job in preview.jobs} if preview else set()
            if preview is None or (suite, revision, order) in known:
                return
            if suite not in self.machine.orders[key].spec.checks.suites():
                raise Refused(f"there are no `{suite}` checks in the spec")
            if preview.phase is not Phase.READY:
                raise Unavailable(f"the preview is {preview.phase}")
            job = CheckJob(suite, revision, order, self.now(), self._run(suite, revision))
            self._put(replace(preview, jobs=(*preview.jobs, job)))

    async def give_up(self, key: PreviewKey, uid: str, revision: str, because: str) -> None:
        with self._acting():
            preview = self._meant(key, uid, revision)
            if preview is not None and preview.phase is Phase.STARTING:
                self._put(replace(preview, phase=Phase.FAILED, reason=because))

    async def sleep(self, key: PreviewKey, uid: str, order: int) -> None:
        with self._acting():
            self._rest(key, uid, order, Phase.READY, Phase.SLEEPING)

    async def wake(self, key: PreviewKey, uid: str, order: int) -> None:
        with self._acting():
            self._rest(key, uid, order, Phase.SLEEPING, Phase.READY)

    async def remove(self, key: PreviewKey, uid: str) -> None:
        with self._acting():
            if self._meant(key, uid) is None:
                return
            del self.alive[key], self.machine.orders[key]
            self.machine.databases.pop(key, None)
            self.removed.append(key)
            self.ring(key)

    async def visited(self, key: PreviewKey, at: datetime) -> None:
        self._reach()
        self._seen(key, at)

    def route(self, host: str) -> Route | None:
        """Nobody listens at its address."""
        for preview in self.alive.values():
            for service in preview.services:
                if service.host and service.host == host.lower():
                    return self._route(preview, service)
        return None

    async def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        self._reach()
        if key not in self.alive:
            raise Refused(f"there is no preview of {key}")
        names = [one.name for one in self.alive[key].services]
        if service is not None and service not in names:
            raise Refused(f"there is no service `{service}`; there are {', '.join(names)}")
        for prefix in [f"{name} | " for name in names] if service is None else [""]:
            for line in self.lines[-lines:]:
                yield prefix + line

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None:
        self._reach()
        return None

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        return self._broadcast.changes()

    # How

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the platform is down")

    @contextmanager
    def _acting(self) -> Iterator[None]:
        self._reach()
        yield
        if self.killed_after is not None:
            self.killed_after -= 1
            if self.killed_after < 0:
                self.killed_after = None
                raise Killed

    def _meant(self, key: PreviewKey, uid: str, revision: str = "") -> Preview | None:
        """The very environment that is meant, if it is still there."""
        preview = self.alive.get(key)
        meant = preview is not None and preview.uid == uid and revision in {"", preview.revision}
        return preview if meant else None

    def _put(self, preview: Preview) -> None:
        """In the place of the one before. The time of a phase begins anew only where it is another."""
        before = self.alive.get(preview.key)
        if before is None or before.phase is not preview.phase:
            preview = replace(preview, phase_since=self.now())
        order = self.machine.orders[preview.key]
        self.alive[preview.key] = replace(preview, services=services(order, preview))
        self.ring(preview.key)

    def _begun(self, order: DeployOrder) -> Preview:
        now = self.now()
        uid = f"uid-{next(self.machine.uids)}"
        before = self.alive.get(order.key) or Preview(order.key, uid, "", Phase.STARTING, now, now)
        return replace(
            before,
            revision=order.revision,
            phase=Phase.STARTING,
            phase_since=now,
            url=f"http://{order.host}.localhost:8080",
            reason="",
            logs="",
            steps=steps(order.spec, now, step_names(order.spec)[-1], StepState.RUNNING),
            deploy_order=order.order,
        )

    def _prepare_database(self, order: DeployOrder, *, broken: bool) -> None:
        postgres, databases = order.spec.postgres, self.machine.databases
        kept = databases.pop(order.key, "")
        if postgres is None or broken:
            return
        if postgres.on_push == "fresh" or order.fresh_database:
            kept = ""
        done = [kept or ("seeded" if postgres.seed else ""), "migrated" if postgres.migrate else ""]
        databases[order.key] = ",".join(filter(None, done))

    def _run(self, suite: str, revision: str) -> SuiteRun:
        attempt = Attempt(self.outcomes.get(suite, Outcome.PASSED), TOOK)
        return SuiteRun(suite, revision, self.now(), TOOK, (CheckResult(f"{suite} check", "http", (attempt,)),))

    def _rest(self, key: PreviewKey, uid: str, order: int, before: Phase, after: Phase) -> None:
        if preview := self._meant(key, uid):
            phase = after if preview.phase is before else preview.phase
            self._put(replace(preview, phase=phase, rest_order=max(order, preview.rest_order)))

    def _seen(self, key: PreviewKey, at: datetime) -> None:
        if preview := self.alive.get(key):
            self._put(replace(preview, last_visit=max(at, preview.last_visit or at)))

    def _route(self, preview: Preview, service: Service) -> Route:
        port = self.machine.orders[preview.key].spec.services[service.name].port
        address = ("127.0.0.1", port) if port and preview.phase is Phase.READY else None
        step = preview.steps[-1].name if preview.phase is Phase.STARTING else ""
        return Route(preview.key, service.name, preview.phase, address, preview.reason, preview.logs, step)
