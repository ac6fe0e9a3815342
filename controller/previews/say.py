"""Tells a pull request what is new, and nothing twice.

What was said is remembered by digest, and only once the forge took it; so a forge that is down hears the latest state
afterwards, and a controller that lost its memory says the same words over the same comment.

    the forge says                      it is said again
    ----------------------------------  ------------------------------------------------------------------
    later, or nothing (Unavailable)     in the next round; not before the time that it names
    no (Refused)                        once there are other words, or after an hour; a farewell for a day
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from controller.common.errands import AT_ONCE
from controller.common.nouns import PreviewKey
from controller.common.words import Reply, Words
from controller.errors import Refused, Unavailable
from controller.ports import Forge, History
from controller.previews.look import FAREWELL, farewell
from controller.previews.model import Case, Ending

log = structlog.get_logger()
COMMENT = "comment"
REFUSED_AGAIN = timedelta(hours=1)
"""Until words that were refused are tried again as they are: somebody may have unlocked the conversation."""
FAREWELL_FOR = timedelta(days=1)
"""Last words that were refused for so long are not said any more."""
IN_DOUBT = "?"
"""Stands for the digest of words of which nobody knows whether they were heard."""


Said = Mapping[str, str]
"""Digest of what was last said, by channel."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What there is to say about a case, without the words."""

    case: Case
    hold: str
    digests: Said
    quiet: bool


@dataclass(frozen=True, slots=True)
class _Later:
    """Not before `until`; where `digest` is set, only those words."""

    until: datetime
    since: datetime
    """Since when something waits to be said there."""
    digest: str = ""


Tell = Callable[[], Awaitable[None]]


class Speaker:
    """`words` is pure: for an equal case and hold it is asked once, as long as all of it is still said."""

    def __init__(
        self, forge: Forge, history: History, words: Callable[[Case, str], Words], clock: Callable[[], datetime]
    ) -> None:
        self._forge = forge
        self._history = history
        self._words = words
        self._clock = clock
        self._known: dict[PreviewKey, _Known] = {}
        self._later: dict[tuple[PreviewKey, str], _Later] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    def has_news(self, case: Case, hold: str, said: Said) -> bool:
        """Whether `say` would say anything now, or remember that all is said."""
        known = self._known.get(case.key)
        if known is None or (known.case, known.hold) != (case, hold):
            words = self._words(case, hold)
            digests = {channel: digest_of(text) for channel, text, _ in self._channels(case.key, words)}
            known = _Known(case, hold, digests, words.quiet)
        self._known[case.key] = replace(known, case=case)  # the newer of two that are equal: the older can go
        if known.quiet and COMMENT not in said:
            return False
        news = [(channel, digest) for channel, digest in known.digests.items() if said.get(channel) != digest]
        for channel in known.digests.keys() - dict(news).keys():
            self._later.pop((case.key, channel), None)  # it came true again, and waits for nothing
        if _is_over(case, said):
            return not news or any(self._is_due(case.key, *one) for one in news)
        return any(self._is_due(case.key, *one) for one in news)

    async def say(self, case: Case, hold: str, said: Said) -> bool:
        """Whether anything new was said."""
        news = [
            (channel, digest, tell)
            for channel, text, tell in self._channels(case.key, self._words(case, hold))
            if said.get(channel) != (digest := digest_of(text))
        ]
        due = [one for one in news if self._is_due(case.key, one[0], one[1])]
        await self._doubt(case.key, [channel for channel, _, _ in due], said)
        told = {channel: digest for channel, digest, tell in due if await self._tell(case.key, channel, digest, tell)}
        unsaid = [channel for channel, digest, _ in news if channel not in told]
        if case.ending is not None and _is_over(case, said) and not self._waits(case.ending, unsaid):
            await self._history.remember_said(case.key, told | {FAREWELL: farewell(case.ending)})
        elif told:
            await self._history.remember_said(case.key, told)
        return bool(told)

    def forget_all_but(self, keys: Collection[PreviewKey]) -> None:
        self._known = {key: known for key, known in self._known.items() if key in keys}
        self._later = {at: later for at, later in self._later.items() if at[0] in keys}

    def waiting_since(self) -> datetime | None:
        """Since when the oldest of what is to be said has waited for the forge. What was refused waits for nobody."""
        return min((later.since for later in self._later.values() if not later.digest), default=None)

    async def answer(self, key: PreviewKey, comment: str, reply: Reply) -> bool:
        """Whether the forge took it, or never will."""
        channel, digest = f"answer:{comment}", digest_of(reply)
        if not self._is_due(key, channel, digest):
            return False
        tell = partial(self._forge.answer, key, comment, reply)
        if not await self._tell(key, channel, digest, tell) and not self._is_refused(key, channel):
            return False
        await self._history.remember_said(key, {channel: digest})
        return True

    def _channels(self, key: PreviewKey, words: Words) -> Iterator[tuple[str, object, Tell]]:
        if (comment := words.comment) is not None:
            yield COMMENT, comment, partial(self._forge.say, key, comment)
        for check in words.checks:
            yield f"check:{check.name}", check, partial(self._forge.report_check, key, check)
        if (deployment := words.deployment) is not None:
            yield "deployment", deployment, partial(self._forge.report_deployment, key, deployment)

    async def _doubt(self, key: PreviewKey, channels: Collection[str], said: Said) -> None:
        """From here on the forge may have heard the new words, though we never learn of it: its answer is lost, or we
        are killed. Old words that come true again are news then."""
        if before := {channel: IN_DOUBT for channel in channels if said.get(channel, IN_DOUBT) != IN_DOUBT}:
            await self._history.remember_said(key, before)

    async def _tell(self, key: PreviewKey, channel: str, digest: str, tell: Tell) -> bool:
        before, now = self._later.pop((key, channel), None), self._clock()
        since = before.since if before and not before.digest else now
        try:
            async with self._turns:
                await tell()
        except Unavailable as error:
            self._later[key, channel] = _Later(now + (error.retry_after or timedelta()), since)
            if before is None:  # what waits its turn is tried every round, and told once
                log.warning("could not say it yet", pull=str(key), channel=channel, reason=error.reason)
            return False
        except Refused as error:
            self._later[key, channel] = _Later(now + REFUSED_AGAIN, now, digest)
            log.warning("the forge refused it", pull=str(key), channel=channel, reason=error.reason)
            return False
        return True

    def _is_due(self, key: PreviewKey, channel: str, digest: str) -> bool:
        later = self._later.get((key, channel))
        return later is None or later.digest not in {"", digest} or self._clock() >= later.until

    def _is_refused(self, key: PreviewKey, channel: str) -> bool:
        later = self._later.get((key, channel))
        return later is not None and later.digest != ""

    def _waits(self, ending: Ending, unsaid: Collection[str]) -> bool:
        """Whether last words are still worth a try."""
        lately = self._clock() - ending.at < FAREWELL_FOR
        return any(lately or not self._is_refused(ending.key, channel) for channel in unsaid)


def _is_over(case: Case, said: Said) -> bool:
    """Its last words are due."""
    ending = case.ending
    return case.preview is None and ending is not None and said.get(FAREWELL) != farewell(ending)


def digest_of(words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]
