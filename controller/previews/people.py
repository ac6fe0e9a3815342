"""People's commands: from comments, the API and the command line to decisions, each kept with who and why."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import structlog

from controller.errors import Refused, Unavailable
from controller.ports import Forge, History, Platform
from controller.previews.commands import PREFIX, Misunderstood, Request, confirm, order_at, read
from controller.previews.errands import Errands, each
from controller.previews.look import World
from controller.previews.markdown import block
from controller.previews.model import Comment, Decision, Event, PreviewKey, Verb
from controller.previews.say import Speaker

log = structlog.get_logger()
ONLY_ASKED = {Verb.HELP, Verb.LOGS}
"""Commands that are answered and decide nothing."""


Requests = tuple[Request | Misunderstood, ...]
"""The commands of one comment."""


class People:
    def __init__(
        self,
        forge: Forge,
        platform: Platform,
        history: History,
        speaker: Speaker,
        clock: Callable[[], datetime],
        ring: Callable[[PreviewKey], None],
    ) -> None:
        self._forge = forge
        self._platform = platform
        self._history = history
        self._speaker = speaker
        self._clock = clock
        self._errands = Errands(ring)

    async def hear(self, world: World) -> bool:
        """Takes the commands in comments; whether any of them changed what people want.

        They are answered once what they decided is kept: an answer is a promise.
        """
        keys = [case.key for case in world.cases if case.pull is not None]
        heard = zip(keys, await each(lambda key: self._listen(key, world), keys), strict=True)
        asked = {key: comments for key, comments in heard if comments}
        changed = [await self._obey(key, *one) for key, comments in asked.items() for one in comments]
        await self._errands.run({key: partial(self._answer, key, comments) for key, comments in asked.items()})
        return any(changed)

    async def close(self) -> None:
        await self._errands.close()

    async def _listen(self, key: PreviewKey, world: World) -> list[tuple[Comment, Requests]]:
        """What was asked and not yet answered."""
        try:
            comments = await self._forge.comments(key)
        except (Unavailable, Refused) as error:
            log.warning("comments could not be read", pull=str(key), reason=error.reason)
            return []
        answered = world.memory.said.get(key, {})
        new = [one for one in comments if PREFIX in one.body and f"answer:{one.id}" not in answered]
        return [(one, requests) for one in new if (requests := read(one.body))]

    async def _obey(self, key: PreviewKey, comment: Comment, requests: Requests) -> bool:
        kept = False
        for index, request in enumerate(requests):
            if isinstance(request, Request):
                origin = f"comment:{comment.id}:{index}"
                kept |= await self.decide(key, request, comment.author, comment.created_at, origin)
        return kept

    async def _answer(self, key: PreviewKey, asked: Sequence[tuple[Comment, Requests]]) -> bool:
        told = False
        for comment, requests in asked:
            if answers := [await self.reply(key, request) for request in requests]:
                told |= await self._speaker.answer(key, comment.id, "\n\n".join(answers))
        return told

    async def decide(self, key: PreviewKey, request: Request, actor: str, at: datetime, origin: str) -> bool:
        """Keeps it once for its origin; whether it was new. Raises Unavailable where it could not be kept."""
        if request.verb in ONLY_ASKED:
            return False
        decision = Decision(key, order_at(at), request.verb, actor, at, request.argument, request.because, origin)
        if not await self._history.decide(decision):
            return False
        words = " ".join(part for part in (request.verb, request.argument, request.because) if part)
        await self._history.record([Event(key, self._clock(), "command", words, actor=actor)])
        return True

    async def reply(self, key: PreviewKey, request: Request | Misunderstood) -> str:
        """What a person is told on a command (Markdown)."""
        match request:
            case Misunderstood(text):
                return text
            case Request(Verb.LOGS, service):
                return await self._logs(key, service)
            case Request():
                return confirm(request)

    async def _logs(self, key: PreviewKey, service: str) -> str:
        try:
            lines = [line async for line in self._platform.logs(key, service or None, 30, follow=False)]
        except (Unavailable, Refused) as error:
            return error.reason
        return block("\n".join(lines)) if lines else "The log is empty."
