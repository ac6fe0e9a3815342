"""Tokens and the audit in memory: what was kept can be read straight from its fields."""

import copy
from dataclasses import replace
from datetime import datetime

from controller.access.model import Entry, Token
from controller.errors import Refused, Unavailable


class FakeAccess:
    """`down`: every call is Unavailable."""

    def __init__(self) -> None:
        self.down = False
        self.kept_tokens: dict[str, Token] = {}
        self.entries: list[Entry] = []

    def beside(self) -> "FakeAccess":
        """The same, as another controller has it."""
        return copy.copy(self)

    async def add_token(self, token: Token) -> None:
        self._reach()
        if token.id in self.kept_tokens:
            raise Refused(f"there is a token {token.id} already")
        self.kept_tokens[token.id] = token

    async def token(self, token_id: str) -> Token | None:
        self._reach()
        return self.kept_tokens.get(token_id)

    async def tokens(self) -> tuple[Token, ...]:
        self._reach()
        return tuple(sorted(self.kept_tokens.values(), key=lambda token: (token.created_at, token.id)))

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        self._reach()
        token = self.kept_tokens.get(token_id)
        if token is None or token.revoked_at is not None:
            return False
        self.kept_tokens[token_id] = replace(token, revoked_at=at)
        return True

    async def token_used(self, token_id: str, at: datetime) -> None:
        self._reach()
        token, minute = self.kept_tokens.get(token_id), at.replace(second=0, microsecond=0)
        if token is not None and (token.used_at is None or token.used_at < minute):
            self.kept_tokens[token_id] = replace(token, used_at=minute)

    async def audit(self, entry: Entry) -> None:
        self._reach()
        self.entries.append(entry)

    async def audited(self, limit: int = 200, before: datetime | None = None) -> tuple[Entry, ...]:
        self._reach()
        found = [entry for entry in reversed(self.entries) if before is None or entry.at < before]
        return tuple(sorted(found, key=lambda entry: entry.at, reverse=True))[:limit]

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("tokens cannot be read")
