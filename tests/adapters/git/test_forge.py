"""What is the embedded forge's own: hostile names, lost pushes, damaged repositories, many branches."""

import asyncio
import os
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from controller.adapters.git.forge import GitForge
from controller.adapters.git.records import NAME, transaction
from controller.adapters.git.setup import create_repository
from controller.common.nouns import PreviewKey
from controller.errors import Refused, Unavailable
from tests.adapters.git.world import ENV, GitWorld, git

pytestmark = pytest.mark.processes

HOSTILE = [
    pytest.param('it\'s-a-"quote"', id="quotes"),
    pytest.param("$(touch${IFS}escaped)", id="a command"),
    pytest.param("`id`;&|<>#{}!%", id="a shell's characters"),
    pytest.param("füße/日本/🎉", id="unicode"),
    pytest.param("a" * 120 + "/" + "b" * 129, id="250 characters"),
    pytest.param("-rf", id="a leading dash"),
    pytest.param("refs/heads/main", id="a ref within a ref"),
    pytest.param("HEAD", id="HEAD"),
    pytest.param("main.git", id="almost main"),
    pytest.param("1e10000", id="a number"),
]


@pytest.fixture
def hookless(world: GitWorld) -> GitWorld:
    """Its hook is lost: nothing is noticed within a push."""
    (world.bare / "hooks" / "post-receive").unlink()
    return world


@pytest.mark.parametrize("branch", HOSTILE)
async def test_a_branch_may_have_any_name_that_git_allows(world: GitWorld, branch: str) -> None:
    revision = world.commit("A change", {"a.txt": "a"})
    said = world.send(f"{revision}:refs/heads/{branch}")
    [pull] = await world.forge.open_pulls("shop")
    assert (pull.branch, pull.head) == (branch, revision)
    assert await world.forge.changed_paths(pull) == {"a.txt"}
    assert f"Preview of {branch} (pull request 1)" in said
    assert not list(world.root.rglob("escaped"))
    world.send(f":refs/heads/{branch}")
    assert not (await world.forge.pull(pull.key)).is_open


async def test_names_that_are_not_utf8_stay_apart(world: GitWorld) -> None:
    revision = git(world.checkout, "rev-parse", "main")
    for raw in (b"caf\xe9", b"caf\xe8"):
        git(world.bare, "update-ref", os.fsdecode(b"refs/heads/" + raw), revision)
    assert {pull.branch for pull in await world.forge.open_pulls("shop")} == {"caf\\xe9", "caf\\xe8"}


async def test_a_title_may_say_anything(world: GitWorld) -> None:
    world.branch("feature", title="\x1b[31m<b>$(id)</b>\tend " + "x" * 500)
    [pull] = await world.forge.open_pulls("shop")
    assert pull.title.startswith("\x1b[31m<b>$(id)</b>")
    assert len(pull.title) == 200


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../shop.git/config", "a/../a.txt", "./a.txt", "", "a.txt/", "\0", "link", "folder", "a.tx?"],
)
async def test_only_a_regular_file_inside_the_repository_is_read(world: GitWorld, path: str) -> None:
    (world.checkout / "link").symlink_to("a.txt")
    revision = world.commit("A change", {"a.txt": "a", "folder/b.txt": "b"})
    world.send(f"{revision}:refs/heads/feature")
    assert await world.forge.read_file("shop", revision, "a.txt", 10) == b"a"
    assert await world.forge.read_file("shop", revision, path, 10) is None


@pytest.mark.parametrize("path", ["-rf", ":(glob)*", "$(id).txt", 'say "hi"', "日本/🎉", "new\nline", "*"])
async def test_a_file_may_have_any_name(world: GitWorld, path: str) -> None:
    revision = world.commit("A change", {path: "found", "other.txt": "other"})
    world.send(f"{revision}:refs/heads/feature")
    assert await world.forge.read_file("shop", revision, path, 10) == b"found"
    [pull] = await world.forge.open_pulls("shop")
    assert await world.forge.changed_paths(pull) == {path, "other.txt"}


@pytest.mark.parametrize("revision", ["main", "--help", "HEAD", "a" * 39, "refs/heads/main"])
async def test_only_a_whole_revision_names_a_commit(world: GitWorld, revision: str) -> None:
    assert await world.forge.read_file("shop", revision, "README.md", 10) is None


async def test_pushes_that_nobody_noticed_are_noticed_by_looking(hookless: GitWorld) -> None:
    hookless.branch("one", {"a.txt": "a"})
    hookless.branch("two", {"b.txt": "b"})
    one, two = [pull.key for pull in await hookless.forge.open_pulls("shop")]
    assert (one.number, two.number) == (1, 2)
    hookless.merge_branch("one")
    hookless.send(":two")
    assert [(await hookless.forge.pull(key)).merged for key in (one, two)] == [True, False]
    assert await hookless.forge.open_pulls("shop") == ()


async def test_a_branch_without_commits_of_its_own_is_open(world: GitWorld) -> None:
    world.send("main:refs/heads/empty")
    world.commit("Main goes on")
    world.send("main")
    [pull] = await world.forge.open_pulls("shop")
    assert (pull.branch, pull.is_open) == ("empty", True)
    assert await world.forge.changed_paths(pull) == frozenset()


