"""What can be said on a forge: comments, check runs, commit statuses, deployments. Shapes only; see each `report`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class CheckStatus(StrEnum):
    """GitHub's words for a check run, its conclusion included (Checks API)."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    ACTION_REQUIRED = "action_required"
    """Our `broken`: it blocks a merge as a failure does, and says that nothing is known."""
    NEUTRAL = "neutral"
    """It is over, nothing is known, and nobody needs to: it blocks nothing."""


@dataclass(frozen=True, slots=True)
class Annotation:
    path: str
    line: int
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One suite, as it stands on a commit. `title` is plain text, `summary` is Markdown; `external_id` makes it
    idempotent."""

    name: str
    revision: str
    status: CheckStatus
    title: str
    summary: str
    external_id: str
    annotations: tuple[Annotation, ...] = ()
    started_at: datetime | None = None
    completed_at: datetime | None = None


class DeploymentState(StrEnum):
    """GitHub's words for a deployment status."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class DeploymentReport:
    environment: str
    revision: str
    state: DeploymentState
    url: str
    description: str
    """At most 140 characters."""
    production: bool = False
    """Not a preview: GitHub's `production_environment`, which is not removed."""


class CommitState(StrEnum):
    """GitHub's words for a commit status."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    """Nothing is known, or a person is needed."""


@dataclass(frozen=True, slots=True)
class CommitStatus:
    context: str
    """Its name: `mayfly/production`."""
    state: CommitState
    description: str
    """At most 140 characters."""
    url: str = ""


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What a commit of main is told of its deploy."""

    revision: str
    status: CommitStatus | None = None
    check: CheckReport | None = None
    deployment: DeploymentReport | None = None


@dataclass(frozen=True, slots=True)
class CommitSaid:
    """All that stands on a commit: the latest of each name, by name."""

    statuses: tuple[CommitStatus, ...] = ()
    checks: tuple[CheckReport, ...] = ()
    deployments: tuple[DeploymentReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """All that is said about one pull request at one moment. None: nothing (more) is said there.

    `quiet`: only where something was said before.
    """

    comment: str | None = None
    checks: tuple[CheckReport, ...] = ()
    deployment: DeploymentReport | None = None
    quiet: bool = False


class Mood(StrEnum):
    """What came of a command, for forges where a reaction to the comment says it."""

    DONE = "done"
    """Taken, and what it does shows elsewhere: a reaction is answer enough."""
    TOLD = "told"
    """It asked for words."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reply:
    """To a comment, in Markdown."""

    body: str
    mood: Mood = Mood.TOLD


@dataclass(frozen=True, slots=True)
class ForgeHealth:
    """How well the forge can be talked with, from memory: for metrics and `mayfly doctor`. All of it may be unknown."""

    name: str
    remaining: int | None = None
    """Requests left of `limit` until `resets_at`, where the forge counts them (the least of several accounts)."""
    limit: int | None = None
    resets_at: datetime | None = None
    waits_until: datetime | None = None
    """Nothing is asked before; `why` says who wants that."""
    why: str = ""
    heard_at: datetime | None = None
    """When the forge last told us something unasked."""
    lag: timedelta | None = None
    """How long the oldest of what is to be said has waited; None where nothing waits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One comment of a conversation. `sticky` is ours, edited in place, one for each `topic`; `answers` is the id of
    what it answers."""

    id: str
    author: str
    body: str
    created_at: datetime
    updated_at: datetime
    sticky: bool = False
    answers: str = ""
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A pull request's page, as the embedded forge shows it: comments oldest first, the latest check of each name."""

    entries: tuple[Entry, ...]
    checks: tuple[CheckReport, ...]
    deployment: DeploymentReport | None
