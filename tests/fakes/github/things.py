"""What is written at a repository: comments, reactions, checks, statuses, deployments. No behaviour."""

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.github.people import App, User


@dataclass(eq=False)
class Reaction:
    id: int
    user: User
    content: str
    created_at: str


@dataclass(eq=False)
class Comment:
    id: int
    number: int
    """Of its pull request."""
    user: User
    body: str
    created_at: str
    updated_at: str
    app: App | None = None
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def author(self) -> str:
        return self.user.login


@dataclass(eq=False)
class CheckSuite:
    id: int
    app: App
    head_sha: str
    head_branch: str | None
    created_at: str
    updated_at: str
    rerequested: bool = False


@dataclass(eq=False)
class CheckRun:
    id: int
    suite: CheckSuite
    name: str
    head_sha: str
    started_at: str
    status: str = "queued"
    conclusion: str | None = None
    completed_at: str | None = None
    external_id: str | None = None
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(eq=False)
class Status:
    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: User
    created_at: str


@dataclass(eq=False)
class DeploymentStatus:
    id: int
    state: str
    description: str
    environment: str
    environment_url: str
    log_url: str
    creator: User
    created_at: str
    app: App | None = None


@dataclass(eq=False)
class Deployment:
    id: int
    sha: str
    ref: str
    task: str
    environment: str
    description: str | None
    payload: Any
    transient: bool
    production: bool
    creator: User
    created_at: str
    updated_at: str
    app: App | None = None
    statuses: list[DeploymentStatus] = field(default_factory=list)
    """Oldest first."""

    @property
    def state(self) -> str:
        return self.statuses[-1].state if self.statuses else "pending"


@dataclass(eq=False)
class Environment:
    id: int
    name: str
    created_at: str