async def test_a_merged_branch_left_behind_stays_closed_and_new_work_on_it_is_a_new_number(world: GitWorld) -> None:
    first = await world.open_pull("feature", {"a.txt": "a"})
    await world.merge(first)
    assert await world.forge.open_pulls("shop") == ()
    await world.push(first, {"b.txt": "b"})
    [second] = await world.forge.open_pulls("shop")
    assert (second.key.number, second.branch) == (2, "feature")
    assert (await world.forge.pull(first)).merged


async def test_a_fast_forward_of_main_and_a_merge_pushed_with_its_branch_both_merge(world: GitWorld) -> None:
    first = await world.open_pull("one", {"a.txt": "a"})
    second = await world.open_pull("two", {"b.txt": "b"})
    world.send("one:main")
    assert (await world.forge.pull(first)).merged
    git(world.checkout, "checkout", "--quiet", "two")
    world.commit("More")
    git(world.checkout, "merge", "--quiet", "--no-edit", "one")
    world.send("two:two", "two:main")
    assert (await world.forge.pull(second)).merged


async def test_a_branch_deleted_and_pushed_again_is_a_new_pull_request(world: GitWorld) -> None:
    first = await world.open_pull("feature")
    await world.forge.say(first, "ready")
    await world.close(first)
    second = await world.open_pull("feature")
    assert second.number == first.number + 1
    assert (await world.forge.conversation(second)).entries == ()
    assert not (await world.forge.pull(first)).is_open


async def test_a_force_push_keeps_the_number_and_the_replaced_revision_can_still_be_fetched(world: GitWorld) -> None:
    key = await world.open_pull("feature", {"a.txt": "a"})
    replaced = (await world.forge.pull(key)).head
    git(world.checkout, "commit", "--quiet", "--amend", "--message=Rewritten")
    world.send("+feature")
    [pull] = await world.forge.open_pulls("shop")
    assert (pull.key, pull.title) == (key, "Rewritten")
    git(world.checkout, "fetch", "--quiet", (await world.forge.source("shop")).url, replaced)


async def test_the_main_branch_may_be_called_otherwise(tmp_path) -> None:
    world = GitWorld(tmp_path)
    bare = create_repository(tmp_path / "forge", "old", main="master")
    git(world.checkout, "push", str(bare), "main:master", "main:topic")
    [pull] = await world.forge.open_pulls("old")
    assert (pull.branch, pull.base) == ("topic", "master")


async def test_a_repository_without_a_commit_has_no_pull_requests(tmp_path) -> None:
    create_repository(tmp_path, "new")
    assert await GitForge(tmp_path).open_pulls("new") == ()


def an_empty_ref(world: GitWorld) -> None:
    (world.bare / "refs" / "heads" / "feature").write_text("")


def a_ref_to_nothing(world: GitWorld) -> None:
    (world.bare / "refs" / "heads" / "feature").write_text("1" * 40 + "\n")


def lost_refs(world: GitWorld) -> None:
    shutil.rmtree(world.bare / "refs" / "heads")
    (world.bare / "refs" / "heads").mkdir()


def lost_objects(world: GitWorld) -> None:
    shutil.rmtree(world.bare / "objects")
    (world.bare / "objects").mkdir()


def lost_head(world: GitWorld) -> None:
    (world.bare / "HEAD").unlink()


def garbled_packed_refs(world: GitWorld) -> None:
    git(world.bare, "pack-refs", "--all")
    packed = world.bare / "packed-refs"
    packed.write_bytes(packed.read_bytes()[:-50])


def garbled_database(world: GitWorld) -> None:
    for file in world.bare.glob(f"{NAME}*"):
        file.write_bytes(b"garbage" * 1000)


@pytest.mark.parametrize(
    "damage",
    [an_empty_ref, a_ref_to_nothing, lost_refs, lost_objects, lost_head, garbled_packed_refs, garbled_database],
)
async def test_a_damaged_repository_is_unavailable_and_never_empty(world: GitWorld, damage) -> None:
    key = await world.open_pull("feature", {"a.txt": "a"})
    damage(world)
    with pytest.raises(Unavailable):
        await world.forge.open_pulls("shop")
    with pytest.raises(Unavailable):
        await world.forge.pull(key)


async def test_a_folder_that_is_gone_is_unavailable(tmp_path) -> None:
    forge = GitForge(tmp_path / "gone")
    with pytest.raises(Unavailable):
        await forge.repositories()
    with pytest.raises(Unavailable):
        await forge.open_pulls("shop")


@pytest.mark.parametrize("name", ["../shop", "", "a/b", "-x", "a" * 101, ".."])
async def test_a_repository_has_a_plain_name(world: GitWorld, name: str) -> None:
    with pytest.raises(Refused):
        await world.forge.pull(PreviewKey(name, 1))


async def test_git_variables_around_us_do_not_lead_elsewhere(world: GitWorld, monkeypatch, tmp_path) -> None:
    await world.open_pull("feature")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_TRACE", "1")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    assert len(await world.forge.open_pulls("shop")) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
