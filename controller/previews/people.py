"""People's commands: from comments, the API and the command line to decisions, each kept with who and why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from controller.common.errands import Errands, each
from controller.common.markdown import block, inline
from controller.common.nouns import PreviewKey
from controller.common.words import Mood, Reply
from controller.errors import Refused, Unavailable
from controller.ports import Forge, History, Platform
from controller.previews.commands import PREFIX, Misunderstood, Request, confirm, order_at, read, why_not
from controller.previews.look import World
from controller.previews.model import Comment, Decision, Event, Permission, PullRequest, Rules, Verb
from controller.previews.say import Speaker

log = structlog.get_logger()
ONLY_ASKED = {Verb.HELP, Verb.LOGS}
"""Commands that are answered and decide nothing."""


REFUSAL = "refusal:"
"""Whom a pull request has told already that they may not: a stranger gets one such answer, however much they write."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A comment with commands, and for each of them why its author may not give it (empty where they may)."""

    comment: Comment
    requests: tuple[Request | Misunderstood, ...]
    refusals: tuple[str, ...]
    by_stranger: bool
    """Its author may not write here."""

    @property
    def is_turned_away(self) -> bool:
        return self.by_stranger and all(self.refusals)

    @property
    def allowed(self) -> Iterator[tuple[int, Request]]:
        for index, (request, refusal) in enumerate(zip(self.requests, self.refusals, strict=True)):
            if isinstance(request, Request) and not refusal:
                yield index, request


class People:
    def __init__(  # noqa: PLR0913, PLR0917 - each a part of the world that a command touches
        self,
        forge: Forge,
        platform: Platform,
        history: History,
        speaker: Speaker,
        rules: Rules,
        clock: Callable[[], datetime],
        ring: Callable[[PreviewKey], None],
    ) -> None:
        self._forge = forge
        self._platform = platform
        self._history = history
        self._speaker = speaker
        self._rules = rules
        self._clock = clock
        self._errands: Errands[PreviewKey] = Errands(ring)

    async def hear(self, world: World) -> bool:
        """Takes the commands in comments; whether any of them changed what people want.

        They are answered once what they decided is kept: an answer is a promise.
        """
        pulls = [case.pull for case in world.cases if case.pull is not None and not case.stale]
        heard = zip(pulls, await each(lambda pull: self._listen(pull, world), pulls), strict=True)
        asked = {pull.key: comments for pull, comments in heard if comments}
        changed = [await self._obey(key, one) for key, comments in asked.items() for one in comments]
        await self._errands.run({key: partial(self._answer, key, comments, world) for key, comments in asked.items()})
        return any(changed)

    async def close(self) -> None:
        await self._errands.close()

    async def _listen(self, pull: PullRequest, world: World) -> list[Asked]:
        """What was asked and not yet answered, and whether its author may."""
        try:
            comments = await self._forge.comments(pull.key)
            answered = world.memory.said.get(pull.key, {})
            new = [one for one in comments if PREFIX in one.body and f"answer:{one.id}" not in answered]
            asked = [(one, requests) for one in new if (requests := read(one.body))]
            may = {who: await self._forge.permission(pull.key.repo, who) for who in {one.author for one, _ in asked}}
            return [self._weigh(pull, one, requests, may[one.author]) for one, requests in asked]
        except (Unavailable, Refused) as error:
            log.warning("comments could not be read", pull=str(pull.key), reason=error.reason)
            return []

    def _weigh(
        self,
        pull: PullRequest,
        comment: Comment,
        requests: tuple[Request | Misunderstood, ...],
        permission: Permission,
    ) -> Asked:
        """Permission is that of now: what somebody was allowed when they wrote it does not count any more."""
        refusals = (self._why_not(request, comment.author, permission, pull) for request in requests)
        return Asked(comment, requests, tuple(refusals), by_stranger=not permission.may_write)

    def _why_not(self, request: Request | Misunderstood, actor: str, permission: Permission, pull: PullRequest) -> str:
        if isinstance(request, Request):
            return why_not(request, actor, permission, pull, self._rules)
        return "" if permission.may_write else "Commands need write permission in this repository."

    async def _obey(self, key: PreviewKey, asked: Asked) -> bool:
        kept, comment = False, asked.comment
        for index, request in asked.allowed:
            origin = f"comment:{comment.id}:{index}"
            kept |= await self.decide(key, request, comment.author, comment.created_at, origin)
        return kept

    async def _answer(self, key: PreviewKey, asked: Sequence[Asked], world: World) -> bool:
        told, said = False, world.memory.said.get(key, {})
        refused = {channel for channel in said if channel.startswith(REFUSAL)}
        for one in asked:
            channel = f"{REFUSAL}{one.comment.author}"
            if one.is_turned_away and channel in refused:
                await self._history.remember_said(key, {f"answer:{one.comment.id}": "refused"})
                continue
            answered = await self._speaker.answer(key, one.comment.id, await self._reply(key, one))
            if answered and one.is_turned_away:
                refused.add(channel)
                await self._history.remember_said(key, {channel: one.comment.id})
            told |= answered
        return told

    async def _reply(self, key: PreviewKey, asked: Asked) -> Reply:
        """To all commands of one comment together."""
        both = zip(asked.requests, asked.refusals, strict=True)
        answers = [Reply(no, Mood.REFUSED) if no else await self.reply(key, request) for request, no in both]
        moods = {answer.mood for answer in answers}
        mood = next(mood for mood in (Mood.REFUSED, Mood.TOLD, Mood.DONE) if mood in moods)
        return Reply("\n\n".join(dict.fromkeys(answer.body for answer in answers)), mood)

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

    async def reply(self, key: PreviewKey, request: Request | Misunderstood) -> Reply:
        """What a person is told on a command that they may give."""
        match request:
            case Misunderstood(text):
                return Reply(text, Mood.REFUSED)
            case Request(Verb.LOGS, service):
                return Reply(await self._logs(key, service))
            case Request(verb):
                return Reply(confirm(request), Mood.TOLD if verb in ONLY_ASKED else Mood.DONE)

    async def _logs(self, key: PreviewKey, service: str) -> str:
        try:
            lines = [line async for line in self._platform.logs(key, service or None, 30, follow=False)]
        except (Unavailable, Refused) as error:
            return inline(error.reason)
        return block("\n".join(lines)) if lines else "The log is empty."
