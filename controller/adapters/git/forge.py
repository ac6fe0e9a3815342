"""The embedded forge: bare repositories in a folder, where every branch other than the main one is a pull request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from pathlib import Path
from typing import TypeVar

from controller.adapters.git import bell, commits, mainline
from controller.adapters.git.conversation import Thread
from controller.adapters.git.listener import Listener
from controller.adapters.git.pulls import Head, Record, is_draft
from controller.adapters.git.repository import Look, Repository, exists, is_name
from controller.adapters.git.setup import Announced, write_announced, write_hook
from controller.common.nouns import Commit, PreviewKey, Source, short
from controller.common.words import (
    CheckReport,
    CommitReport,
    CommitSaid,
    Conversation,
    DeploymentReport,
    ForgeHealth,
    Reply,
)
from controller.errors import Refused, Unavailable
from controller.previews.model import Comment, Permission, PullRequest

T = TypeVar("T")


class GitForge:
    """`controller.ports.Forge` and `Conversations` over the repositories `root/NAME.git`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listener = Listener(root)
        self._repositories: dict[str, Repository] = {}

    async def announce(self, url: str, targets: Iterable[Announced] = ()) -> None:
        """Tells whoever pushes where previews are (`http://{label}.localhost:8080`), and what a branch is deployed to
        at once. To be called at every start.

        The hooks are written anew with it, as this installation may be another one. Raises Unavailable.
        """
        await _in_thread(lambda: self._announce(url, targets))

    async def repositories(self) -> tuple[str, ...]:
        return await _in_thread(self._names)

    async def open_pulls(self, repo: str) -> tuple[PullRequest, ...]:
        return await _in_thread(lambda: self._open_pulls(self._at(repo)))

    async def pull(self, key: PreviewKey) -> PullRequest | None:
        return await _in_thread(lambda: self._pull(self._at(key.repo), key))

    async def read_file(self, repo: str, revision: str, path: str, limit: int) -> bytes | None:
        return await _in_thread(lambda: self._at(repo).read_file(revision, path, limit))

    async def changed_paths(self, pull: PullRequest) -> frozenset[str] | None:
        return await _in_thread(lambda: self._changed_paths(self._at(pull.key.repo), pull.head))

    async def other_checks(self, pull: PullRequest, names: Collection[str]) -> None:
        """Nobody but us reports checks here."""

    async def source(self, repo: str) -> Source:
        return Source(str(self._at(repo).path.absolute()))

    async def permission(self, repo: str, person: str) -> Permission:
        """Whoever can reach a forge of one machine may do everything there."""
        return Permission.ADMIN

    async def comments(self, key: PreviewKey) -> tuple[Comment, ...]:
        return await _in_thread(lambda: self._thread(key).comments())

    async def answer(self, key: PreviewKey, to: str, reply: Reply) -> None:
        await _in_thread(lambda: self._thread(key).answer(to, reply.body))

    async def say(self, key: PreviewKey, body: str, topic: str = "") -> None:
        await _in_thread(lambda: self._thread(key).say(body, topic))

    async def report_check(self, key: PreviewKey, report: CheckReport) -> None:
        await _in_thread(lambda: self._thread(key).report_check(report))

    async def report_deployment(self, key: PreviewKey, report: DeploymentReport) -> None:
        await _in_thread(lambda: self._thread(key).report_deployment(report))

    async def head(self, repo: str, branch: str) -> Commit | None:
        return await _in_thread(lambda: mainline.head(self._at(repo), branch))

    async def commit(self, repo: str, revision: str) -> Commit | None:
        return await _in_thread(lambda: mainline.commit(self._at(repo), revision))

    async def merged_by(self, repo: str, revision: str) -> PreviewKey | None:
        record = await _in_thread(lambda: mainline.merged_by(self._at(repo), revision))
        return None if record is None else PreviewKey(repo, record.number)

    async def report_commit(self, repo: str, report: CommitReport) -> None:
        await _in_thread(lambda: self._report_commit(self._at(repo), report))

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        return self._listener.bells()

    def doubt(self, key: PreviewKey | None) -> None:
        """Nothing of it is remembered."""

    def health(self) -> ForgeHealth:
        return ForgeHealth("git")

    async def conversation(self, key: PreviewKey) -> Conversation:
        return await _in_thread(lambda: self._thread(key).conversation())

    async def comment(self, key: PreviewKey, author: str, body: str) -> str:
        comment = await _in_thread(lambda: self._thread(key).comment(author, body))
        bell.ring(self._root, key.repo, key.number)
        return comment

    async def said_of(self, repo: str, revision: str) -> CommitSaid:
        return await _in_thread(lambda: self._said_of(self._at(repo), revision))

    def _announce(self, url: str, targets: Iterable[Announced]) -> None:
        for repo in self._names():
            write_hook(self._at(repo).path)
        write_announced(self._root, url, targets)

    def _names(self) -> tuple[str, ...]:
        try:
            folders = sorted(self._root.iterdir())
        except OSError as error:
            raise Unavailable(f"the forge's folder {self._root} cannot be read: {error.strerror}") from error
        return tuple(path.stem for path in folders if path.suffix == ".git" and is_name(path.stem) and exists(path))

    def _at(self, repo: str) -> Repository:
        if repo not in self._repositories:
            self._repositories[repo] = Repository(self._root, repo)
        return self._repositories[repo]

    def _thread(self, key: PreviewKey) -> Thread:
        repository = self._at(key.repo)
        repository.require()
        return Thread(repository.path, key.number)

    def _open_pulls(self, repository: Repository) -> tuple[PullRequest, ...]:
        look = repository.look()
        return tuple(_pull_request(repository, look, record) for record in look.open)

    def _pull(self, repository: Repository, key: PreviewKey) -> PullRequest | None:
        look = repository.look()
        record = next((record for record in look.open if record.number == key.number), None)
        record = record or repository.record(key.number)
        return None if record is None else _pull_request(repository, look, record)

    def _report_commit(self, repository: Repository, report: CommitReport) -> None:
        if not mainline.has(repository, report.revision):
            raise Refused(f"{repository.name} has no revision {short(report.revision)}")
        commits.report(repository.path, report)

    def _said_of(self, repository: Repository, revision: str) -> CommitSaid:
        repository.require()
        return commits.read(repository.path, revision)

    def _changed_paths(self, repository: Repository, head: str) -> frozenset[str] | None:
        return repository.paths(repository.look().refs.revision, head)


def _pull_request(repository: Repository, look: Look, record: Record) -> PullRequest:
    head = look.refs.heads.get(record.branch, Head(""))
    if head.revision != record.head:  # closed; the branch is gone, or another pull request's
        head = repository.commit(record.head)
    return PullRequest(
        PreviewKey(repository.name, record.number),
        head=record.head,
        is_open=record.is_open,
        pushed_at=record.pushed_at,
        branch=record.branch,
        base=look.refs.main,
        title=head.title,
        author=head.author,
        merged=record.merged,
        draft=is_draft(head.title),
    )


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)
