"""Who asks, and what was asked: the one place behind the API, the dashboard and the command line.

    the token of MAYFLY_ADMIN_TOKEN          `admin`, who may do everything; History need not know it
    no `mayfly_ID_SECRET`, or an unknown ID  nobody
    another SECRET than the ID's             nobody
    revoked, or expired                      nobody
    else                                     who the token says, with its scope

A token that was found is remembered for `REMEMBERED`: it is revoked that soon everywhere, and at once
where that was told.
"""

import hmac
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from controller.access import tokens
from controller.access.model import Entry, Identity, Scope, Token
from controller.access.ports import Audit, Tokens
from controller.errors import MayflyError, Refused

REMEMBERED = timedelta(seconds=5)
"""How long a revoked token may still be taken by another replica."""
MOST_REMEMBERED = 1024
USED = timedelta(minutes=1)
"""How exactly it is known when a token was last used."""
ADMIN = Identity("admin", Scope.ADMIN, token="environment")  # noqa: S106 - says where it is from
ANYBODY = Identity("", Scope.ADMIN)
"""Where access is open."""
SHORTEST = 20
"""Characters of MAYFLY_ADMIN_TOKEN: what people can remember, machines can guess."""


class AccessDesk:
    """Methods raise Unavailable or Refused, as the ports do."""

    def __init__(self, known: Tokens, written: Audit, clock: Callable[[], datetime], admin: str = "") -> None:
        """`admin` is the token of MAYFLY_ADMIN_TOKEN; empty where there is none. Raises Refused where it is short."""
        if admin and len(admin) < SHORTEST:
            raise Refused(f"MAYFLY_ADMIN_TOKEN is too short: it needs at least {SHORTEST} characters")
        self._known = known
        self._written = written
        self._clock = clock
        self._admin = tokens.digest(admin) if admin else ""
        self._remembered: OrderedDict[str, tuple[Token, datetime]] = OrderedDict()

    async def who(self, presented: str) -> Identity | None:
        """Whose token it is; None where it is nobody's, or not any more."""
        if self._admin and hmac.compare_digest(tokens.digest(presented), self._admin):
            return ADMIN
        parsed = tokens.parse(presented)
        token = await self._find(parsed[0]) if parsed else None
        if parsed is None or token is None or not tokens.same(parsed[1], token.digest):
            return None
        now = self._clock()
        if tokens.why_over(token, now):
            return None
        await self._note_use(token, now)
        return Identity(token.name, token.scope, token.id)

    async def make(self, name: str, scope: Scope, by: str, expires_after: timedelta | None = None) -> tuple[Token, str]:
        """A new token, and what its owner has to keep: it is told this once."""
        now = self._clock()
        token, secret = tokens.make(name, scope, by, now, now + expires_after if expires_after else None)
        await self._known.add_token(token)
        return token, secret

    async def key(self, token_id: str) -> str:
        """What the controller and whoever holds this token know, and nobody else: the digest of its secret.

        Raises Refused where no such token is kept.
        """
        token = await self._find(token_id)
        if token is None:
            raise Refused("this is no token that is kept: `mayfly token create --scope agent` makes one")
        return token.digest

    async def tokens(self) -> tuple[Token, ...]:
        return await self._known.tokens()

    async def revoke(self, token_id: str) -> None:
        """Raises Refused where there is none that still holds."""
        revoked = await self._known.revoke_token(token_id, self._clock())
        self._remembered.pop(token_id, None)
        if not revoked:
            raise Refused(f"there is no token `{token_id}`, or it was revoked before")

    async def write(self, entry: Entry) -> None:
        await self._written.audit(entry)

    async def audited(self, limit: int, before: datetime | None) -> tuple[Entry, ...]:
        """Newest first."""
        return await self._written.audited(limit, before)

    async def _find(self, token_id: str) -> Token | None:
        now = self._clock()
        token, found_at = self._remembered.get(token_id, (None, now))
        if token is not None and now - found_at < REMEMBERED:
            return token
        token = await self._known.token(token_id)
        if token is not None:
            self._remember(token, now)
        else:
            self._remembered.pop(token_id, None)
        return token

    def _remember(self, token: Token, found_at: datetime) -> None:
        self._remembered[token.id] = (token, found_at)
        self._remembered.move_to_end(token.id)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _note_use(self, token: Token, now: datetime) -> None:
        """That it cannot be written keeps nobody out."""
        if token.used_at is not None and now - token.used_at < USED:
            return
        if token.id in self._remembered:
            self._remembered[token.id] = (replace(token, used_at=now), self._remembered[token.id][1])
        with suppress(MayflyError):
            await self._known.token_used(token.id, now)
