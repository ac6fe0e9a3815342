"""What every forge promises. A subclass gives the world that a forge shows: `world` is a fixture of its own.

The world is driven as people drive it (they push, close, merge and write), and only the port is asked.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from controller.adapters.shared.sources import Sources
from controller.common.nouns import PreviewKey
from controller.common.words import (
    Annotation,
    CheckReport,
    CheckStatus,
    CommitReport,
    CommitSaid,
    CommitState,
    CommitStatus,
    DeploymentReport,
    DeploymentState,
    Reply,
)
from controller.errors import Refused, Unavailable
from controller.ports import Conversations, Forge

SOON = 30.0
"""Seconds within which anything that happens at all has happened."""

A_CHECK = CheckReport(
    name="smoke",
    revision="a" * 40,
    status=CheckStatus.FAILURE,
    title="1 of 2 checks failed",
    summary="| `login` | failed |",
    external_id="shop#1/smoke/1",
    annotations=(Annotation("shop/app.py", 12, "login", 'expected 200, got 500 "oops"'),),
    started_at=datetime(2026, 1, 2, 12, 0, tzinfo=UTC),
    completed_at=datetime(2026, 1, 2, 12, 0, 3, 250_000, tzinfo=UTC),
)
A_DEPLOYMENT = DeploymentReport("pr-1", "a" * 40, DeploymentState.SUCCESS, "http://pr-1-shop.localhost", "ready")
A_STATUS = CommitStatus("mayfly/production", CommitState.SUCCESS, "#7 is verified", "http://mayfly.test/targets/main")
A_LIVE_DEPLOYMENT = DeploymentReport(
    "production", "a" * 40, DeploymentState.SUCCESS, "http://production.localhost", "#7 is live", production=True
)
NO_SUCH = "f" * 40


def a_commit_report(revision: str, context: str = "mayfly/production") -> CommitReport:
    """All three, at times that every forge keeps."""
    check = replace(A_CHECK, name=f"{context}/smoke", revision=revision, external_id="production:7:1")
    return CommitReport(
        revision,
        replace(A_STATUS, context=context),
        replace(check, completed_at=datetime(2026, 1, 2, 12, 0, 3, tzinfo=UTC)),
        replace(A_LIVE_DEPLOYMENT, environment=context, revision=revision),
    )


class ForgeWithPages(Forge, Conversations, Protocol):
    """Only so can the suite read what was said."""


class World(Protocol):
    """One repository with a main branch, and people who work on it."""

    repo: str

    @property
    def forge(self) -> ForgeWithPages: ...

    async def open_pull(
        self, branch: str, files: Mapping[str, str] | None = None, title: str = "A change"
    ) -> PreviewKey: ...

    async def push(self, key: PreviewKey, files: Mapping[str, str] | None = None) -> str:
        """Returns the new head."""
        ...

    async def close(self, key: PreviewKey) -> None: ...

    async def merge(self, key: PreviewKey) -> None: ...

    async def push_main(self, files: Mapping[str, str], title: str = "A commit") -> str:
        """By hand, by ada. Returns the new head."""
        ...

    async def break_it(self) -> None:
        """From now on the forge cannot be read."""
        ...


async def until(bells: AsyncIterator[PreviewKey | None], who: PreviewKey | None) -> None:
    """It rings for them; for nothing it may ring at any time."""
    while await anext(bells) != who:
        pass


class ForgeContract:
    async def test_the_repository_is_listed(self, world: World) -> None:
        assert await world.forge.repositories() == (world.repo,)

    async def test_a_repository_without_pull_requests_has_none(self, world: World) -> None:
        assert await world.forge.open_pulls(world.repo) == ()

    async def test_an_opened_pull_request_is_listed_and_read_by_number(self, world: World) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)
        key = await world.open_pull("feature", {"a.txt": "a"}, title="Add a")
        [pull] = await world.forge.open_pulls(world.repo)
        assert pull == await world.forge.pull(key)
        assert (pull.key, pull.branch, pull.base, pull.title, pull.author) == (key, "feature", "main", "Add a", "ada")
        assert pull.is_open
        assert not pull.merged
        assert not pull.from_fork
        assert len(pull.head) == 40
        assert before <= pull.pushed_at <= datetime.now(UTC) + timedelta(seconds=2)

    async def test_the_files_that_it_changes_are_told_when_asked_for(self, world: World) -> None:
        key = await world.open_pull("feature", {"a.txt": "a", "deep/in/b.txt": "b"})
        [before] = await world.forge.open_pulls(world.repo)
        await world.push(key, {"c.txt": "c"})
        [after] = await world.forge.open_pulls(world.repo)
        assert await world.forge.changed_paths(before) == frozenset({"a.txt", "deep/in/b.txt"})
        assert await world.forge.changed_paths(after) == frozenset({"a.txt", "deep/in/b.txt", "c.txt"})

    async def test_a_check_that_nobody_reported_is_not_told(self, world: World) -> None:
        await world.open_pull("feature", {"a.txt": "a"})
        [pull] = await world.forge.open_pulls(world.repo)
        assert not await world.forge.other_checks(pull, ["build"])

    async def test_who_works_there_may_write(self, world: World) -> None:
        await world.open_pull("feature")
        assert (await world.forge.permission(world.repo, "ada")).may_write

    async def test_a_push_moves_the_head_and_keeps_the_number(self, world: World) -> None:
        key = await world.open_pull("feature")
        earlier = await world.forge.pull(key)
        revision = await world.push(key, {"b.txt": "b"})
        [pull] = await world.forge.open_pulls(world.repo)
        assert earlier is not None
        assert (pull.key, pull.head) == (key, revision)
        assert pull.head != earlier.head
        assert pull.pushed_at >= earlier.pushed_at

    async def test_two_pull_requests_have_two_numbers(self, world: World) -> None:
        keys = [await world.open_pull("one"), await world.open_pull("two")]
        assert [pull.key for pull in await world.forge.open_pulls(world.repo)] == keys
        assert len(set(keys)) == 2

    async def test_a_closed_one_is_not_listed_and_is_still_known_by_number(self, world: World) -> None:
        key = await world.open_pull("feature")
        before = await world.forge.pull(key)
        await world.close(key)
        assert await world.forge.open_pulls(world.repo) == ()
        after = await world.forge.pull(key)
        assert before is not None
        assert after is not None
        assert (after.is_open, after.merged, after.head, after.title) == (False, False, before.head, before.title)

    async def test_a_merged_one_is_closed_and_says_so(self, world: World) -> None:
        key = await world.open_pull("feature", {"a.txt": "a"})
        other = await world.open_pull("other", {"b.txt": "b"})
        await world.merge(key)
        assert [pull.key for pull in await world.forge.open_pulls(world.repo)] == [other]
        pull = await world.forge.pull(key)
        assert pull is not None
        assert (pull.is_open, pull.merged) == (False, True)

    async def test_a_number_that_never_was_is_none(self, world: World) -> None:
        await world.open_pull("feature")
        for number in (4711, 0, -1, 10**30):
            assert await world.forge.pull(PreviewKey(world.repo, number)) is None

    async def test_a_file_is_read_at_its_revision(self, world: World) -> None:
        key = await world.open_pull("feature", {".preview.yaml": "old", "deep/in/side.txt": "deep"})
        old = (await world.forge.open_pulls(world.repo))[0].head
        new = await world.push(key, {".preview.yaml": "new"})
        read = world.forge.read_file
        assert await read(world.repo, old, ".preview.yaml", 100) == b"old"
        assert await read(world.repo, new, ".preview.yaml", 100) == b"new"
        assert await read(world.repo, new, "deep/in/side.txt", 100) == b"deep"
        assert await read(world.repo, new, "nothing.txt", 100) is None

    async def test_a_large_file_is_read_to_one_byte_more_than_the_limit(self, world: World) -> None:
        await world.open_pull("feature", {"large.txt": "x" * 200_000})
        [pull] = await world.forge.open_pulls(world.repo)
        assert await world.forge.read_file(world.repo, pull.head, "large.txt", 1000) == b"x" * 1001

    async def test_the_sticky_comment_is_one_and_edited_in_place(self, world: World) -> None:
        key = await world.open_pull("feature")
        await world.forge.say(key, "starting")
        await world.forge.comment(key, "ada", "nice")
        await world.forge.say(key, "ready 🎉")
        entries = (await world.forge.conversation(key)).entries
        assert [(entry.body, entry.sticky) for entry in entries] == [("ready 🎉", True), ("nice", False)]
        assert entries[0].created_at <= entries[0].updated_at

    async def test_a_comment_is_answered_once(self, world: World) -> None:
        key = await world.open_pull("feature")
        first = await world.forge.comment(key, "ada", "/preview pin")
        second = await world.forge.comment(key, "bob", "/preview help")
        await world.forge.answer(key, first, Reply("pinning"))
        await world.forge.answer(key, second, Reply("help"))
        await world.forge.answer(key, first, Reply("pinned"))
        answers = {
            entry.answers: entry.body for entry in (await world.forge.conversation(key)).entries if entry.answers
        }
        assert answers == {first: "pinned", second: "help"}

    async def test_comments_are_peoples_and_in_order(self, world: World) -> None:
        key = await world.open_pull("feature")
        await world.forge.say(key, "ready")
        first = await world.forge.comment(key, "ada", "/preview pin")
        await world.forge.answer(key, first, Reply("pinned"))
        second = await world.forge.comment(key, "bob", "thanks")
        comments = await world.forge.comments(key)
        assert [(comment.id, comment.author, comment.body) for comment in comments] == [
            (first, "ada", "/preview pin"),
            (second, "bob", "thanks"),
        ]

    async def test_the_latest_check_of_each_name_and_the_latest_deployment_stand(self, world: World) -> None:
        key = await world.open_pull("feature")
        e2e = replace(A_CHECK, name="e2e", annotations=())
        await world.forge.report_check(key, replace(A_CHECK, status=CheckStatus.IN_PROGRESS, completed_at=None))
        await world.forge.report_check(key, A_CHECK)
        await world.forge.report_check(key, e2e)
        await world.forge.report_deployment(key, replace(A_DEPLOYMENT, state=DeploymentState.QUEUED))
        await world.forge.report_deployment(key, A_DEPLOYMENT)
        conversation = await world.forge.conversation(key)
        assert conversation.checks == (e2e, A_CHECK)
        assert conversation.deployment == A_DEPLOYMENT

    async def test_a_closed_one_can_still_be_talked_about(self, world: World) -> None:
        key = await world.open_pull("feature")
        await world.close(key)
        await world.forge.say(key, "removed")
        await world.forge.report_deployment(key, replace(A_DEPLOYMENT, state=DeploymentState.INACTIVE))
        conversation = await world.forge.conversation(key)
        assert [entry.body for entry in conversation.entries] == ["removed"]

    async def test_a_comment_that_is_too_long_is_refused(self, world: World) -> None:
        key = await world.open_pull("feature")
        with pytest.raises(Refused):
            await world.forge.say(key, "x" * 65_537)

    async def test_nothing_is_said_where_there_is_no_pull_request(self, world: World) -> None:
        nowhere = PreviewKey(world.repo, 4711)
        with pytest.raises(Refused):
            await world.forge.say(nowhere, "hello")
        with pytest.raises(Refused):
            await world.forge.conversation(nowhere)

    async def test_the_bell_names_who_was_pushed_closed_or_written_to(self, world: World) -> None:
        key = await world.open_pull("feature")
        async with aclosing(world.forge.bells()) as bells:  # type: ignore[type-var]  # every adapter's is a generator
            first = asyncio.ensure_future(until(bells, key))
            await asyncio.sleep(0.05)
            await world.push(key)
            await asyncio.wait_for(first, SOON)
            await world.forge.comment(key, "ada", "/preview pin")
            await asyncio.wait_for(until(bells, key), SOON)
            await world.close(key)
            await asyncio.wait_for(until(bells, key), SOON)

    async def test_the_newest_commit_of_main_is_told(self, world: World) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)
        await world.push_main({"a.txt": "a"}, "Add a")
        revision = await world.push_main({"b.txt": "b"}, "Add b\n\nas nobody else does")
        head = await world.forge.head(world.repo, "main")
        assert head is not None
        assert (head.revision, head.title, head.author) == (revision, "Add b", "ada")
        assert before <= head.committed_at <= datetime.now(UTC) + timedelta(seconds=2)

    async def test_a_pull_requests_branch_has_a_newest_commit_too(self, world: World) -> None:
        key = await world.open_pull("feature/one", {"a.txt": "a"})
        revision = await world.push(key)
        head = await world.forge.head(world.repo, "feature/one")
        assert head is not None
        assert head.revision == revision

    async def test_a_branch_that_is_not_there_has_no_commit(self, world: World) -> None:
        assert await world.forge.head(world.repo, "nothing") is None
        assert await world.forge.head(world.repo, "mai") is None

    async def test_a_commit_is_known_by_its_whole_revision_whatever_came_after_it(self, world: World) -> None:
        revision = await world.push_main({"a.txt": "a"}, "Add a")
        head = await world.forge.head(world.repo, "main")
        await world.push_main({"b.txt": "b"}, "Add b")
        assert head is not None
        assert await world.forge.commit(world.repo, revision) == head
        assert (head.revision, head.title) == (revision, "Add a")

    async def test_a_pull_requests_commit_is_known_too(self, world: World) -> None:
        key = await world.open_pull("feature", {"a.txt": "a"})
        revision = await world.push(key)
        commit = await world.forge.commit(world.repo, revision)
        assert commit is not None
        assert commit.revision == revision

    async def test_what_is_no_whole_revision_of_a_commit_is_none(self, world: World) -> None:
        revision = await world.push_main({"a.txt": "a"})
        for other in (NO_SUCH, revision[:7], revision.upper() + "\n", "main", "HEAD", "--all", "../x", ""):
            assert await world.forge.commit(world.repo, other) is None

    async def test_what_a_merge_brought_to_main_is_known_by_its_pull_request(self, world: World) -> None:
        by_hand = await world.push_main({"main.txt": "main"})
        key = await world.open_pull("feature", {"a.txt": "a"})
        other = await world.open_pull("other", {"b.txt": "b"})
        await world.merge(key)
        first = await world.forge.head(world.repo, "main")
        await world.merge(other)
        second = await world.forge.head(world.repo, "main")
        assert first is not None
        assert second is not None
        assert await world.forge.merged_by(world.repo, first.revision) == key
        assert await world.forge.merged_by(world.repo, second.revision) == other
        assert await world.forge.merged_by(world.repo, by_hand) is None

    async def test_every_topic_has_a_sticky_comment_of_its_own(self, world: World) -> None:
        key = await world.open_pull("feature")
        for body in ("first", "second"):
            await world.forge.say(key, f"preview {body}")
            await world.forge.say(key, f"production {body}", "deploy-production")
            await world.forge.say(key, f"staging {body}", "deploy-staging")
        entries = (await world.forge.conversation(key)).entries
        assert [(entry.topic, entry.body, entry.sticky) for entry in entries] == [
            ("", "preview second", True),
            ("deploy-production", "production second", True),
            ("deploy-staging", "staging second", True),
        ]
        assert not await world.forge.comments(key)

    async def test_what_is_said_of_a_commit_stands_on_it(self, world: World) -> None:
        revision = await world.push_main({"a.txt": "a"})
        report = a_commit_report(revision)
        begun = CommitReport(revision, replace(A_STATUS, state=CommitState.PENDING))
        for said in (begun, report, report, CommitReport(revision)):
            await world.forge.report_commit(world.repo, said)
        stands = await world.forge.said_of(world.repo, revision)
        assert stands == CommitSaid((A_STATUS,), (report.check,), (report.deployment,))  # type: ignore[arg-type]  # given

    async def test_several_targets_of_one_commit_are_told_apart(self, world: World) -> None:
        revision = await world.push_main({"a.txt": "a"})
        reports = [a_commit_report(revision, name) for name in ("a-first", "b-second")]
        for report in reversed(reports):
            await world.forge.report_commit(world.repo, report)
        stands = await world.forge.said_of(world.repo, revision)
        assert stands.statuses == tuple(report.status for report in reports)
        assert stands.checks == tuple(report.check for report in reports)
        assert stands.deployments == tuple(report.deployment for report in reports)

    async def test_nothing_is_said_of_a_commit_that_there_is_not(self, world: World) -> None:
        with pytest.raises(Refused):
            await world.forge.report_commit(world.repo, a_commit_report(NO_SUCH))
        assert await world.forge.said_of(world.repo, NO_SUCH) == CommitSaid()

    async def test_a_push_to_main_rings_for_anything(self, world: World) -> None:
        async with aclosing(world.forge.bells()) as bells:  # type: ignore[type-var]  # every adapter's is a generator
            first = asyncio.ensure_future(until(bells, None))
            await asyncio.sleep(0.05)
            await world.push_main({"a.txt": "a"})
            await asyncio.wait_for(first, SOON)

    async def test_a_forge_that_is_down_raises_and_tells_no_lies(self, world: World) -> None:
        key = await world.open_pull("feature")
        [pull] = await world.forge.open_pulls(world.repo)
        await world.break_it()
        with pytest.raises(Unavailable):
            await world.forge.open_pulls(world.repo)
        with pytest.raises(Unavailable):
            await world.forge.pull(key)
        with pytest.raises(Unavailable):
            await world.forge.read_file(world.repo, pull.head, ".preview.yaml", 100)
        with pytest.raises(Unavailable):
            await world.forge.say(key, "hello")
        with pytest.raises(Unavailable):
            await world.forge.comments(key)
        with pytest.raises(Unavailable):
            await world.forge.changed_paths(pull)
        with pytest.raises(Unavailable):
            await world.forge.head(world.repo, "main")
        with pytest.raises(Unavailable):
            await world.forge.commit(world.repo, pull.head)
        with pytest.raises(Unavailable):
            await world.forge.merged_by(world.repo, pull.head)
        with pytest.raises(Unavailable):
            await world.forge.report_commit(world.repo, a_commit_report(pull.head))


class SourceContract:
    """Of a forge whose revisions are real ones."""

    async def test_every_revision_of_an_open_one_can_be_fetched(self, world: World, tmp_path: Path) -> None:
        key = await world.open_pull("feature", {"a.txt": "a"})
        [before] = await world.forge.open_pulls(world.repo)
        sources = Sources(tmp_path, world.forge.source, {})
        for revision in (before.head, await world.push(key, {"a.txt": "b"})):
            await sources.fetch(world.repo, revision, "a-preview")
