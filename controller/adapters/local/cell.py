"""One preview while a controller looks after it: its record, its units, and who works on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from weakref import WeakValueDictionary

from controller.adapters.local import store
from controller.adapters.local.builds import Builds
from controller.adapters.local.processes import Process
from controller.adapters.local.store import Record
from controller.adapters.local.units import Unit
from controller.adapters.shared.orders import Aim
from controller.adapters.shared.sources import Sources
from controller.adapters.shared.steps import Progress, StepFailed
from controller.adapters.shared.words import redact
from controller.common.nouns import Step, StepState
from controller.ports import Databases
from controller.previews.model import Phase
from controller.settings import Local, Policy

JOBS = ("build", "seed", "migrate")


@dataclass(frozen=True, slots=True)
class Means:
    """What it takes to make previews."""

    policy: Policy
    url: Callable[[str], str]
    databases: Databases
    psql: Callable[[], Path]
    sources: Sources
    builds: Builds
    seeding: WeakValueDictionary[str, asyncio.Lock]
    """Held by the preview that seeds; the others that need the same seed wait."""
    taken_ports: Callable[[], set[int]]
    turns: asyncio.Semaphore
    """Taken by each build, seed and migration, so that many deploys at once do not starve the previews that run."""
    smoke: tuple[str, ...]
    """The command that runs checks."""


class Cell:
    """`mark` begins the mark of every process of this preview; `changed` is told of every change."""

    def __init__(self, folder: Path, record: Record, mark: str, rules: Local, changed: Callable[[], None]) -> None:
        self.folder, self.record, self.mark = folder, record, mark
        self.worker: asyncio.Task[None] | None = None
        self.working = asyncio.Lock()
        """Held by the one worker that works: one that was told to end may take a while to."""
        self.watcher: asyncio.Task[None] | None = None
        self.checkers: dict[str, asyncio.Task[None]] = {}
        self.healthy: dict[str, Process] = {}
        """The process of each service that answered: another one has to answer again."""
        self.ailing: dict[str, str] = {}
        """Why a service that runs does not work yet."""
        self.gone = False
        self.last_visit = record.last_visit
        """Newer than the record's, which is not written for every visit."""
        self._rules, self._changed = rules, changed
        self._units: dict[tuple[str, str], Unit] = {}

    @property
    def tree(self) -> Path:
        """The files of the revision that is, or becomes, deployed."""
        return self.folder / "trees" / str(self.record.deployed)

    @property
    def busy(self) -> bool:
        return self.worker is not None and not self.worker.done()

    def unit(self, kind: str, name: str) -> Unit:
        if (kind, name) not in self._units:
            mark = f"{self.mark}{kind}/{name}/"
            self._units[kind, name] = Unit(self.folder / kind / name, mark, self._rules)
        return self._units[kind, name]

    def service(self, name: str) -> Unit:
        return self.unit("services", name)

    def job(self, name: str) -> Unit:
        return self.unit("jobs", name)

    def checks(self, suite: str) -> Unit:
        return self.unit("checks", suite)

    def units(self, *kinds: str) -> list[Unit]:
        """Those that have a folder, whoever made them, and those we know, should their folder be gone."""
        found = {(kind, path.name) for kind in kinds for path in self.folder.glob(f"{kind}/*")}
        known = {(kind, name) for kind, name in self._units if kind in kinds}
        return [self.unit(kind, name) for kind, name in sorted(found | known)]

    async def stop(self, *kinds: str) -> None:
        await asyncio.gather(*(unit.stop() for unit in self.units(*kinds)))
        if "services" in kinds:
            self.healthy.clear()
            self.ailing.clear()

    def works(self, name: str) -> bool:
        """Whether the very process that answered is still there."""
        unit = self.service(name)
        state = unit.state()
        running = state is not None and state.child is not None and state.child == self.healthy.get(name)
        return running and unit.alive

    def save(self, record: Record, *, durable: bool = False) -> None:
        """Raises Unavailable; the old record stands then."""
        if not self.gone:
            store.write(self.folder, record, durable=durable)
        self.record = record
        self._changed()

    def visited(self, at: datetime) -> None:
        self.last_visit = max(at, self.last_visit or at)

    def enter(self, phase: Phase, aim: Aim, reason: str = "", logs: str = "", *, crashed: bool = False) -> None:
        """Another phase; its time begins anew only where it is another."""
        since = self.record.phase_since if self.record.phase is phase else datetime.now(UTC)
        record = replace(self.record, phase=phase, aim=aim, phase_since=since, crashed=crashed)
        self.save(replace(record, reason=self.redact(reason), logs=self.redact(logs)))

    def redact(self, text: str) -> str:
        return redact(text, self.record.secrets)

    def keep_secret(self, url: str) -> None:
        """The password of a URL is redacted from here on."""
        if password := urlsplit(url).password:
            known = dict.fromkeys((*self.record.secrets, unquote(password), quote(unquote(password))))
            self.save(replace(self.record, secrets=tuple(known)[-12:]))

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[Progress]:
        """Writes down that a step runs, and how it ended. One that is cancelled stays as running."""
        progress, started_at, clock = Progress(), datetime.now(UTC), time.monotonic()
        self._put(Step(name, StepState.RUNNING, started_at))
        try:
            yield progress
        except StepFailed as error:
            took = timedelta(seconds=time.monotonic() - clock)
            self._put(Step(name, StepState.FAILED, started_at, took, self.redact(error.reason)))
            raise
        took = timedelta(seconds=time.monotonic() - clock)
        self._put(Step(name, progress.state, started_at, took, progress.detail))

    def _put(self, step: Step) -> None:
        """In the place of an earlier one of this name, else at the end."""
        steps = {known.name: known for known in self.record.steps} | {step.name: step}
        self.save(replace(self.record, steps=tuple(steps.values())))