async def test_a_repository_of_another_user_is_read(world: GitWorld) -> None:
    await world.open_pull("feature")
    for path in [world.bare, *world.bare.rglob("*")]:
        os.chown(path, 65534, 65534)
    assert len(await world.forge.open_pulls("shop")) == 1


async def test_looks_and_pushes_at_the_same_time_give_every_branch_one_number(world: GitWorld) -> None:
    async def keep_looking() -> None:
        while True:
            await world.forge.open_pulls("shop")

    looking = asyncio.create_task(keep_looking())
    for number in range(8):
        await asyncio.to_thread(world.branch, f"branch-{number}")
    looking.cancel()
    pulls = await world.forge.open_pulls("shop")
    assert [pull.branch for pull in pulls] == [f"branch-{number}" for number in range(8)]
    assert [pull.key.number for pull in pulls] == list(range(1, 9))


async def test_a_hundred_branches_are_read_again_with_a_handful_of_processes(hookless: GitWorld) -> None:
    revisions = [hookless.commit(f"Change {number}", {f"{number}.txt": "x"}) for number in range(100)]
    hookless.send(*[f"{revision}:refs/heads/b{number:02}" for number, revision in enumerate(revisions)])
    assert len(await hookless.forge.open_pulls("shop")) == 100
    start = time.perf_counter()
    pulls = await hookless.forge.open_pulls("shop")
    assert time.perf_counter() - start < 5
    assert await hookless.forge.changed_paths(pulls[9]) == {f"{number}.txt" for number in range(10)}


async def test_a_locked_database_is_unavailable_after_a_while(world: GitWorld, monkeypatch) -> None:
    monkeypatch.setattr("controller.adapters.git.records.PATIENCE", 0.1)
    with transaction(world.bare), pytest.raises(Unavailable, match="locked"):
        await world.forge.open_pulls("shop")


async def test_a_killed_writer_leaves_all_or_nothing(world: GitWorld) -> None:
    key = await world.open_pull("feature")
    await world.forge.say(key, "ready")
    with closing(sqlite3.connect(world.bare / NAME)) as killed:
        killed.execute("UPDATE entries SET body = 'half'")
    assert [entry.body for entry in (await world.forge.conversation(key)).entries] == ["ready"]


async def test_one_that_rebases_onto_main_is_still_open(world: GitWorld) -> None:
    key = await world.open_pull("feature", {"a.txt": "a"})
    git(world.checkout, "checkout", "--quiet", "main")
    world.commit("Main goes on", {"m.txt": "m"})
    world.send("main")
    git(world.checkout, "rebase", "--quiet", "main", "feature")
    world.send("+feature")
    pull = await world.forge.pull(key)
    assert pull.is_open
    assert await world.forge.changed_paths(pull) == {"a.txt"}


async def test_the_author_and_the_draft_come_from_the_head(world: GitWorld) -> None:
    git(world.checkout, "checkout", "--quiet", "-b", "feature")
    env = ENV | {"GIT_AUTHOR_NAME": "Zoë O'Neil"}
    git(world.checkout, "commit", "--quiet", "--allow-empty", "--message=WIP: later", env=env)
    world.send("feature")
    [pull] = await world.forge.open_pulls("shop")
    assert (pull.author, pull.title, pull.draft) == ("Zoë O'Neil", "WIP: later", True)


async def test_a_closed_one_is_known_after_its_commits_were_thrown_away(world: GitWorld) -> None:
    key = await world.open_pull("feature", {"a.txt": "a"}, title="Add a")
    await world.close(key)
    git(world.bare, "gc", "--quiet", "--prune=now")
    pull = await world.forge.pull(key)
    assert (pull.is_open, pull.branch, pull.title, len(pull.head)) == (False, "feature", "", 40)


async def test_one_without_a_common_commit_does_not_say_what_it_changes(world: GitWorld) -> None:
    git(world.checkout, "checkout", "--quiet", "--orphan", "feature")
    world.commit("From nothing", {"a.txt": "a"})
    world.send("feature")
    [pull] = await world.forge.open_pulls("shop")
    assert (pull.is_open, pull.merged) == (True, False)
    assert await world.forge.changed_paths(pull) is None


async def test_one_that_changes_too_many_files_does_not_say_which(world: GitWorld, monkeypatch) -> None:
    monkeypatch.setattr("controller.adapters.git.repository.MAX_PATHS", 2)
    world.branch("two", {"a.txt": "a", "b.txt": "b"})
    world.branch("three", {"a.txt": "a", "b.txt": "b", "c.txt": "c"})
    pulls = await world.forge.open_pulls("shop")
    assert [await world.forge.changed_paths(pull) for pull in pulls] == [{"a.txt", "b.txt"}, None]


async def test_an_object_that_cannot_be_read_is_unavailable(world: GitWorld) -> None:
    revision = world.commit("A change", {"a.txt": "something of its own"})
    world.send(f"{revision}:refs/heads/feature")
    blob = git(world.checkout, "rev-parse", f"{revision}:a.txt")
    (world.bare / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(Unavailable):
        await world.forge.read_file("shop", revision, "a.txt", 100)
