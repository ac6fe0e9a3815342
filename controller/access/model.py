"""The nouns of access."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a token may do. `operate` may read, `admin` may do everything; `agent` only what an agent does."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"
    AGENT = "agent"

    def covers(self, wanted: "Scope") -> bool:
        ranks = {Scope.READ: 0, Scope.OPERATE: 1, Scope.ADMIN: 2}
        if Scope.AGENT in {self, wanted}:
            return self is wanted or self is Scope.ADMIN
        return ranks[self] >= ranks[wanted]


@dataclass(frozen=True, slots=True)
class Token:
    """As it is kept: never itself. What people hold is `mayfly_ID_SECRET`; `digest` is SHA-256 of SECRET, which has 256
    random bits, so that no slow hash is needed."""

    id: str
    name: str
    """Who it is: what the log, the timeline and the pull request say. An agent's is its location."""
    scope: Scope
    digest: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    """To the minute."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `token` is the id of theirs; empty where access is open."""

    name: str
    scope: Scope
    token: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that changed something, or tried to. Never what it carried."""

    at: datetime
    actor: str
    token: str
    method: str
    path: str
    status: int
    address: str
    detail: str = ""
    """In a few words, where whoever handled it said: `rollback production to #6`."""


SESSION_COOKIE, SESSION_COOKIE_TLS = "mayfly_session", "__Host-mayfly_session"
"""Names of the cookie with a browser's token, over http and over https."""
