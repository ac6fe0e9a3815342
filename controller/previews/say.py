"""Tells a pull request what is new, and nothing twice; see `telling`. A farewell that was refused is tried for a day.

A forge that is down hears the latest state afterwards, and a controller that lost its memory says the same words over
the same comment.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from controller.common.nouns import PreviewKey
from controller.common.telling import Said, Tell, Telling, digest_of
from controller.common.words import Reply, Words
from controller.ports import Forge, History
from controller.previews.look import FAREWELL, farewell
from controller.previews.model import Case, Ending

COMMENT = "comment"
FAREWELL_FOR = timedelta(days=1)
"""Last words that were refused for so long are not said any more."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What there is to say about a case, without the words."""

    case: Case
    hold: str
    digests: Said
    quiet: bool


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
        self._telling: Telling[PreviewKey] = Telling(history.remember_said, clock)

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
            self._telling.forget(case.key, channel)
        if _is_over(case, said):
            return not news or any(self._telling.is_due(case.key, *one) for one in news)
        return any(self._telling.is_due(case.key, *one) for one in news)

    async def say(self, case: Case, hold: str, said: Said) -> bool:
        """Whether anything new was said."""
        news = [
            (channel, digest, tell)
            for channel, text, tell in self._channels(case.key, self._words(case, hold))
            if said.get(channel) != (digest := digest_of(text))
        ]
        due = [one for one in news if self._telling.is_due(case.key, one[0], one[1])]
        await self._telling.doubt(case.key, [channel for channel, _, _ in due], said)
        told = {
            channel: digest
            for channel, digest, tell in due
            if await self._telling.tell(case.key, channel, digest, tell)
        }
        unsaid = [channel for channel, digest, _ in news if channel not in told]
        if case.ending is not None and _is_over(case, said) and not self._waits(case.ending, unsaid):
            await self._history.remember_said(case.key, told | {FAREWELL: farewell(case.ending)})
        elif told:
            await self._history.remember_said(case.key, told)
        return bool(told)

    def forget_all_but(self, keys: Collection[PreviewKey]) -> None:
        self._known = {key: known for key, known in self._known.items() if key in keys}
        self._telling.forget_all_but(keys)

    def waiting_since(self) -> datetime | None:
        """Since when the oldest of what is to be said has waited for the forge."""
        return self._telling.waiting_since()

    async def answer(self, key: PreviewKey, comment: str, reply: Reply) -> bool:
        """Whether the forge took it, or never will."""
        channel, digest = f"answer:{comment}", digest_of(reply)
        if not self._telling.is_due(key, channel, digest):
            return False
        tell = partial(self._forge.answer, key, comment, reply)
        if not await self._telling.tell(key, channel, digest, tell) and not self._telling.is_refused(key, channel):
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

    def _waits(self, ending: Ending, unsaid: Collection[str]) -> bool:
        """Whether last words are still worth a try."""
        lately = self._clock() - ending.at < FAREWELL_FOR
        return any(lately or not self._telling.is_refused(ending.key, channel) for channel in unsaid)


def _is_over(case: Case, said: Said) -> bool:
    """Its last words are due."""
    ending = case.ending
    return case.preview is None and ending is not None and said.get(FAREWELL) != farewell(ending)
