"""Says what is new, and nothing twice: what was said is remembered by digest, once whoever it is for took it.

they say                            it is said again
----------------------------------  ------------------------------------------------------------------
later, or nothing (Unavailable)     in the next round; not before the time that they name
no (Refused)                        once there are other words, or after an hour
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import structlog

from controller.common.errands import AT_ONCE
from controller.errors import Refused, Unavailable

log = structlog.get_logger()
Key = TypeVar("Key")
"""Whose words they are: a pull request, a target."""
REFUSED_AGAIN = timedelta(hours=1)
"""Until words that were refused are tried again as they are: somebody may have unlocked the conversation."""
IN_DOUBT = "?"
"""Stands for the digest of words of which nobody knows whether they were heard."""
Said = Mapping[str, str]
"""Digest of what was last said, by channel."""
Tell = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Later:
    """Not before `until`; where `digest` is set, only those words."""

    until: datetime
    since: datetime
    """Since when something waits to be said there."""
    digest: str = ""


class Telling(Generic[Key]):
    """`remember` keeps digests by channel, those of the other channels as they are."""

    def __init__(self, remember: Callable[[Key, Said], Awaitable[None]], clock: Callable[[], datetime]) -> None:
        self._remember = remember
        self._clock = clock
        self._later: dict[tuple[Key, str], _Later] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def doubt(self, key: Key, channels: Collection[str], said: Said) -> None:
        """From here on they may have heard the new words, though we never learn of it: their answer is lost, or we
        are killed. Old words that come true again are news then."""
        if before := {channel: IN_DOUBT for channel in channels if said.get(channel, IN_DOUBT) != IN_DOUBT}:
            await self._remember(key, before)

    async def tell(self, key: Key, channel: str, digest: str, tell: Tell) -> bool:
        before, now = self._later.pop((key, channel), None), self._clock()
        since = before.since if before and not before.digest else now
        try:
            async with self._turns:
                await tell()
        except Unavailable as error:
            self._later[key, channel] = _Later(now + (error.retry_after or timedelta()), since)
            if before is None:  # what waits its turn is tried every round, and told once
                log.warning("could not say it yet", about=str(key), channel=channel, reason=error.reason)
            return False
        except Refused as error:
            self._later[key, channel] = _Later(now + REFUSED_AGAIN, now, digest)
            log.warning("it was refused", about=str(key), channel=channel, reason=error.reason)
            return False
        return True

    def is_due(self, key: Key, channel: str, digest: str) -> bool:
        later = self._later.get((key, channel))
        return later is None or later.digest not in {"", digest} or self._clock() >= later.until

    def is_refused(self, key: Key, channel: str) -> bool:
        later = self._later.get((key, channel))
        return later is not None and later.digest != ""

    def forget(self, key: Key, channel: str) -> None:
        """It came true again, and waits for nothing."""
        self._later.pop((key, channel), None)

    def forget_all_but(self, keys: Collection[Key]) -> None:
        self._later = {at: later for at, later in self._later.items() if at[0] in keys}

    def waiting_since(self) -> datetime | None:
        """Since when the oldest of what is to be said has waited. What was refused waits for nobody."""
        return min((later.since for later in self._later.values() if not later.digest), default=None)


def digest_of(words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]
