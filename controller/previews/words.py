"""What can be said about a preview on a forge: one comment, check runs, a deployment. Shapes only; see `report`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CheckStatus(StrEnum):
    """GitHub's words for a check run, its conclusion included (Checks API)."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    ACTION_REQUIRED = "action_required"
    """Our `broken`: it blocks a merge as a failure does, and says that nothing is known."""


@dataclass(frozen=True, slots=True)
class Annotation:
    path: str
    line: int
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One suite, as it stands on a commit. `title` and `summary` are Markdown; `external_id` makes it idempotent."""

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
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class DeploymentReport:
    environment: str
    revision: str
    state: DeploymentState
    url: str
    description: str
    """At most 140 characters."""


@dataclass(frozen=True, slots=True)
class Words:
    """All that is said about one pull request at one moment. None: nothing (more) is said there."""

    comment: str | None = None
    checks: tuple[CheckReport, ...] = ()
    deployment: DeploymentReport | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One comment of a conversation. `sticky` is ours, edited in place; `answers` is the id of what it answers."""

    id: str
    author: str
    body: str
    created_at: datetime
    updated_at: datetime
    sticky: bool = False
    answers: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A pull request's page, as the embedded forge shows it: comments oldest first, the latest check of each name."""

    entries: tuple[Entry, ...]
    checks: tuple[CheckReport, ...]
    deployment: DeploymentReport | None
