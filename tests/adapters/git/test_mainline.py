"""Which commit is at the head of a deployed branch, and who brought it there; and what is kept of it."""

import os
import sqlite3
from contextlib import closing, suppress

import pytest

from controller.adapters.git import bell
from controller.adapters.git.records import NAME
from controller.adapters.git.setup import Announced
from controller.common.words import CommitSaid
from controller.errors import Unavailable
from tests.adapters.git.test_hook import told
from tests.adapters.git.world import GitWorld, git
from tests.contracts.forge import a_commit_report

pytestmark = pytest.mark.processes


def main_of(world: GitWorld) -> str:
    return git(world.bare, "rev-parse", "main")


async def brought(world: GitWorld, revision: str = "") -> int | None:
    """Number of the pull request that brought it to main."""
    key = await world.forge.merged_by("shop", revision or main_of(world))
    return None if key is None else key.number


async def test_a_branch_that_main_was_moved_along_brought_its_head(world: GitWorld) -> None:
    world.branch("feature", {"a.txt": "a"})
    world.commit("More", {"b.txt": "b"})
    world.send("feature", "feature:main")
    assert await brought(world) == 1
    assert await brought(world, git(world.bare, "rev-parse", "main^")) is None, "it never was the head of main"


async def test_of_two_that_one_merge_brought_the_outer_one_counts(world: GitWorld) -> None:
    world.branch("inner", {"a.txt": "a"})
    world.branch("outer", {"b.txt": "b"})
    git(world.checkout, "merge", "--quiet", "--no-ff", "--no-edit", "inner")
    world.send("outer")
    world.merge_branch("outer")
    assert await brought(world) == 2


async def test_what_is_pushed_on_top_of_a_merge_was_brought_by_nobody(world: GitWorld) -> None:
    world.branch("feature", {"a.txt": "a"})
    git(world.checkout, "checkout", "--quiet", "main")
    git(world.checkout, "merge", "--quiet", "--no-ff", "--no-edit", "feature")
    world.commit("By hand", {"c.txt": "c"})
    world.send("main")
    assert await brought(world) is None


async def test_a_squash_is_nobodys(world: GitWorld) -> None:
    world.branch("feature", {"a.txt": "a"})
    git(world.checkout, "checkout", "--quiet", "main")
    git(world.checkout, "merge", "--quiet", "--squash", "feature")
    world.commit("Squashed")
    world.send("main")
    assert await brought(world) is None


async def test_a_merge_whose_push_nobody_noticed_is_known_all_the_same(world: GitWorld) -> None:
    world.branch("feature", {"a.txt": "a"})
    (world.bare / "hooks" / "post-receive").unlink()
    world.merge_branch("feature")
    assert await brought(world) == 1


@pytest.mark.parametrize("revision", ["f" * 40, "main", "--all", "", "f" * 40 + "\n"])
async def test_what_is_no_commit_was_brought_by_nobody(world: GitWorld, revision: str) -> None:
    assert await world.forge.merged_by("shop", revision) is None
    assert await world.forge.said_of("shop", revision) == CommitSaid()
    assert await world.forge.commit("shop", revision) is None


async def test_the_very_first_commit_was_brought_by_nobody(world: GitWorld) -> None:
    assert await brought(world) is None


@pytest.mark.parametrize("branch", ["", "*", "ma*", "feature", "../heads/main", "main^", "-h"])
async def test_a_name_that_is_no_branch_has_no_head(world: GitWorld, branch: str) -> None:
    world.branch("feature/one")
    assert await world.forge.head("shop", branch) is None


async def test_a_hostile_commit_is_told_as_text(world: GitWorld) -> None:
    git(world.checkout, "-c", "user.name=x", "commit", "--quiet", "--allow-empty", f"--message=<b>\x1b[31m {'é' * 300}")
    world.send("main")
    head = await world.forge.head("shop", "main")
    assert head is not None
    assert (head.title, head.revision) == (f"<b>\x1b[31m {'é' * 300}"[:200], main_of(world))
    assert await world.forge.commit("shop", head.revision) == head


async def test_other_objects_are_no_commits(world: GitWorld) -> None:
    git(world.bare, "tag", "--annotate", "--message=one", "v1", "main")
    for name in ("v1", "main^{tree}", "main:README.md"):
        assert await world.forge.commit("shop", git(world.bare, "rev-parse", name)) is None


async def test_a_damaged_repository_tells_nothing(world: GitWorld) -> None:
    (world.bare / "refs" / "heads" / "main").write_text("f" * 40 + "\n")
    with suppress(FileNotFoundError):
        (world.bare / "packed-refs").unlink()
    with pytest.raises(Unavailable):
        await world.forge.head("shop", "main")


async def test_the_file_of_an_earlier_mayfly_gets_what_it_lacks(world: GitWorld) -> None:
    key = await world.open_pull("feature")
    await world.forge.say(key, "ready")
    with closing(sqlite3.connect(world.bare / NAME)) as earlier:
        earlier.execute("DROP TABLE reports")
        earlier.execute("DROP INDEX pulls_merged")
        earlier.execute("PRAGMA user_version = 1")
    report = a_commit_report(main_of(world))
    await world.forge.report_commit("shop", report)
    assert (await world.forge.said_of("shop", report.revision)).statuses == (report.status,)
    assert [entry.body for entry in (await world.forge.conversation(key)).entries] == ["ready"]


async def test_whoever_pushes_main_is_told_what_it_is_deployed_to(world: GitWorld) -> None:
    targets = [
        Announced("production", "shop", "main", "http://production.localhost"),
        Announced("elsewhere", "other", "main", "http://elsewhere.localhost"),
        Announced("next", "shop", "next", "http://next.localhost"),
    ]
    await world.forge.announce("http://{label}.localhost:8080", targets)
    listening = bell.hang(world.root)
    world.commit("More", {"b.txt": "b"})
    said = told(world.send("main"))
    os.close(listening)
    assert said == ["main is deployed to production: http://production.localhost"]


async def test_whoever_pushes_main_is_told_that_nobody_listens(world: GitWorld) -> None:
    world.commit("More", {"b.txt": "b"})
    assert told(world.send("main")) == ["Mayfly is not running: start it with `mayfly serve`"]
