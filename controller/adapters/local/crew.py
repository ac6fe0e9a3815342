"""What is run from one tree of files, whoever needs it: its services, and the jobs that come before them."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.adapters.local.environment import Facts
from controller.adapters.local.processes import Process
from controller.adapters.local.units import Unit
from controller.adapters.shared.steps import Progress, StepFailed
from controller.common.nouns import Step, StepState
from controller.common.spec import Spec
from controller.settings import Local


class Roster:
    """Units below one folder, by kind and name. `mark` begins the mark of every process of theirs."""

    def __init__(self, folder: Path, mark: str, rules: Local) -> None:
        self.folder, self.mark = folder, mark
        self._rules = rules
        self._units: dict[tuple[str, str], Unit] = {}

    def unit(self, kind: str, name: str) -> Unit:
        if (kind, name) not in self._units:
            mark = f"{self.mark}{kind}/{name}/"
            self._units[kind, name] = Unit(self.folder / kind / name, mark, self._rules)
        return self._units[kind, name]

    def checks(self, suite: str) -> Unit:
        return self.unit("checks", suite)

    def units(self, *kinds: str) -> list[Unit]:
        """Those that have a folder, whoever made them, and those we know, should their folder be gone."""
        found = {(kind, path.name) for kind in kinds for path in self.folder.glob(f"{kind}/*")}
        known = {(kind, name) for kind, name in self._units if kind in kinds}
        return [self.unit(kind, name) for kind, name in sorted(found | known)]

    async def stop(self, *kinds: str) -> None:
        await asyncio.gather(*(unit.stop() for unit in self.units(*kinds)))


class Crew(Roster, ABC):
    slowest_look = 1.0
    """Most seconds between two looks at a service that starts."""

    def __init__(self, folder: Path, mark: str, rules: Local) -> None:
        super().__init__(folder, mark, rules)
        self.healthy: dict[str, Process] = {}
        """The process of each service that answered: another one has to answer again."""
        self.ailing: dict[str, str] = {}
        """Why a service that runs does not work yet."""

    @property
    @abstractmethod
    def repo(self) -> str: ...

    @property
    @abstractmethod
    def revision(self) -> str: ...

    @property
    @abstractmethod
    def spec(self) -> Spec: ...

    @property
    @abstractmethod
    def tree(self) -> Path:
        """The files of the revision."""

    @property
    @abstractmethod
    def home(self) -> Path:
        """Where HOME and TMPDIR of its processes are."""

    @property
    @abstractmethod
    def ports(self) -> Mapping[str, int]: ...

    @abstractmethod
    def use_ports(self, ports: dict[str, int]) -> None:
        """Writes them down. Raises Unavailable."""

    @abstractmethod
    def facts(self, url: Callable[[str], str]) -> Facts:
        """What its processes are told. `url` is that of a host label."""

    @abstractmethod
    def redact(self, text: str) -> str: ...

    @abstractmethod
    def keep_secret(self, url: str) -> None:
        """The password of a URL is redacted from here on."""

    @abstractmethod
    def show(self, step: Step) -> None:
        """How a step goes, in the place of what was shown of it before."""

    def service(self, name: str) -> Unit:
        return self.unit("services", name)

    def job(self, name: str) -> Unit:
        return self.unit("jobs", name)

    async def stop(self, *kinds: str) -> None:
        await super().stop(*kinds)
        if "services" in kinds:
            self.healthy.clear()
            self.ailing.clear()

    def works(self, name: str) -> bool:
        """Whether the very process that answered is still there."""
        unit = self.service(name)
        state = unit.state()
        running = state is not None and state.child is not None and state.child == self.healthy.get(name)
        return running and unit.alive

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[Progress]:
        """Shows that a step runs, and how it ended. One that is cancelled stays as running."""
        progress, started_at, clock = Progress(), datetime.now(UTC), time.monotonic()
        self.show(Step(name, StepState.RUNNING, started_at))
        try:
            yield progress
        except StepFailed as error:
            took = timedelta(seconds=time.monotonic() - clock)
            self.show(Step(name, StepState.FAILED, started_at, took, self.redact(error.reason)))
            raise
        took = timedelta(seconds=time.monotonic() - clock)
        self.show(Step(name, progress.state, started_at, took, progress.detail))


def with_step(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """In the place of an earlier one of this name, else at the end."""
    return tuple(({known.name: known for known in steps} | {step.name: step}).values())
