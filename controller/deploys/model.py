"""The nouns of a deploy. No behaviour that needs I/O or a clock."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from controller.common.nouns import CheckJob, Commit, PreviewKey, Service, Step
from controller.common.spec import Spec
from smoke.spec import Check, CheckFile


class Verdict(StrEnum):
    PENDING = "pending"
    """It is made, rolled out, checked, soaked."""
    VERIFIED = "verified"
    REJECTED = "rejected"
    """It is not deployed again until a person says so."""
    SUPERSEDED = "superseded"
    """A newer one took its place before anything was known of it."""


def _spec(value: object) -> Spec:
    return value if isinstance(value, Spec) else _shared(json.dumps(value))


@lru_cache(maxsize=200)
def _shared(said: str) -> Spec:
    return Spec.model_validate(json.loads(said))


def _said(spec: Spec) -> object:
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _checks(value: object) -> tuple[Check, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(CheckFile.model_validate({"checks": value}).checks)


def _said_checks(checks: tuple[Check, ...]) -> object:
    return [check.model_dump(mode="json", by_alias=True, exclude_unset=True) for check in checks]


def identity(revision: str, env: Mapping[str, str], secrets: Mapping[str, str]) -> str:
    told = json.dumps([revision, sorted(env.items()), sorted(secrets.items())])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Release:
    """What is applied, whole and never changed: only what is thought of it changes.

    The tree that was built, the images' digests and the manifests are kept by the platform, under its number.
    """

    number: int
    """Counts from 1 in its target: people say `#7`."""
    commit: Commit
    spec: Annotated[Spec, PlainValidator(_spec), PlainSerializer(_said)]
    checks: Annotated[tuple[Check, ...], PlainValidator(_checks), PlainSerializer(_said_checks)]
    ordered_at: datetime
    because: str
    actor: str = "mayfly"
    env: Mapping[str, str] = field(default_factory=dict)
    """The operator's configuration of it."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable → digest of its value, which the platform keeps."""
    pull: PreviewKey | None = None
    """The pull request that was merged."""
    verdict: Verdict = Verdict.PENDING
    why: str = ""
    """Why it was judged so."""
    evidence: str = ""
    """The last lines of what failed, checks and logs; redacted, not escaped."""
    decided_at: datetime | None = None
    live_at: datetime | None = None
    """When it was applied first."""
    restored_at: datetime | None = None
    """When the target worked again, where it was rolled back from this one."""

    @property
    def revision(self) -> str:
        return self.commit.revision

    @property
    def identity(self) -> str:
        """The same for the same commit with the same configuration."""
        return identity(self.revision, self.env, self.secrets)


@dataclass(frozen=True, slots=True)
class Rollback:
    """From `bad` to `to`. `order` is the person's decision that it carries out, 0 where nobody asked."""

    bad: int
    to: int
    because: str
    actor: str
    at: datetime
    order: int = 0
    undo: tuple[int, ...] = ()
    """Releases whose `database.rollback` command runs first, newest first."""
    restored: bool | None = None
    """Whether the checks passed on what was restored; None while that is not known."""
    ended_at: datetime | None = None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing is deployed or rolled back by itself until a person says so. `commands` are what they can say."""

    because: str
    at: datetime
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A target, as it is kept on its platform: written whole, where nobody else has written since it was read."""

    target: str
    releases: tuple[Release, ...] = ()
    """Oldest first; those that are not here any more are removed from the platform."""
    live: int = 0
    """The release that should run; 0 for none."""
    live_since: datetime | None = None
    warm: int = 0
    """One that goes on running beside it, to be rolled back to in seconds; 0 for none."""
    rollback: Rollback | None = None
    """The latest."""
    stop: Stop | None = None
    order: int = 0
    """The latest decision of a person that was carried out."""

    def release(self, number: int) -> Release | None:
        return next((release for release in self.releases if release.number == number), None)

    @property
    def running(self) -> Release | None:
        return self.release(self.live)


