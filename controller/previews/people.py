"""People's commands: from comments, the API and the command line to decisions, each kept with who and why."""

from collections.abc import Callable
from datetime import datetime

import structlog

from controller.errors import Refused, Unavailable
from controller.ports import Forge, History, Platform
from controller.previews.commands import Misunderstood, Request, confirm, order_at, read
from controller.previews.look import World
from controller.previews.markdown import block
from controller.previews.model import Comment, Decision, Event, PreviewKey, Verb
from controller.previews.say import Speaker

log = structlog.get_logger()
ONLY_ASKED = {Verb.HELP, Verb.LOGS}
"""Commands that are answered and decide nothing."""


class People:
    def __init__(
        self, forge: Forge, platform: Platform, history: History, speaker: Speaker, clock: Callable[[], datetime]
    ) -> None:
        self._forge = forge
        self._platform = platform
        self._history = history
        self._speaker = speaker
        self._clock = clock

    async def hear(self, world: World) -> bool:
        """Takes the commands in comments; whether any of them changed what people want."""
        changed = False
        for case in world.cases:
            if case.pull is None:
                continue
            try:
                comments = await self._forge.comments(case.key)
            except (Unavailable, Refused) as error:
                log.warning("comments could not be read", pull=str(case.key), reason=error.reason)
                continue
            answered = world.memory.said.get(case.key, {})
            for comment in comments:
                if f"answer:{comment.id}" not in answered:
                    changed |= await self._obey(case.key, comment)
        return changed

    async def _obey(self, key: PreviewKey, comment: Comment) -> bool:
        answers: list[str] = []
        for index, request in enumerate(read(comment.body)):
            if isinstance(request, Request):
                origin = f"comment:{comment.id}:{index}"
                await self.decide(key, request, comment.author, comment.created_at, origin)
            answers.append(await self.reply(key, request))
        if answers:  # after the decision is kept: an answer is a promise
            await self._speaker.answer(key, comment.id, "\n\n".join(answers))
        return bool(answers)

    async def decide(self, key: PreviewKey, request: Request, actor: str, at: datetime, origin: str) -> None:
        """Keeps it once for its origin. Raises Unavailable where it could not be kept."""
        if request.verb in ONLY_ASKED:
            return
        decision = Decision(key, order_at(at), request.verb, actor, at, request.argument, request.because, origin)
        if await self._history.decide(decision):
            words = " ".join(part for part in (request.verb, request.argument, request.because) if part)
            await self._history.record([Event(key, self._clock(), "command", words, actor=actor)])

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
