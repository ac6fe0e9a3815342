"""Who there is: people, Apps with their installations, and the tokens they come with."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.github.repositories import Repository

ROLES = ("none", "read", "triage", "write", "maintain", "admin")
LEVELS = ("", "read", "write", "admin")
PERMISSIONS = {
    "checks": "write",
    "contents": "read",
    "deployments": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
"""What an App may do where nothing is said: no `administration`, so no deletion of environments."""
EVENTS = frozenset(
    {"pull_request", "issue_comment", "push", "check_run", "check_suite", "deployment", "deployment_status", "status"}
)
ALWAYS = frozenset({"installation", "installation_repositories", "ping"})
"""Every App is told these."""
TOKEN_LIFE = timedelta(hours=1)


@dataclass(eq=False)
class User:
    id: int
    login: str
    type: str = "User"
    created_at: str = ""


@dataclass(eq=False)
class App:
    id: int
    slug: str
    key: str
    """Public, PEM."""
    bot: User
    owner: User
    permissions: dict[str, str]
    events: frozenset[str] = EVENTS
    created_at: str = ""


@dataclass(eq=False)
class Installation:
    id: int
    app: App
    account: User
    repositories: "list[Repository]"
    permissions: dict[str, str]
    created_at: str = ""
    suspended_at: str | None = None


@dataclass(eq=False)
class Token:
    """`user` for a person's; `installation` for an App's."""

    value: str
    user: User
    installation: Installation | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    repositories: "list[Repository]" = field(default_factory=list)
    expires: datetime | None = None

    @property
    def is_app(self) -> bool:
        return self.installation is not None

    @property
    def purse(self) -> str:
        """Whose quota it uses up."""
        return f"installation {self.installation.id}" if self.installation else self.user.login

    def grants(self, permission: str, level: str) -> bool:
        return LEVELS.index(self.permissions.get(permission, "")) >= LEVELS.index(level)


def personal(user: User) -> Token:
    return Token(f"ghp_{secrets.token_hex(18)}", user)


def role_at_least(role: str, wanted: str) -> bool:
    return ROLES.index(role) >= ROLES.index(wanted)