RECORD: TypeAdapter[Record] = TypeAdapter(Record)
"""As JSON. Raises pydantic.ValidationError where it is none."""


class MakingState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Making:
    """How it goes to make a release ready to be applied: checkout, builds, images, manifests."""

    state: MakingState
    reason: str = ""
    """Why it failed, or what it waits for."""
    logs: str = ""
    steps: tuple[Step, ...] = ()
    digest: str = ""
    """Of all that is applied, once it is made."""


class RolloutState(StrEnum):
    PROGRESSING = "progressing"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Rollout:
    """How applying a release goes. `FAILED` is for what will not get better by itself."""

    release: int
    state: RolloutState
    message: str = ""
    logs: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the platform says of a target. `version` is the record's, for `Targets.save`."""

    record: Record
    version: str
    makings: Mapping[int, Making] = field(default_factory=dict)
    rollout: Rollout | None = None
    """Of the release that is live, or was just asked to be."""
    jobs: tuple[CheckJob, ...] = ()
    """Runs of checks, oldest first."""
    services: tuple[Service, ...] = ()
    migrated: frozenset[int] = frozenset()
    """Releases whose migration changed the database, as far as that can be told."""
    url: str = ""
    deployed: str | None = None
    """A target that is only watched: the revision that another tool has there; empty where it cannot be told."""


class Verb(StrEnum):
    ROLLBACK = "rollback"
    HOLD = "hold"
    RELEASE = "release"
    """Lets a held or stopped target go on."""
    REDEPLOY = "redeploy"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a target. `order` is when, in microseconds since 1970, and names it."""

    target: str
    order: int
    verb: Verb
    actor: str
    at: datetime
    because: str
    to: int = 0
    """The release that is meant; 0 where none was named."""
    force: bool = False
    """Although a migration in between is not marked reversible."""
    origin: str = ""
    """The same origin (an idempotency key, an alert) decides once."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """All decisions about one target, folded. None was never said."""

    held: Decision | None = None
    released: Decision | None = None
    rollback: Decision | None = None
    redeploy: Decision | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """What the target's probes said since a release became live. `known` is False where it has probes and they said
    nothing yet: that is not success. A target without probes has none that fail."""

    failed: int = 0
    total: int = 0
    known: bool = True
    worst: str = ""
    """The probe that failed most, with its latest message."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the policy says of a target."""

    auto: bool = True
    passes: int = 1
    failures: int = 2
    broken: int = 3
    pause: timedelta = timedelta(seconds=5)
    progress_deadline: timedelta = timedelta(minutes=10)
    soak: timedelta = timedelta(0)
    soak_failures: int = 2
    keep: int = 10
    warm: bool = False
    watched: bool = False
    may_roll_back: bool = True
    """A watched target without a command or webhook cannot be."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The release that the head of the branch would be. `problem`: why it cannot be one, in words for its author."""

    commit: Commit
    spec: Spec | None = None
    checks: tuple[Check, ...] = ()
    problem: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    pull: PreviewKey | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known about one target when it is decided about. `head` is None where the forge did not say."""

    target: str
    seen: Seen
    rules: Rules
    head: Draft | None = None
    wishes: Wishes = field(default_factory=Wishes)
    probed: Probed = Probed()


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a target's timeline."""

    target: str
    at: datetime
    kind: str
    text: str
    actor: str = "mayfly"
    release: int = 0


@dataclass(frozen=True, slots=True)
class Deed:
    """A release as History keeps it, for as long as anybody counts: what DORA's figures are computed from."""

    target: str
    number: int
    revision: str
    title: str
    actor: str
    committed_at: datetime
    ordered_at: datetime
    live_at: datetime | None = None
    verdict: Verdict = Verdict.PENDING
    decided_at: datetime | None = None
    why: str = ""
    restored_at: datetime | None = None
    """When the target worked again, where this one had to be rolled back."""
