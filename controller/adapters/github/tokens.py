"""A token for each installation of an App, while it lives an hour.

It is asked for again ten minutes before it ends, once for all who wait; where that fails, the old one is used while it
lives. One that is not used any more stays secret until it ends.

https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from pydantic import AwareDatetime, BaseModel, Field

from controller.adapters.github import lists
from controller.adapters.github.credentials import ask_fine
from controller.adapters.github.door import Door
from controller.adapters.github.key import AppKey
from controller.adapters.github.limits import TOKEN_LIFE
from controller.adapters.github.once import Once
from controller.adapters.github.wire import Request
from controller.errors import MayflyError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

APP = "app"
"""The account that counts what the App itself asks."""
AHEAD = timedelta(minutes=10)
"""Of its end a token is asked for again."""
SPARE = timedelta(minutes=1)
"""A token that ends sooner is not used."""
AGAIN_AFTER = timedelta(seconds=30)
"""That a new token could not be had, while the old one lives."""


class _Granted(BaseModel):
    token: str = Field(repr=False, min_length=1)
    expires_at: AwareDatetime


@dataclass(slots=True)
class _Token:
    value: str = field(default="", repr=False)
    ends: datetime | None = None
    again_at: datetime | None = None
    once: Once[None] = field(default_factory=Once)

    def lives(self, at: datetime) -> bool:
        return self.ends is not None and at < self.ends


class Tokens:
    def __init__(self, door: Door, key: AppKey) -> None:
        self._door = door
        self._key = key
        self._tokens: dict[int, _Token] = {}
        self._granted: list[tuple[str, datetime]] = []

    async def of(self, installation: int) -> str:
        """Raises NotThere where there is no such installation, Refused or Unavailable."""
        now = self._door.clock()
        token = self._tokens.setdefault(installation, _Token())
        waits = token.again_at is not None and now < token.again_at
        if not token.lives(now + (SPARE if waits else AHEAD)):
            await self._renew(installation, token)
        return token.value

    def secrets(self) -> tuple[str, ...]:
        """Those that still work, in use or not."""
        now = self._door.clock()
        self._granted = [(token, ends) for token, ends in self._granted if now < ends]
        return tuple(token for token, _ in self._granted)

    def forget(self, installation: int) -> None:
        self._tokens.pop(installation, None)

    def forget_all(self) -> None:
        self._tokens.clear()

    async def _renew(self, installation: int, token: _Token) -> None:
        try:
            await token.once.run(lambda: self._grant(installation, token))
        except MayflyError as error:
            now = self._door.clock()
            if not token.lives(now + SPARE):
                raise
            token.again_at = now + AGAIN_AFTER
            log.warning("no new token of the App's installation", installation=installation, reason=error.reason)

    async def _grant(self, installation: int, token: _Token) -> None:
        path = f"app/installations/{installation}/access_tokens"
        asked_at = self._door.clock()
        request = Request("POST", path, token=self._key.word(asked_at), body=b"{}")
        granted = lists.one(await ask_fine(self._door, APP, request), _Granted, f"POST {path}")
        token.ends = min(granted.expires_at, asked_at + TOKEN_LIFE)
        token.value, token.again_at = granted.token, None
        self._granted.append((granted.token, max(granted.expires_at, token.ends)))
