"""Tells a pull request what is new, and nothing twice.

What was said is remembered by digest, and only once the forge took it; so a forge that is down hears the latest state
afterwards, and a controller that lost its memory says the same words over the same comment.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import structlog

from controller.errors import Refused, Unavailable
from controller.ports import Forge, History
from controller.previews.errands import AT_ONCE
from controller.previews.look import FAREWELL, farewell
from controller.previews.model import Case, PreviewKey
from controller.previews.words import Words

log = structlog.get_logger()


Said = Mapping[str, str]
"""Digest of what was last said, by channel."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What there is to say about a case, without the words."""

    case: Case
    hold: str
    digests: Said


class Speaker:
    """`words` is pure: for an equal case and hold it is asked once, as long as all of it is still said."""

    def __init__(self, forge: Forge, history: History, words: Callable[[Case, str], Words]) -> None:
        self._forge = forge
        self._history = history
        self._words = words
        self._known: dict[PreviewKey, _Known] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    def has_news(self, case: Case, hold: str, said: Said) -> bool:
        """Whether `say` would say anything, or remember that all is said."""
        known = self._known.get(case.key)
        if known is None or (known.case, known.hold) != (case, hold):
            digests = {
                channel: digest_of(text) for channel, text, _ in self._channels(case.key, self._words(case, hold))
            }
            known = _Known(case, hold, digests)
        self._known[case.key] = replace(known, case=case)  # the newer of two that are equal: the older can go
        return _is_over(case, said) or any(said.get(channel) != digest for channel, digest in known.digests.items())

    async def say(self, case: Case, hold: str, said: Said) -> bool:
        """Whether anything new was said."""
        news = [
            (channel, digest, tell)
            for channel, text, tell in self._channels(case.key, self._words(case, hold))
            if said.get(channel) != (digest := digest_of(text))
        ]
        told = {channel: digest for channel, digest, tell in news if await self._tell(case.key, channel, tell)}
        if case.ending is not None and _is_over(case, said) and len(told) == len(news):
            await self._history.remember_said(case.key, told | {FAREWELL: farewell(case.ending)})
        elif told:
            await self._history.remember_said(case.key, told)
        return bool(told)

    def forget_all_but(self, keys: Collection[PreviewKey]) -> None:
        self._known = {key: known for key, known in self._known.items() if key in keys}

    async def answer(self, key: PreviewKey, comment: str, text: str) -> bool:
        """Whether the forge took it."""
        channel = f"answer:{comment}"
        told = await self._tell(key, channel, partial(self._forge.answer, key, comment, text))
        if told:
            await self._history.remember_said(key, {channel: digest_of(text)})
        return told

    def _channels(self, key: PreviewKey, words: Words) -> Iterator[tuple[str, object, Callable[[], Awaitable[None]]]]:
        if (comment := words.comment) is not None:
            yield "comment", comment, partial(self._forge.say, key, comment)
        for check in words.checks:
            yield f"check:{check.name}", check, partial(self._forge.report_check, key, check)
        if (deployment := words.deployment) is not None:
            yield "deployment", deployment, partial(self._forge.report_deployment, key, deployment)

    async def _tell(self, key: PreviewKey, channel: str, tell: Callable[[], Awaitable[None]]) -> bool:
        try:
            async with self._turns:
                await tell()
        except (Unavailable, Refused) as error:
            log.warning("could not say it", pull=str(key), channel=channel, reason=error.reason)
            return False
        return True


def _is_over(case: Case, said: Said) -> bool:
    """Its last words are due."""
    ending = case.ending
    return case.preview is None and ending is not None and said.get(FAREWELL) != farewell(ending)


def digest_of(words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]
