"""One target while a controller looks after it: what it keeps, its releases, and who works on it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from controller.adapters.local import environment
from controller.adapters.local.crew import Crew, Roster, with_step
from controller.adapters.local.environment import Facts
from controller.adapters.local.main import kept as file
from controller.adapters.local.main.kept import Kept
from controller.adapters.local.main.vault import Vault
from controller.adapters.shared.libpq import passwords
from controller.adapters.shared.words import redact
from controller.common.nouns import CheckJob, Step, StepState
from controller.common.spec import Spec
from controller.deploys.model import Making, MakingState, Record, Release, Rollout, RolloutState, Verdict
from controller.errors import Unavailable
from controller.settings import Local, Target

SEAL = "release.json"
_log = structlog.get_logger()


class Site(Roster):
    """`changed` is told of every change."""

    def __init__(
        self, folder: Path, target: Target, kept: Kept, mark: str, rules: Local, changed: Callable[[], None]
    ) -> None:
        super().__init__(folder, mark, rules)
        self.target, self.kept = target, kept
        self.vault = Vault(folder / "secrets")
        self.applier: asyncio.Task[None] | None = None
        self.working = asyncio.Lock()
        """Held by the one who applies: one that was told to end may take a while to."""
        self.makers: dict[int, asyncio.Task[None]] = {}
        self.forgetters: dict[int, asyncio.Task[None]] = {}
        self.watcher: asyncio.Task[None] | None = None
        self.checkers: dict[str, asyncio.Task[None]] = {}
        self.crews: dict[int, ReleaseCrew] = {}
        self._rules, self._changed = rules, changed
        self._passwords: tuple[str, ...] = ()

    @property
    def record(self) -> Record:
        return self.kept.record

    @property
    def busy(self) -> bool:
        return self.applier is not None and not self.applier.done()

    def crew(self, number: int) -> "ReleaseCrew | None":
        """Of a release that is in the record."""
        release = self.record.release(number)
        if release is None:
            return None
        if number not in self.crews:
            self.crews[number] = ReleaseCrew(self, release, self._rules)
        return self.crews[number]

    @property
    def live(self) -> "ReleaseCrew | None":
        return self.crew(self.record.live)

    @property
    def serving(self) -> "ReleaseCrew | None":
        """Whose services the host leads to."""
        return self.crew(self.kept.serving)

    @property
    def tested(self) -> "ReleaseCrew":
        crew = self.serving
        assert crew is not None, "checks run against what is rolled out"
        return crew

    @property
    def failed(self) -> bool:
        """Whether the live release could not be rolled out, and never was."""
        rollout = self.kept.rollout
        return rollout is not None and rollout.state is RolloutState.FAILED and self.kept.serving != self.record.live

    def wanted(self) -> set[int]:
        """Releases that may run."""
        live = {self.record.live} if not self.failed else set()
        return live | {self.record.warm, self.kept.serving} if self.record.live else set()

    def to_make(self) -> list["ReleaseCrew"]:
        used = {self.record.live, self.record.warm, self.kept.serving}
        crews = [
            self.crew(release.number)
            for release in self.record.releases
            if release.verdict is Verdict.PENDING or release.number in used
        ]
        return [crew for crew in crews if crew is not None and not crew.made and crew.may_be_made]

    def roster(self, number: int) -> Roster:
        """Units of a release, in the record or not."""
        return Roster(self.folder / "releases" / str(number), f"{self.mark}{number}/", self._rules)

    def lost(self) -> set[int]:
        """Releases that are here and not in the record."""
        found = {int(path.name) for path in self.folder.glob("releases/*") if path.name.isdigit()}
        known = found | self.kept.makings.keys() | self.kept.ports.keys()
        return known - {release.number for release in self.record.releases}

    def save(self, kept: Kept, *, durable: bool = False) -> None:
        """Raises Unavailable; what was kept before stands then."""
        file.write(self.folder, kept, durable=durable)
        self.kept = kept
        self._changed()

    def note(self, kept: Kept, *, durable: bool = False) -> None:
        """As `save`; a full disk does not keep it from being true."""
        try:
            self.save(kept, durable=durable)
        except Unavailable as error:
            _log.warning("a target cannot be written down", target=self.target.name, reason=error.reason)
            self.kept = kept
            self._changed()

    def take(self, record: Record, version: str) -> bool:
        """Whether there is something else to bring about. Raises Unavailable where it was saved by somebody else."""
        if version != self.version:
            raise Unavailable(f"somebody else has changed {record.target} meanwhile")
        kept = replace(self.kept, record=record, version=self.kept.version + 1)
        other = kept.aim != self.kept.aim
        if other:
            rollout = Rollout(record.live, RolloutState.PROGRESSING) if record.live else None
            kept = replace(kept, rollout=rollout, serving=self.kept.serving if record.live else 0)
        self.save(kept, durable=True)
        return other

    @property
    def version(self) -> str:
        return str(self.kept.version) if self.kept.version else ""

    @property
    def jobs(self) -> tuple[CheckJob, ...]:
        return self.kept.jobs

    def keep_jobs(self, jobs: tuple[CheckJob, ...], *, durable: bool = False) -> None:
        self.save(replace(self.kept, jobs=jobs), durable=durable)

    def makes(self, number: int, making: Making, *, durable: bool = False) -> None:
        told = replace(making, reason=self.redact(making.reason), logs=self.redact(making.logs))
        self.note(replace(self.kept, makings=self.kept.makings | {number: told}), durable=durable)

    def rolls_out(self, state: RolloutState, message: str = "", logs: str = "") -> None:
        rollout = Rollout(self.record.live, state, self.redact(message), self.redact(logs))
        if rollout != self.kept.rollout:
            self.note(replace(self.kept, rollout=rollout), durable=state is not RolloutState.PROGRESSING)

    def progress(self, message: str) -> None:
        """What it does or waits for, while it is under way."""
        rollout = self.kept.rollout
        if rollout is not None and rollout.state is RolloutState.PROGRESSING:
            self.rolls_out(RolloutState.PROGRESSING, message)

    def show(self, number: int, step: Step) -> None:
        making = self.kept.makings.get(number)
        if making is not None and making.state is MakingState.RUNNING:
            self.makes(number, replace(making, steps=with_step(making.steps, step)))
        if number == self.record.live and step.state is StepState.RUNNING:
            self.progress(step.name)

    def lose(self, number: int) -> None:
        """Nothing is left of a release. Raises Unavailable."""
        makings = {known: making for known, making in self.kept.makings.items() if known != number}
        ports = {known: chosen for known, chosen in self.kept.ports.items() if known != number}
        serving = 0 if self.kept.serving == number else self.kept.serving
        migrated, changed, undone = (
            one - {number} for one in (self.kept.migrated, self.kept.changed, self.kept.undone)
        )
        self.save(
            replace(
                self.kept,
                makings=makings,
                ports=ports,
                serving=serving,
                migrated=migrated,
                changed=changed,
                undone=undone,
            ),
            durable=True,
        )
        self.vault.forget_others({digest for one in self.record.releases for digest in one.secrets.values()})

    def keep_secret(self, url: str) -> None:
        self._passwords = tuple(dict.fromkeys((*self._passwords, *passwords(url))))

    def redact(self, text: str) -> str:
        return redact(text, (*self.vault.known, *passwords(self.kept.database_url), *self._passwords))


class ReleaseCrew(Crew):
    slowest_look = 0.05

    def __init__(self, site: Site, release: Release, rules: Local) -> None:
        super().__init__(site.folder / "releases" / str(release.number), f"{site.mark}{release.number}/", rules)
        self.release, self._site = release, site

    @property
    def number(self) -> int:
        return self.release.number

    @property
    def made(self) -> bool:
        """Whether all of it is here."""
        making = self._site.kept.makings.get(self.number)
        done = making is not None and making.state is MakingState.DONE
        return done and (self.folder / SEAL).exists() and self.tree.is_dir()

    @property
    def may_be_made(self) -> bool:
        making = self._site.kept.makings.get(self.number)
        return making is None or making.state is not MakingState.FAILED

    @property
    def repo(self) -> str:
        return self._site.target.repository

    @property
    def revision(self) -> str:
        return self.release.revision

    @property
    def kept_as(self) -> str:
        """Names who needs the objects of its revision."""
        return f"{self._site.target.name}-{self.number}"

    @property
    def spec(self) -> Spec:
        return self.release.spec

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def home(self) -> Path:
        """The target's: what an application keeps there stays."""
        return self._site.folder

    @property
    def ports(self) -> dict[str, int]:
        return self._site.kept.ports.get(self.number, {})

    def use_ports(self, ports: dict[str, int]) -> None:
        kept = self._site.kept
        self._site.save(replace(kept, ports=kept.ports | {self.number: ports}))

    def facts(self, url: Callable[[str], str]) -> Facts:
        """Raises Refused where the value of a secret is gone."""
        target, release = self._site.target, self.release
        address = target.url or url(target.name)
        known = {"sha": release.revision, "number": str(release.number), "url": address, "host": environment.HOST}
        told = {
            "MAYFLY_URL": address,
            "MAYFLY_SHA": release.revision,
            "MAYFLY_TARGET": target.name,
            "MAYFLY_RELEASE": str(release.number),
        }
        secrets = {name: self._site.vault.value(name, digest) for name, digest in release.secrets.items()}
        return Facts(release.spec, known, told, self.ports, self._site.kept.database_url, release.env, secrets)

    def redact(self, text: str) -> str:
        return self._site.redact(text)

    def keep_secret(self, url: str) -> None:
        self._site.keep_secret(url)

    def show(self, step: Step) -> None:
        self._site.show(self.number, step)
