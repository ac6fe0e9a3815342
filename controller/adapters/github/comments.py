"""What people wrote on pull requests, and what they asked for by a button.

A thread is read whole once. After that one list for the whole repository tells what was written or edited since the
latest moment that GitHub named (its clock, not ours), for all pull requests together. What was deleted it does not
tell: `doubt` has a thread read anew.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf

from controller.adapters.github import markers
from controller.adapters.github.client import Client
from controller.adapters.github.shapes import IssueComment, IssueComments
from controller.common.nouns import PreviewKey
from controller.ports import Ledger
from controller.previews.commands import PREFIX
from controller.previews.model import Comment, Delivery

OVERLAP = timedelta(minutes=1)
"""What was written in the last moment before the latest we know of may have reached the list only after it."""
BEGINNING = datetime(2008, 1, 1, tzinfo=UTC)
"""Before GitHub."""
NOW = timedelta(0)
PRESSED_FRESH = 0.5
"""Seconds."""
KEPT = 5_000
"""Threads of one repository that are remembered."""


@dataclass(slots=True)
class Talk:
    """`whole` once its list was read."""

    comments: dict[int, IssueComment] = field(default_factory=dict)
    whole: bool = False

    def take(self, comments: Iterable[IssueComment]) -> None:
        """The newer one of each, whichever way it came."""
        for comment in comments:
            known = self.comments.get(comment.id)
            if known is None or known.updated_at <= comment.updated_at:
                self.comments[comment.id] = comment


class Buttons:
    """What was pressed. The Ledger is asked for all pull requests at once, as a round wants to know of each."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._asked: Mapping[PreviewKey, tuple[Delivery, ...]] = {}
        self._asked_at = self._doubted_at = -inf

    async def of(self, key: PreviewKey) -> tuple[Comment, ...]:
        now = asyncio.get_running_loop().time()
        if self._asked_at <= max(self._doubted_at, now - PRESSED_FRESH):
            asked = await self._ledger.asked()
            self._asked_at, self._asked = now, asked
        return tuple(_pressed(delivery) for delivery in self._asked.get(key, ()))

    def doubt(self) -> None:
        self._doubted_at = asyncio.get_running_loop().time()


@dataclass(slots=True)
class News:
    """How far the list of one repository was read: `since` by GitHub's clock, `due` by ours."""

    threads: OrderedDict[int, Talk] = field(default_factory=OrderedDict)
    since: datetime | None = None
    due: datetime = BEGINNING
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Comments:
    """`login` tells who we are; `fresh` is how old the list of a repository may be."""

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        login: Callable[[], Awaitable[str]],
        fresh: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._buttons = Buttons(ledger)
        self._login = login
        self._fresh = fresh
        self._clock = clock
        self._news: dict[str, News] = {}

    async def of(self, key: PreviewKey) -> tuple[Comment, ...]:
        """Oldest first, ours left out. Raises Unavailable or Refused."""
        us = await self._login()
        talk = await self._talk(key)
        written = [_comment(one) for _, one in sorted(talk.comments.items())]
        theirs = [one for one in written if not markers.is_ours(one.author, one.body, us)]
        return tuple(sorted((*theirs, *await self._buttons.of(key)), key=lambda one: one.created_at))

    def doubt(self, key: PreviewKey) -> None:
        """Something was written, deleted or pressed there."""
        self._buttons.doubt()
        news = self._news.get(key.repo)
        if news is not None:
            news.threads.pop(key.number, None)

    async def _talk(self, key: PreviewKey) -> Talk:
        news = self._news.setdefault(key.repo, News())
        async with news.lock:
            await self._catch_up(key.repo, news)
        talk = news.threads.setdefault(key.number, Talk())
        news.threads.move_to_end(key.number)
        while len(news.threads) > KEPT:
            news.threads.popitem(last=False)
        if not talk.whole:
            talk.take(await self._client.pages(key.repo, _path(key), IssueComment, fresh=NOW))
            talk.whole = True
        return talk

    async def _catch_up(self, repo: str, news: News) -> None:
        """Before any thread is read: so what is written while it is read comes with the next news."""
        now = self._clock()
        if news.since is None:
            news.since = await self._latest(repo)
        elif now >= news.due:
            news.since = await self._read(repo, news.threads, news.since)
        else:
            return
        news.due = now + self._fresh

    async def _latest(self, repo: str) -> datetime:
        """When anything was last written in the repository."""
        page = await self._client.get(
            repo, "issues/comments", IssueComments, fresh=NOW, sort="updated", direction="desc", per_page=1
        )
        return max((comment.updated_at for comment in page.root), default=BEGINNING)

    async def _read(self, repo: str, threads: dict[int, Talk], since: datetime) -> datetime:
        written = await self._client.pages(
            repo,
            "issues/comments",
            IssueComment,
            fresh=NOW,
            sort="updated",
            direction="asc",
            since=_stamp(since - OVERLAP),
        )
        for comment in written:
            if comment.number in threads:
                threads[comment.number].take([comment])
        return max((comment.updated_at for comment in written), default=since)


def _path(key: PreviewKey) -> str:
    return f"issues/{key.number}/comments"


def _comment(said: IssueComment) -> Comment:
    return Comment(str(said.id), said.author, said.body or "", said.created_at)


def _pressed(delivery: Delivery) -> Comment:
    return Comment(f"delivery:{delivery.id}", delivery.actor, f"{PREFIX} {delivery.asks}", delivery.at)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
