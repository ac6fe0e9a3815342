"""What access needs of the world. Part of History; one contract suite holds its adapters."""

from datetime import datetime
from typing import Protocol

from controller.access.model import Entry, Token


class Tokens(Protocol):
    async def add_token(self, token: Token) -> None: ...

    async def token(self, token_id: str) -> Token | None: ...

    async def tokens(self) -> tuple[Token, ...]:
        """Those that are over included, oldest first."""
        ...

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        """False where there is none, or it was revoked before."""
        ...

    async def token_used(self, token_id: str, at: datetime) -> None: ...


class Audit(Protocol):
    async def audit(self, entry: Entry) -> None: ...

    async def audited(self, limit: int = 200, before: datetime | None = None) -> tuple[Entry, ...]:
        """Newest first."""
        ...
