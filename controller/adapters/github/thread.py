"""What we write on a pull request: one sticky comment for each topic, one answer to each command, and reactions.

What stands there is read before anything is made, so that a crash, or an answer that was lost after the deed, doubles
nothing; to edit what is known to be there can be repeated. Of two that say the same thing (two controllers at once) the
oldest stays.

| mood    | reaction   | answer |
| ------- | ---------- | ------ |
| done    | `+1`       |        |
| told    | `eyes`     | yes    |
| refused | `confused` | yes    |

A button that was pressed (`delivery:…`) can bear no reaction.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from controller.adapters.github import limits
from controller.adapters.github.client import Client, Nothing, NotThere
from controller.adapters.github.credentials import Credentials
from controller.adapters.github.markers import answer, bears, is_ours, marked, sticky
from controller.adapters.github.shapes import IssueComment
from controller.adapters.github.sound import alike, sound
from controller.common.nouns import PreviewKey
from controller.common.words import Mood, Reply
from controller.errors import Refused

NOW = timedelta(0)
KEPT = 5_000
"""Sticky comments whose id is remembered; to find one anew costs a list."""
REACTIONS = {Mood.DONE: "+1", Mood.TOLD: "eyes", Mood.REFUSED: "confused"}


class Thread:
    """Methods raise Refused where there is no such pull request, where it is locked, and for too many words."""

    def __init__(self, client: Client, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials
        self._sticky: dict[tuple[PreviewKey, str], int] = {}

    async def say(self, key: PreviewKey, body: str, topic: str = "") -> None:
        """The one sticky comment of a topic, made or edited in place."""
        text = _fitting(marked(sticky(key, topic), body))
        async with _explained(key):
            if not await self._edited(key, topic, text):
                self._client.mind(key.repo)
                await self._write(key, text, await self._standing(key, topic))

    async def answer(self, key: PreviewKey, to: str, reply: Reply) -> None:
        """A reaction to the comment `to`, and the words where a reaction does not say it all."""
        text = _fitting(marked(answer(to), reply.body))
        async with _explained(key):
            if to.isdecimal():
                await self._react(key, to, REACTIONS[reply.mood])
            if reply.mood is not Mood.DONE:
                await self._write(key, text, await self._only(key, answer(to)))

    async def _edited(self, key: PreviewKey, topic: str, text: str) -> bool:
        """The one whose id is known; unless somebody deleted it since."""
        if (known := self._sticky.get((key, topic))) is None:
            return False
        try:
            await self._edit(key, known, text)
        except NotThere:
            self._sticky.pop((key, topic), None)
            return False
        return True

    async def _standing(self, key: PreviewKey, topic: str) -> IssueComment | None:
        """Its id becomes known from the list alone, which shows whether there are two; from then on it is edited."""
        found = await self._only(key, sticky(key, topic))
        if found is not None:
            if len(self._sticky) >= KEPT:
                self._sticky.clear()
            self._sticky[key, topic] = found.id
        return found

    async def _only(self, key: PreviewKey, marker: str) -> IssueComment | None:
        """Ours with this marker; later ones are deleted."""
        us = await self._credentials.login()
        comments = await self._client.pages(key.repo, f"issues/{key.number}/comments", IssueComment, fresh=NOW)
        ours = sorted((one for one in comments if _is_this(one, marker, us)), key=lambda one: one.id)
        for later in ours[1:]:
            with suppress(NotThere):
                await self._client.send("DELETE", key.repo, f"issues/comments/{later.id}", {}, Nothing, creates=False)
        return ours[0] if ours else None

    async def _write(self, key: PreviewKey, text: str, standing: IssueComment | None) -> None:
        if standing is None:
            path = f"issues/{key.number}/comments"
            await self._client.send("POST", key.repo, path, {"body": text}, Nothing, creates=True)
        elif not alike(standing.body, text):
            await self._edit(key, standing.id, text)

    async def _edit(self, key: PreviewKey, comment: int, text: str) -> None:
        await self._client.send("PATCH", key.repo, f"issues/comments/{comment}", {"body": text}, Nothing, creates=False)

    async def _react(self, key: PreviewKey, to: str, reaction: str) -> None:
        """GitHub keeps one of a kind. A comment that was deleted needs none."""
        path = f"issues/comments/{to}/reactions"
        with suppress(NotThere):
            await self._client.send("POST", key.repo, path, {"content": reaction}, Nothing, creates=False)


def _is_this(comment: IssueComment, marker: str, us: str) -> bool:
    body = comment.body or ""
    return is_ours(comment.author, body, us) and bears(body, marker)


def _fitting(text: str) -> str:
    if len(text) > limits.COMMENT:
        raise Refused(f"a comment has at most {limits.COMMENT:,} characters; this one has {len(text):,}")
    return sound(text)


@asynccontextmanager
async def _explained(key: PreviewKey) -> AsyncIterator[None]:
    """Refusals in words that help."""
    try:
        yield
    except NotThere:
        raise Refused(f"there is no pull request {key.number} in {key.repo}, or we may not see it") from None
    except Refused as error:
        if "is locked" not in error.reason:
            raise
        raise Refused(f"the conversation of {key} is locked: unlock it for the preview's words to appear") from error
