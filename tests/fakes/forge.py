"""A forge in memory: a small world to change and to read, never a list of expected calls.

    forge = FakeForge()
    key = forge.open("shop", files={".preview.yaml": SPEC})
    forge.push(key)
    forge.push_main("shop", {".preview.yaml": SPEC})
    forge.down = True

It keeps the same promises as the real ones: `tests/contracts/forge.py` runs on it.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controller.common.nouns import Commit, PreviewKey, Source, short
from controller.common.words import (
    CheckReport,
    CheckStatus,
    CommitReport,
    CommitSaid,
    CommitStatus,
    Conversation,
    DeploymentReport,
    Entry,
    ForgeHealth,
    Mood,
    Reply,
)
from controller.errors import Refused, Unavailable
from controller.previews.model import Comment, Permission, PullRequest

MAX_COMMENT = 65_536


class FakeForge:
    """`down`: every call is Unavailable. `mute`: reading works, saying anything is Refused (a locked thread).
    `patience`: saying anything is Unavailable, for so long. `spoken` is every version of the sticky comment
    about a preview.

    `half` and `empty` lie as a forge that misreads does: lists lose every other pull request, or all of them, while
    reading one by number still tells the truth. `others` is what others' checks say of a revision, by name; None: a
    forge without any. Nobody is rung for when it changes.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.down = False
        self.mute = False
        self.patience: timedelta | None = None
        self.spoken: list[str] = []
        self.half = False
        self.empty = False
        self.pulls: dict[PreviewKey, PullRequest] = {}
        self.entries: dict[PreviewKey, list[Entry]] = {}
        self.checks: dict[PreviewKey, dict[str, CheckReport]] = {}
        self.deployments: dict[PreviewKey, DeploymentReport] = {}
        self.heads: dict[tuple[str, str], Commit] = {}
        """By repository and branch; those that are no pull request's."""
        self.commits: dict[tuple[str, str], Commit] = {}
        """By repository and revision; so are the next ones."""
        self.merges: dict[tuple[str, str], PreviewKey] = {}
        self.statuses: dict[tuple[str, str], dict[str, CommitStatus]] = {}
        """Of a commit, by name; so are the next two."""
        self.commit_checks: dict[tuple[str, str], dict[str, CheckReport]] = {}
        self.commit_deployments: dict[tuple[str, str], dict[str, DeploymentReport]] = {}
        self.permissions = {"ada": Permission.WRITE, "bob": Permission.WRITE}
        self.doubted: list[PreviewKey | None] = []
        self.moods: dict[str, Mood] = {}
        self.changed: dict[tuple[str, str], frozenset[str]] = {}
        self.others: dict[str, dict[str, CheckStatus]] | None = {}
        self._repos: dict[str, int] = {}
        self._files: dict[tuple[str, str], dict[str, bytes]] = {}
        self._listeners: set[asyncio.Queue[PreviewKey | None]] = set()
        self._made = 0

    # What happens in the world

    def add_repository(self, repo: str) -> None:
        self._repos.setdefault(repo, 0)

    def open(
        self,
        repo: str = "shop",
        branch: str = "feature",
        files: Mapping[str, str] | None = None,
        **changes: object,
    ) -> PreviewKey:
        """A person opens a pull request; `changes` are further fields of it (`draft=True`, `from_fork=True`)."""
        self.add_repository(repo)
        self._repos[repo] += 1
        key = PreviewKey(repo, self._repos[repo])
        pull = PullRequest(key, head="", is_open=True, pushed_at=self.now(), branch=branch, title=branch, author="ada")
        self.pulls[key] = replace(pull, **changes)  # type: ignore[arg-type]  # fields by name, as `replace` takes them
        self.push(key, files)
        return key

    def push(self, key: PreviewKey, files: Mapping[str, str] | None = None) -> str:
        """The branch moves to a new revision, with these files changed. Returns the revision."""
        revision = self._revision(f"{key}")
        pull = self.pulls[key]
        before = self._files.get((key.repo, pull.head), {})
        changed = {path: text.encode() for path, text in (files or {}).items()}
        self._files[key.repo, revision] = before | changed
        self.changed[key.repo, revision] = self.changed.get((key.repo, pull.head), frozenset()) | changed.keys()
        self.pulls[key] = replace(pull, head=revision, pushed_at=self.now())
        self.commits[key.repo, revision] = Commit(revision, self.now(), pull.title, pull.author)
        self.ring(key)
        return revision

    def edit(self, key: PreviewKey, **changes: object) -> None:
        """A person changes it: `labels=frozenset({"keep"})`, `draft=False`."""
        self.pulls[key] = replace(self.pulls[key], **changes)  # type: ignore[arg-type]  # likewise
        self.ring(key)

    def close(self, key: PreviewKey) -> None:
        self.edit(key, is_open=False)

    def merge(self, key: PreviewKey) -> str:
        """Into its base, with a merge commit; returns that."""
        pull = self.pulls[key]
        self.edit(key, is_open=False, merged=True)
        files = self._files.get((key.repo, pull.head), {})
        return self._advance(key.repo, pull.base, files, f"Merge {pull.title}", pull.author, by=key)

    def push_main(
        self,
        repo: str = "shop",
        files: Mapping[str, str] | None = None,
        branch: str = "main",
        title: str = "A commit",
        author: str = "ada",
    ) -> str:
        """A person pushes a commit to a branch that is no pull request. Returns the revision."""
        self.add_repository(repo)
        return self._advance(repo, branch, {path: text.encode() for path, text in (files or {}).items()}, title, author)

    def ring(self, key: PreviewKey | None = None) -> None:
        for listener in self._listeners:
            listener.put_nowait(key)

    # What can be read of it in a test

    def sticky(self, key: PreviewKey, topic: str = "") -> str:
        """Our one comment of a topic; empty where there is none."""
        ours = (entry for entry in self.entries.get(key, []) if entry.sticky and entry.topic == topic)
        return next((entry.body for entry in ours), "")

    def answers(self, key: PreviewKey) -> list[str]:
        return [entry.body for entry in self.entries.get(key, []) if entry.answers]

    # The port

    async def repositories(self) -> tuple[str, ...]:
        self._reach()
        return tuple(sorted(self._repos))

    async def open_pulls(self, repo: str) -> tuple[PullRequest, ...]:
        self._reach(repo)
        pulls = tuple(pull for key, pull in sorted(self.pulls.items()) if key.repo == repo and pull.is_open)
        if self.empty:
            return ()
        return pulls[::2] if self.half else pulls

    async def pull(self, key: PreviewKey) -> PullRequest | None:
        self._reach(key.repo)
        return self.pulls.get(key)

    async def read_file(self, repo: str, revision: str, path: str, limit: int) -> bytes | None:
        self._reach(repo)
        if (repo, revision) not in self._files:
            raise Unavailable(f"{repo} has no revision {revision}")
        content = self._files[repo, revision].get(path)
        return None if content is None else content[: limit + 1]

    async def changed_paths(self, pull: PullRequest) -> frozenset[str] | None:
        self._reach(pull.key.repo)
        return self.changed.get((pull.key.repo, pull.head), frozenset())

    async def other_checks(self, pull: PullRequest, names: Collection[str]) -> Mapping[str, CheckStatus] | None:
        self._reach(pull.key.repo)
        if self.others is None:
            return None
        return {name: status for name, status in self.others.get(pull.head, {}).items() if name in names}

    async def source(self, repo: str) -> Source:
        return Source(f"/nowhere/{repo}.git")

    async def permission(self, repo: str, person: str) -> Permission:
        self._reach(repo)
        return self.permissions.get(person, Permission.NONE)

    async def comments(self, key: PreviewKey) -> tuple[Comment, ...]:
        self._known(key)
        people = (entry for entry in self.entries.get(key, []) if not entry.sticky and not entry.answers)
        return tuple(Comment(entry.id, entry.author, entry.body, entry.created_at) for entry in people)

    async def answer(self, key: PreviewKey, to: str, reply: Reply) -> None:
        self._may_say(key, reply.body)
        self.moods[to] = reply.mood
        self._upsert(key, reply.body, answers=to)

    async def say(self, key: PreviewKey, body: str, topic: str = "") -> None:
        self._may_say(key, body)
        if not topic:
            self.spoken.append(body)
        self._upsert(key, body, sticky=True, topic=topic)

    async def report_check(self, key: PreviewKey, report: CheckReport) -> None:
        self._may_say(key)
        self.checks.setdefault(key, {})[report.name] = report

    async def report_deployment(self, key: PreviewKey, report: DeploymentReport) -> None:
        self._may_say(key)
        self.deployments[key] = report

    async def head(self, repo: str, branch: str) -> Commit | None:
        self._reach(repo)
        pulls = (
            pull for key, pull in self.pulls.items() if key.repo == repo and pull.branch == branch and pull.is_open
        )
        known = (self.commits[repo, pull.head] for pull in pulls)
        return self.heads.get((repo, branch)) or next(known, None)

    async def commit(self, repo: str, revision: str) -> Commit | None:
        self._reach(repo)
        return self.commits.get((repo, revision))

    async def merged_by(self, repo: str, revision: str) -> PreviewKey | None:
        self._reach(repo)
        return self.merges.get((repo, revision))

    async def report_commit(self, repo: str, report: CommitReport) -> None:
        self._reach(repo)
        at = repo, report.revision
        if at not in self._files:
            raise Refused(f"{repo} has no revision {short(report.revision)}")
        self._has_patience()
        if report.status is not None:
            self.statuses.setdefault(at, {})[report.status.context] = report.status
        if report.check is not None:
            self.commit_checks.setdefault(at, {})[report.check.name] = report.check
        if report.deployment is not None:
            self.commit_deployments.setdefault(at, {})[report.deployment.environment] = report.deployment

    async def bells(self) -> AsyncIterator[PreviewKey | None]:
        listener: asyncio.Queue[PreviewKey | None] = asyncio.Queue()
        self._listeners.add(listener)
        try:
            while True:
                yield await listener.get()
        finally:
            self._listeners.discard(listener)

    def doubt(self, key: PreviewKey | None) -> None:
        self.doubted.append(key)

    def health(self) -> ForgeHealth:
        return ForgeHealth("fake")

    async def conversation(self, key: PreviewKey) -> Conversation:
        self._known(key)
        checks = tuple(report for _, report in sorted(self.checks.get(key, {}).items()))
        return Conversation(tuple(self.entries.get(key, [])), checks, self.deployments.get(key))

    async def comment(self, key: PreviewKey, author: str, body: str) -> str:
        self._known(key)
        entry = self._add(key, author, body)
        self.ring(key)
        return entry.id

    async def said_of(self, repo: str, revision: str) -> CommitSaid:
        self._reach(repo)
        at = repo, revision
        return CommitSaid(
            tuple(one for _, one in sorted(self.statuses.get(at, {}).items())),
            tuple(one for _, one in sorted(self.commit_checks.get(at, {}).items())),
            tuple(one for _, one in sorted(self.commit_deployments.get(at, {}).items())),
        )

    # How

    def _revision(self, of: str) -> str:
        self._made += 1
        return hashlib.sha1(f"{of} {self._made}".encode(), usedforsecurity=False).hexdigest()

    def _advance(
        self,
        repo: str,
        branch: str,
        files: Mapping[str, bytes],
        title: str,
        author: str,
        by: PreviewKey | None = None,
    ) -> str:
        before = self.heads.get((repo, branch))
        revision = self._revision(f"{repo} {branch}")
        self._files[repo, revision] = {**(self._files[repo, before.revision] if before else {}), **files}
        self.heads[repo, branch] = self.commits[repo, revision] = Commit(revision, self.now(), title, author)
        if by is not None:
            self.merges[repo, revision] = by
        self.ring()
        return revision

    def _reach(self, repo: str | None = None) -> None:
        if self.down:
            raise Unavailable("the forge is down")
        if repo is not None and repo not in self._repos:
            raise Unavailable(f"there is no repository {repo}")

    def _known(self, key: PreviewKey) -> None:
        self._reach(key.repo)
        if key not in self.pulls:
            raise Refused(f"there is no pull request {key}")

    def _may_say(self, key: PreviewKey, body: str = "") -> None:
        self._known(key)
        if self.mute:
            raise Refused("the conversation is locked")
        self._has_patience()
        if len(body) > MAX_COMMENT:
            raise Refused(f"a comment has at most {MAX_COMMENT} characters")

    def _has_patience(self) -> None:
        if self.patience is not None:
            raise Unavailable("too much at once", self.patience)

    def _add(self, key: PreviewKey, author: str, body: str, **kind: object) -> Entry:
        self._made += 1
        entry = Entry(str(self._made), author, body, self.now(), self.now())
        entry = replace(entry, **kind)  # type: ignore[arg-type]  # fields by name, as `replace` takes them
        self.entries.setdefault(key, []).append(entry)
        return entry

    def _upsert(self, key: PreviewKey, body: str, *, sticky: bool = False, answers: str = "", topic: str = "") -> None:
        entries, kind = self.entries.setdefault(key, []), (sticky, answers, topic)
        with suppress(StopIteration):
            index = next(i for i, one in enumerate(entries) if (one.sticky, one.answers, one.topic) == kind)
            entries[index] = replace(entries[index], body=body, updated_at=self.now())
            return
        self._add(key, "mayfly", body, sticky=sticky, answers=answers, topic=topic)
