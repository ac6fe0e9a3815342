"""Where pull requests live, and what it tells us unasked."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.common.nouns import Commit, PreviewKey, Source
from controller.common.words import (
    CheckReport,
    CheckStatus,
    CommitReport,
    CommitSaid,
    Conversation,
    DeploymentReport,
    ForgeHealth,
    Reply,
)
from controller.previews.model import (
    Comment,
    Permission,
    PullRequest,
)


class Forge(Protocol):
    """Where pull requests live."""

    async def repositories(self) -> tuple[str, ...]: ...

    async def open_pulls(self, repo: str) -> tuple[PullRequest, ...]:
        """Every open pull request, whole."""
        ...

    async def pull(self, key: PreviewKey) -> PullRequest | None:
        """Read by number, open or closed: the only evidence that one is closed. None: no such number."""
        ...

    async def read_file(self, repo: str, revision: str, path: str, limit: int) -> bytes | None:
        """At most `limit` + 1 bytes of a regular file at a revision; None where there is none (a link is none)."""
        ...

    async def changed_paths(self, pull: PullRequest) -> frozenset[str] | None:
        """The files it changes; None where they are too many to tell."""
        ...

    async def other_checks(self, pull: PullRequest, names: Collection[str]) -> Mapping[str, CheckStatus] | None:
        """How those of `names` stand that others report of its head. None: nobody but us reports checks here.

        Who asks is rung for when one of them is over, where the forge tells. A fork's own workflow may report under
        any name: that it succeeded saves a deploy that would fail, and says nothing of whether the code may run.
        """
        ...

    async def source(self, repo: str) -> Source:
        """Where any revision of an open pull request can be fetched from, now: its header may expire."""
        ...

    async def permission(self, repo: str, person: str) -> Permission:
        """What they may do there at this moment, asked anew every time."""
        ...

    async def comments(self, key: PreviewKey) -> tuple[Comment, ...]:
        """What people wrote, oldest first; our own words are left out."""
        ...

    async def answer(self, key: PreviewKey, to: str, reply: Reply) -> None:
        """Answers the comment with id `to`, once: a second call with the same `to` edits the same answer."""
        ...

    async def say(self, key: PreviewKey, body: str, topic: str = "") -> None:
        """The one sticky comment of a topic, made or edited in place. Works on a closed pull request. Topics are short
        lower-case words (`deploy-production`); that of the preview is empty."""
        ...

    async def report_check(self, key: PreviewKey, report: CheckReport) -> None: ...

    async def report_deployment(self, key: PreviewKey, report: DeploymentReport) -> None: ...

    async def head(self, repo: str, branch: str) -> Commit | None:
        """The newest commit of a branch; None where there is no such branch."""
        ...

    async def commit(self, repo: str, revision: str) -> Commit | None:
        """Of one whole revision; None where there is no such commit."""
        ...

    async def merged_by(self, repo: str, revision: str) -> PreviewKey | None:
        """The pull request whose merge brought this commit to its base, where the forge knows one."""
        ...

    async def report_commit(self, repo: str, report: CommitReport) -> None:
        """A commit status, a check run where the forge has them, and a deployment, each in place of what was said under
        the same name before. What is None is left alone. Raises Refused where there is no such commit."""
        ...

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        """Rings when something may have changed: for one pull request, or (None) for any, and for a push to a branch
        that is none. May ring for nothing."""
        ...

    def doubt(self, key: PreviewKey | None) -> None:
        """Another controller heard that something changed there (None: anywhere): what is remembered may be old."""
        ...

    def health(self) -> ForgeHealth: ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What to answer a webhook: an HTTP status, and why in a few words."""

    status: int
    reason: str


class Webhooks(Protocol):
    """Where a forge tells us unasked that something changed. It is believed in nothing but where to look."""

    name: str
    """Of the forge; the last part of the path (`/webhooks/github`)."""
    max_body: int
    """Bytes; more is refused unread."""

    async def receive(self, headers: Mapping[str, str], body: bytes) -> Receipt:
        """`headers` by lower-case name. Never raises for what is in the request; costs milliseconds."""
        ...


class Conversations(Protocol):
    """A forge whose pages are ours to show (the embedded one)."""

    async def conversation(self, key: PreviewKey) -> Conversation:
        """Raises Refused where there is no such pull request."""
        ...

    async def comment(self, key: PreviewKey, author: str, body: str) -> str:
        """A person writes; the bell rings. Returns the comment's id."""
        ...

    async def said_of(self, repo: str, revision: str) -> CommitSaid:
        """What stands on a commit; nothing does on one that there is not."""
        ...
