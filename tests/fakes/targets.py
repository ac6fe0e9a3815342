"""Targets in memory: a small world to change and to read.

What is ordered is made and rolled out at once, and its checks pass, unless told otherwise:

    targets = FakeTargets(clock)
    targets.ground.rollout_takes = timedelta(seconds=30)      # by the clock; so do `making_takes` and `checks_take`
    targets.ground.unmakeable["abc…"] = "build web: exit status 2"
    targets.ground.crashing["abc…"] = "no such table: users"  # from now on, though it may be rolled out
    targets.ground.slow.add("abc…")
    targets.ground.outcomes["abc…"] = [Outcome.FAILED, Outcome.PASSED]
    targets.down = True

    assert targets.applied == [1, 2, 1]
    assert targets.running == {"production": 1}

It keeps the same promises as the real ones: `tests/contracts/targets.py` runs on it.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from controller.common.bells import Broadcast
from controller.common.nouns import CheckJob, Phase, PreviewKey, Route
from controller.deploys.model import Record, Release, Rollout, RolloutState, Seen
from controller.errors import Refused, Unavailable
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from tests.fakes.ground import Ground
from tests.fakes.platform import Killed
from tests.fakes.site import TOOK, Site


class FakeTargets:
    """The world goes on whenever it is looked at, up to the moment that the clock shows."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC), ground: Ground | None = None) -> None:
        self.now = now
        self.ground = ground or Ground()
        self.applied = self.ground.applied
        self.down = False
        self.killed_after: int | None = None
        """So many more actions are carried out; then whoever asks dies, right after the action."""
        self.repository = "shop"
        self.lines: list[str] = ["listening"]
        """The log of every service."""
        self.artifacts: dict[tuple[str, str], bytes] = {}
        """What the latest run of checks left, by target and name."""
        self._broadcast: Broadcast[str] = Broadcast()

    @property
    def running(self) -> Mapping[str, int]:
        """The release that visitors of a target reach; a target that none answers at is left out."""
        found = {target: self.ground.go_on(target, self.now()).answers for target in self.ground.sites}
        return {target: number for target, number in found.items() if number}

    def ring(self, target: str | None = None) -> None:
        self._broadcast.tell(target)

    # The port

    async def seen(self, target: str) -> Seen:
        self._reach()
        deployed = self.ground.deployed.get(target)
        if target not in self.ground.sites:
            return Seen(Record(target), "", deployed=deployed)
        site = self.ground.go_on(target, self.now())
        rollout = self.ground.rollout(site, self.now())
        return Seen(
            record=site.record,
            version=str(site.version),
            makings={
                release.number: self.ground.making(site, release, self.now()) for release in site.begun_releases()
            },
            rollout=rollout,
            jobs=tuple(self._finished(job) for job in site.jobs),
            services=site.services(rollout),
            migrated=frozenset(number for number, changed in site.migrated.items() if changed),
            url=f"http://{target}.localhost:8080",
            deployed=deployed,
        )

    async def save(self, record: Record, version: str) -> None:
        with self._acting(record.target):
            site = self.ground.sites.get(record.target) or Site(Record(record.target))
            if version != (str(site.version) if site.version else ""):
                raise Unavailable("somebody else has changed the target")
            self.ground.sites[record.target] = site
            site.record, site.version = record, site.version + 1
            for release in record.releases:
                site.begun.setdefault(release.number, self.now())
            site.forget()
            self.ground.go_on(record.target, self.now())

    async def run_checks(self, target: str, release: int, order: int) -> None:
        with self._acting(target):
            site = self._known(target)
            rollout, live = self.ground.rollout(site, self.now()), site.record.running
            if live is None or rollout != Rollout(release, RolloutState.COMPLETE):
                raise Unavailable(f"#{release} is not rolled out")
            if order in {job.order for job in site.jobs}:
                return
            site.jobs.append(CheckJob("smoke", live.revision, order, self.now(), self._run(live)))

    def route(self, host: str) -> Route | None:
        """Nobody listens at its address."""
        target, _, name = host.partition("--")
        site = self.ground.go_on(target, self.now()) if target in self.ground.sites else None
        release = site.record.release(site.answers) if site else None
        if release is None:
            return None
        service = name or release.spec.main_service
        port = release.spec.services[service].port if service in release.spec.services else None
        key = PreviewKey(self.repository, 0)
        return Route(key, service, Phase.READY, ("127.0.0.1", port)) if port else None

    async def logs(self, target: str, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        self._reach()
        live = self._known(target).record.running
        names = list(live.spec.services) if live else []
        if service is not None and service not in names:
            raise Refused(f"there is no service `{service}`; there are {', '.join(names)}")
        for prefix in [f"{name} | " for name in names] if service is None else [""]:
            for line in self.lines[-lines:]:
                yield prefix + line

    async def artifact(self, target: str, name: str) -> bytes | None:
        self._reach()
        return self.artifacts.get((target, name))

    def bells(self) -> AsyncIterator[str | None]:
        return self._broadcast.changes()

    # How

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the place that main runs at is down")

    def _known(self, target: str) -> Site:
        if target not in self.ground.sites:
            raise Refused(f"nothing was deployed at {target}")
        return self.ground.go_on(target, self.now())

    @contextmanager
    def _acting(self, target: str) -> Iterator[None]:
        self._reach()
        yield
        self.ring(target)
        if self.killed_after is not None:
            self.killed_after -= 1
            if self.killed_after < 0:
                self.killed_after = None
                raise Killed

    def _run(self, release: Release) -> SuiteRun:
        known = self.ground.outcomes.get(release.revision) or [Outcome.PASSED]
        outcome = known.pop(0) if len(known) > 1 else known[0]
        attempt = Attempt(outcome, TOOK, "" if outcome is Outcome.PASSED else "status 500, expected below 400")
        return SuiteRun("smoke", release.revision, self.now(), TOOK, (CheckResult("smoke check", "http", (attempt,)),))

    def _finished(self, job: CheckJob) -> CheckJob:
        return replace(job, run=None) if self.now() < job.started_at + self.ground.checks_take else job
