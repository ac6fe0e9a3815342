"""GitHub as a forge: what it is asked and told, put together.

What it tells us unasked (`hear`) is only ever a reason to ask it again:

| delivery | what is asked anew |
| --- | --- |
| `pull_request`, `push` | the repository's pull requests |
| `push` | the branches that are deployed |
| `issue_comment`, `check_run`, `check_suite` | what was written and pressed on that pull request |
| `check_run`, `check_suite`, `status` | the checks that it waits for |
| `installation`, `installation_repositories` | which repositories are ours, and our tokens |
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from controller.adapters.github.checks import Checks
from controller.adapters.github.client import Client
from controller.adapters.github.comments import Comments
from controller.adapters.github.commits import Commits
from controller.adapters.github.credentials import Credentials
from controller.adapters.github.deployments import Deployments
from controller.adapters.github.files import Files
from controller.adapters.github.mainline import Mainline
from controller.adapters.github.others import Others
from controller.adapters.github.people import People
from controller.adapters.github.pulls import Pulls
from controller.adapters.github.source import Sources
from controller.adapters.github.statuses import Statuses
from controller.adapters.github.thread import Thread
from controller.common.bells import Broadcast
from controller.common.nouns import Commit, PreviewKey, Source
from controller.common.words import CheckReport, CheckStatus, CommitReport, DeploymentReport, ForgeHealth, Reply
from controller.ports import Ledger, Webhooks
from controller.previews.model import Comment, Delivery, Permission, PullRequest
from controller.settings import GitHub

LAG = timedelta(seconds=3)
"""What GitHub tells of may reach the copy that it answers from only after that: so it is asked once more."""


class GitHubForge:
    """`controller.ports.Forge`. `page` gives where the dashboard shows a preview."""

    webhooks: Webhooks | None = None
    """Where GitHub tells us what happened; None where it is only asked."""

    def __init__(
        self,
        client: Client,
        credentials: Credentials,
        ledger: Ledger,
        policy: GitHub,
        *,
        clock: Callable[[], datetime],
        page: Callable[[PreviewKey], str] | None = None,
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._clock = clock
        self._pulls = Pulls(client, ledger, clock)
        self._files = Files(client)
        self._people = People(client)
        self._comments = Comments(client, ledger, credentials.login, policy.fresh_for, clock)
        self._sources = Sources(policy.api, credentials)
        self._thread = Thread(client, credentials)
        checks = Checks(client, credentials, page) if credentials.is_app else None
        self._checks = checks or Statuses(client, page)
        self._others = Others(client, policy.fresh_for, clock)
        self._deployments = Deployments(client, page)
        self._mainline = Mainline(client)
        self._commits = Commits(client, checks)
        self._bells: Broadcast[PreviewKey] = Broadcast()
        self._ours: tuple[str, ...] | None = None
        self._heard_at: datetime | None = None
        self._echoes: dict[PreviewKey | str, asyncio.TimerHandle] = {}
        """By pull request, or by repository whose branches are deployed."""

    async def repositories(self) -> tuple[str, ...]:
        self._ours = await self._credentials.repositories()
        return self._ours

    async def open_pulls(self, repo: str) -> tuple[PullRequest, ...]:
        return await self._pulls.open(repo)

    async def pull(self, key: PreviewKey) -> PullRequest | None:
        return await self._pulls.by_number(key)

    async def changed_paths(self, pull: PullRequest) -> frozenset[str] | None:
        return await self._pulls.changed_paths(pull)

    async def read_file(self, repo: str, revision: str, path: str, limit: int) -> bytes | None:
        return await self._files.read(repo, revision, path, limit)

    async def other_checks(self, pull: PullRequest, names: Collection[str]) -> Mapping[str, CheckStatus]:
        return await self._others.of(pull, names)

    async def source(self, repo: str) -> Source:
        return await self._sources.of(repo)

    async def permission(self, repo: str, person: str) -> Permission:
        return await self._people.permission(repo, person)

    async def comments(self, key: PreviewKey) -> tuple[Comment, ...]:
        return await self._comments.of(key)

    async def answer(self, key: PreviewKey, to: str, reply: Reply) -> None:
        await self._thread.answer(key, to, reply)

    async def say(self, key: PreviewKey, body: str, topic: str = "") -> None:
        await self._thread.say(key, body, topic)

    async def report_check(self, key: PreviewKey, report: CheckReport) -> None:
        await self._checks.report(key, report)

    async def report_deployment(self, key: PreviewKey, report: DeploymentReport) -> None:
        await self._deployments.report(key, report)

    async def head(self, repo: str, branch: str) -> Commit | None:
        return await self._mainline.head(repo, branch)

    async def commit(self, repo: str, revision: str) -> Commit | None:
        return await self._mainline.commit(repo, revision)

    async def merged_by(self, repo: str, revision: str) -> PreviewKey | None:
        return await self._mainline.merged_by(repo, revision)

    async def report_commit(self, repo: str, report: CommitReport) -> None:
        await self._commits.report(repo, report)

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        return self._bells.changes()

    def health(self) -> ForgeHealth:
        return replace(self._client.health(), heard_at=self._heard_at)

    def waiting(self, repo: str, revision: str, name: str) -> tuple[PreviewKey, ...]:
        """Who waits for a check of others; see `events.Waiting`."""
        return self._others.waiting(repo, revision, name)

    def hear(self, delivery: Delivery) -> None:
        """Doubts what it is about, and rings; unless it is about a repository that is none of ours."""
        self._heard_at = self._clock()
        if not delivery.repo or self._ours is None or delivery.repo in self._ours:
            self._ring(delivery)
            self._echo_later(delivery)

    def _ring(self, delivery: Delivery) -> None:
        self._doubt(delivery)
        self._bells.tell(delivery.key)

    def _echo_later(self, delivery: Delivery) -> None:
        deployed = delivery.event == "push" and self._mainline.is_asked(delivery.repo)
        about = delivery.key or (delivery.repo if deployed else None)
        if about is not None and about not in self._echoes:
            self._echoes[about] = asyncio.get_running_loop().call_later(
                LAG.total_seconds(), self._echo, about, delivery
            )

    def _echo(self, about: PreviewKey | str, delivery: Delivery) -> None:
        del self._echoes[about]
        self._ring(delivery)

    def doubt(self, key: PreviewKey | None) -> None:
        """Another controller was told something of it (None: of any)."""
        for repo in (self._ours or ()) if key is None else (key.repo,):
            self._client.doubt(repo, "pulls", "branches")
        if key is not None:
            self._comments.doubt(key)
            self._others.doubt(key)

    def _doubt(self, delivery: Delivery) -> None:
        match delivery.event, delivery.key:
            case "pull_request", _:
                self._client.doubt(delivery.repo, "pulls")
            case "push", _:
                self._client.doubt(delivery.repo, "pulls", "branches")
            case "issue_comment" | "check_run" | "check_suite", PreviewKey() as key:
                self._comments.doubt(key)
                self._others.doubt(key)
            case "status", PreviewKey() as key:
                self._others.doubt(key)
            case "installation" | "installation_repositories", _:
                self._credentials.forget(delivery.repo)
            case _:
                pass  # it rings, and nothing that is remembered is in doubt
