"""Tokens as people hold them: `mayfly_ID_SECRET`. ID finds it, and may be shown; SECRET is kept by nobody but them.

SECRET has 256 random bits, so that one SHA-256 is enough: what nobody can guess needs no slow hash. Pure but for
`make`.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime

from controller.access.model import Scope, Token

PREFIX = "mayfly"
"""Scanners for leaked secrets know a token by it."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,59}$"
"""What a token may be called: it stands in logs, comments and headers."""
_SHAPE = re.compile(rf"{PREFIX}_([a-z0-9]{{12}})_([A-Za-z0-9_-]{{43}})")
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def make(name: str, scope: Scope, by: str, at: datetime, expires_at: datetime | None = None) -> tuple[Token, str]:
    """A new one as it is kept, and as its owner holds it: that is shown once."""
    token_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    kept = Token(token_id, name, scope, digest(secret), created_at=at, created_by=by, expires_at=expires_at)
    return kept, f"{PREFIX}_{token_id}_{secret}"


def parse(presented: str) -> tuple[str, str] | None:
    """ID and SECRET; None where it is none of ours."""
    found = _SHAPE.fullmatch(presented)
    return (found[1], found[2]) if found else None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def same(secret: str, kept: str) -> bool:
    """In a time that tells nothing of where they differ."""
    return hmac.compare_digest(digest(secret), kept)


def why_over(token: Token, now: datetime) -> str:
    """Why it is worth nothing any more; empty where it holds."""
    if token.revoked_at is not None:
        return "it was revoked"
    if token.expires_at is not None and now >= token.expires_at:
        return "it has expired"
    return ""
