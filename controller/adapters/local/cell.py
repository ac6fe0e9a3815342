"""One preview while a controller looks after it: its record, its units, and who works on it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from controller.adapters.local import environment, store
from controller.adapters.local.crew import Crew, with_step
from controller.adapters.local.environment import Facts
from controller.adapters.local.store import Record
from controller.adapters.shared.libpq import passwords
from controller.adapters.shared.orders import Aim
from controller.adapters.shared.words import redact
from controller.common.nouns import CheckJob, Phase, Step
from controller.common.spec import Spec
from controller.settings import Local

JOBS = ("build", "seed", "migrate")


class Cell(Crew):
    """`mark` begins the mark of every process of this preview; `changed` is told of every change."""

    def __init__(self, folder: Path, record: Record, mark: str, rules: Local, changed: Callable[[], None]) -> None:
        super().__init__(folder, mark, rules)
        self.record = record
        self.worker: asyncio.Task[None] | None = None
        self.working = asyncio.Lock()
        """Held by the one worker that works: one that was told to end may take a while to."""
        self.watcher: asyncio.Task[None] | None = None
        self.checkers: dict[str, asyncio.Task[None]] = {}
        self.gone = False
        self.last_visit = record.last_visit
        """Newer than the record's, which is not written for every visit."""
        self._changed = changed

    @property
    def tree(self) -> Path:
        """The files of the revision that is, or becomes, deployed."""
        return self.folder / "trees" / str(self.record.deployed)

    @property
    def busy(self) -> bool:
        return self.worker is not None and not self.worker.done()

    @property
    def repo(self) -> str:
        return self.record.key.repo

    @property
    def revision(self) -> str:
        return self.record.order.revision

    @property
    def spec(self) -> Spec:
        return self.record.order.spec

    @property
    def home(self) -> Path:
        return self.folder

    @property
    def ports(self) -> dict[str, int]:
        return self.record.ports

    def use_ports(self, ports: dict[str, int]) -> None:
        self.save(replace(self.record, ports=ports))

    def facts(self, url: Callable[[str], str]) -> Facts:
        return environment.of_preview(self.record, url(self.record.order.host))

    @property
    def jobs(self) -> tuple[CheckJob, ...]:
        return self.record.jobs

    def keep_jobs(self, jobs: tuple[CheckJob, ...], *, durable: bool = False) -> None:
        self.save(replace(self.record, jobs=jobs), durable=durable)

    @property
    def tested(self) -> "Cell":
        return self

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
        if new := passwords(url):
            known = dict.fromkeys((*self.record.secrets, *new))
            self.save(replace(self.record, secrets=tuple(known)[-12:]))

    def show(self, step: Step) -> None:
        self.save(replace(self.record, steps=with_step(self.record.steps, step)))
