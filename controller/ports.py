"""What the rooms need of the world, in our words. Adapters implement these; one contract suite per port holds them.

Every method may raise `Unavailable` (try later) or `Refused` (waits for a person), and nothing else that is not a bug.
A method that returns a collection returns all of it, or raises: a half-read list looks like things that are gone.
Actions start something and return; repeating one is safe. Whoever wants to know how it went looks again.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.common.nouns import PreviewKey, Source
from controller.common.words import CheckReport, CheckStatus, Conversation, DeploymentReport, ForgeHealth, Reply
from controller.previews.model import (
    Comment,
    Decision,
    Delivery,
    DeployOrder,
    Ending,
    Event,
    Permission,
    Preview,
    PullRequest,
    Route,
)
from smoke.model import SuiteRun


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

    async def say(self, key: PreviewKey, body: str) -> None:
        """The one sticky comment, made or edited in place. Works on a closed pull request."""
        ...

    async def report_check(self, key: PreviewKey, report: CheckReport) -> None: ...

    async def report_deployment(self, key: PreviewKey, report: DeploymentReport) -> None: ...

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        """Rings when something may have changed: for one pull request, or (None) for any. May ring for nothing."""
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
    """A forge whose pull request pages are ours to show (the embedded one)."""

    async def conversation(self, key: PreviewKey) -> Conversation:
        """Raises Refused where there is no such pull request."""
        ...

    async def comment(self, key: PreviewKey, author: str, body: str) -> str:
        """A person writes; the bell rings. Returns the comment's id."""
        ...


class Platform(Protocol):
    """Where previews run. What a preview is lives here, and is found again after a restart."""

    async def previews(self) -> tuple[Preview, ...]: ...

    async def preview(self, key: PreviewKey) -> Preview | None: ...

    async def deploy(self, order: DeployOrder) -> None:
        """Makes the preview, or changes it to the order; a deploy or checks still under way are superseded."""
        ...

    async def run_checks(self, key: PreviewKey, uid: str, revision: str, suite: str, order: int) -> None: ...

    async def give_up(self, key: PreviewKey, uid: str, revision: str, because: str) -> None:
        """Stops trying; phase `failed`, with the reason."""
        ...

    async def sleep(self, key: PreviewKey, uid: str, order: int) -> None:
        """Stops the processes and keeps the database. On one that sleeps, only remembers the order."""
        ...

    async def wake(self, key: PreviewKey, uid: str, order: int) -> None: ...

    async def remove(self, key: PreviewKey, uid: str) -> None:
        """Everything of this very environment: processes, database, role, directory, routes.

        Nothing is removed where the environment under `key` has another uid. Gone already is fine.
        """
        ...

    async def visited(self, key: PreviewKey, at: datetime) -> None:
        """A person looked at it."""
        ...

    def route(self, host: str) -> Route | None:
        """Where a host label leads (`pr-7-web`), from memory: asked for every request."""
        ...

    def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        """The last lines, then (`follow`) every new one. All services' where none is named, each line prefixed.

        Raises Refused where there is no such preview or service, naming those there are.
        """
        ...

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None:
        """A file that the latest run of a suite left (a screenshot)."""
        ...

    def bells(self) -> AsyncIterator[PreviewKey | None]: ...


class Databases(Protocol):
    """Makes databases for previews on one PostgreSQL server. Names are ours; every statement quotes them."""

    async def has_template(self, seed: str) -> bool:
        """Whether a finished template for the digest `seed` exists. A half-made one does not count."""
        ...

    async def begin_template(self, seed: str) -> str:
        """An empty database to seed, as a URL. What an earlier, interrupted seeding left is dropped first."""
        ...

    async def finish_template(self, seed: str) -> None:
        """Seals it: IS_TEMPLATE, no connections. From here on it is cloned, never opened."""
        ...

    async def drop_template(self, seed: str) -> None: ...

    async def clone(self, name: str, seed: str | None) -> str:
        """A database `name` of its own role, from the template of `seed` (None: empty), as a URL with its password.

        One that exists already is replaced, its sessions ended.
        """
        ...

    async def size(self, name: str) -> int: ...

    async def address(self) -> str:
        """HOST:PORT of the server as it is reached now. One that can be started by us is; it may have moved since."""
        ...

    async def drop(self, name: str) -> None:
        """The database and its role, sessions ended. Gone already is fine."""
        ...

    async def names(self) -> frozenset[str]:
        """The databases that `clone` made and `drop` has not dropped."""
        ...

    async def templates(self) -> Mapping[str, datetime]:
        """Finished templates by seed, with when each was last cloned."""
        ...


class Ledger(Protocol):
    """What a forge says only once, or does not say at all, and what has to outlive this process. Part of History."""

    async def keep_deliveries(self, deliveries: Collection[Delivery]) -> frozenset[str]:
        """Ids of those that were not kept before. Other controllers hear of them through History's bells. Those older
        than a week may be forgotten."""
        ...

    async def asked(self) -> Mapping[PreviewKey, tuple[Delivery, ...]]:
        """Those that ask for something, oldest first. Costs what was written since; not changed afterwards."""
        ...

    async def first_seen(
        self, heads: Mapping[tuple[PreviewKey, str], datetime]
    ) -> Mapping[tuple[PreviewKey, str], datetime]:
        """When each revision was first seen at the head of its pull request: as kept, else the moment given, which is
        kept from now on."""
        ...


class History(Protocol):
    """What happened. Losing it loses the past, not the previews.

    Several controllers may share one. `decisions`, `endings` and `said` are asked for in every round: they cost what
    was written since, by whomever, and what they returned is not changed afterwards.
    """

    async def record(self, events: Collection[Event]) -> None: ...

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]:
        """Oldest first, the latest `limit`."""
        ...

    async def decide(self, decision: Decision) -> bool:
        """Keeps it; False where its origin has decided already. Two of one order get different ones."""
        ...

    async def decisions(self) -> Mapping[PreviewKey, tuple[Decision, ...]]:
        """Everybody's, by preview, in order."""
        ...

    async def record_run(self, key: PreviewKey, order: int, run: SuiteRun) -> bool:
        """Keeps a finished run with every attempt; False where it was kept before."""
        ...

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]:
        """Oldest first, the latest `limit`."""
        ...

    async def end(self, ending: Ending) -> None: ...

    async def endings(self) -> Mapping[PreviewKey, Ending]:
        """The latest of each preview."""
        ...

    async def said(self) -> Mapping[PreviewKey, Mapping[str, str]]:
        """Digest of what was last said, by preview and channel."""
        ...

    async def remember_said(self, key: PreviewKey, digests: Mapping[str, str]) -> None:
        """By channel; the other channels of the preview stay as they are."""
        ...

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        """Rings within seconds for a preview about which another controller's people decided, or its forge told it
        something (None: about any). May ring for nothing."""
        ...

    async def close(self) -> None: ...
