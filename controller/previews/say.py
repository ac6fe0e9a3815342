"""Tells a pull request what is new, and nothing twice.

What was said is remembered by digest, and only once the forge took it; so a forge that is down hears the latest state
afterwards, and a controller that lost its memory says the same words over the same comment.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial

import structlog

from controller.errors import Refused, Unavailable
from controller.ports import Forge, History
from controller.previews.look import FAREWELL, farewell
from controller.previews.model import Case, PreviewKey
from controller.previews.words import Words

log = structlog.get_logger()


class Speaker:
    def __init__(self, forge: Forge, history: History) -> None:
        self._forge = forge
        self._history = history

    async def say(self, case: Case, words: Words, said: Mapping[str, str]) -> bool:
        """Whether anything new was said."""
        news = [
            (channel, digest, tell)
            for channel, text, tell in self._channels(case.key, words)
            if said.get(channel) != (digest := digest_of(text))
        ]
        told = [await self._tell(case.key, channel, digest, tell) for channel, digest, tell in news]
        if all(told) and case.preview is None and case.ending is not None:
            over = farewell(case.ending)
            if said.get(FAREWELL) != over:
                await self._history.remember_said(case.key, FAREWELL, over)
        return any(told)

    async def answer(self, key: PreviewKey, comment: str, text: str) -> None:
        channel = f"answer:{comment}"
        await self._tell(key, channel, digest_of(text), partial(self._forge.answer, key, comment, text))

    def _channels(self, key: PreviewKey, words: Words) -> Iterator[tuple[str, object, Callable[[], Awaitable[None]]]]:
        if (comment := words.comment) is not None:
            yield "comment", comment, partial(self._forge.say, key, comment)
        for check in words.checks:
            yield f"check:{check.name}", check, partial(self._forge.report_check, key, check)
        if (deployment := words.deployment) is not None:
            yield "deployment", deployment, partial(self._forge.report_deployment, key, deployment)

    async def _tell(self, key: PreviewKey, channel: str, digest: str, tell: Callable[[], Awaitable[None]]) -> bool:
        try:
            await tell()
        except (Unavailable, Refused) as error:
            log.warning("could not say it", pull=str(key), channel=channel, reason=error.reason)
            return False
        await self._history.remember_said(key, channel, digest)
        return True


def digest_of(words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]
