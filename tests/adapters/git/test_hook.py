import asyncio
import os
import stat
import subprocess
import time
from contextlib import aclosing

import pytest

from controller.adapters.git import bell, hook
from controller.adapters.git.listener import MAX_WAITING, Waiting, read_line
from controller.adapters.git.records import NAME
from controller.common.nouns import PreviewKey
from controller.previews.hosts import DEFAULT_PATTERN
from tests.adapters.git.world import ENV, GitWorld, git


@pytest.fixture
async def announced(world: GitWorld) -> GitWorld:
    await world.forge.announce("http://{label}.localhost:8080")
    return world


@pytest.fixture
def listening(world: GitWorld):
    """A controller that listens, as far as whoever rings can tell."""
    descriptor = bell.hang(world.root)
    yield descriptor
    os.close(descriptor)


def told(output: str) -> list[str]:
    """The hook's lines in the output of a push."""
    lines = [line.removeprefix("remote: ").rstrip() for line in output.splitlines() if line.startswith("remote:")]
    return [line for line in lines if line]


@pytest.mark.processes
@pytest.mark.usefixtures("listening")
class TestAPush:
    def test_it_is_answered_with_the_url_of_the_preview(self, announced: GitWorld) -> None:
        output = announced.branch("feature-x")
        head = git(announced.checkout, "rev-parse", "--short=7", "HEAD")
        assert told(output) == [
            "Preview of feature-x (pull request 1): http://pr-1-shop.localhost:8080",
            f"  starting at {head}",
        ]

    def test_the_url_is_as_the_spec_says(self, announced: GitWorld) -> None:
        output = announced.branch("feature", {".preview.yaml": 'services: {}\nurl: "pr-{number}-web"  # short\n'})
        assert "http://pr-1-web.localhost:8080" in told(output)[0]

    def test_a_url_that_only_the_whole_spec_tells_is_left_to_the_report(self, announced: GitWorld) -> None:
        output = announced.branch("feature", {".preview.yaml": "url: pr-{number}-{service}\n"})
        assert told(output)[0] == "Preview of feature (pull request 1): its URL will stand in the report"

    def test_deleting_and_merging_say_what_is_removed(self, announced: GitWorld) -> None:
        announced.branch("one", {"a.txt": "a"})
        announced.branch("two", {"b.txt": "b"})
        assert told(announced.send(":one")) == ["Pull request 1 (one) is closed: its preview is being removed"]
        git(announced.checkout, "checkout", "--quiet", "main")
        git(announced.checkout, "merge", "--quiet", "--no-ff", "--no-edit", "two")
        assert told(announced.send("main")) == ["Pull request 2 (two) is merged: its preview is being removed"]

    def test_main_and_tags_are_pushed_in_silence(self, announced: GitWorld) -> None:
        announced.commit("Main goes on")
        git(announced.checkout, "tag", "v1")
        assert told(announced.send("main", "v1")) == []

    def test_a_hundred_branches_are_not_a_hundred_lines(self, announced: GitWorld) -> None:
        revision = announced.commit("A change")
        output = announced.send(*[f"{revision}:refs/heads/b{number}" for number in range(30)])
        assert len(told(output)) == 2 * hook.MAX_TOLD + 1
        assert told(output)[-1] == "… and 20 more pull requests"

    async def test_it_succeeds_where_the_hook_cannot_work(self, announced: GitWorld) -> None:
        for file in announced.bare.glob(f"{NAME}*"):
            file.write_bytes(b"garbage" * 1000)
        assert "Mayfly will notice this push a little later" in told(announced.branch("feature"))[0]
        for file in announced.bare.glob(f"{NAME}*"):
            file.unlink()
        assert [pull.branch for pull in await announced.forge.open_pulls("shop")] == ["feature"]

    def test_it_succeeds_where_the_interpreter_is_gone(self, announced: GitWorld) -> None:
        script = announced.bare / "hooks" / "post-receive"
        script.write_text(script.read_text().replace("/bin/python", "/nowhere/python"))
        assert told(announced.branch("feature")) == ["Mayfly has moved: run `mayfly serve` again"]

    def test_a_hooks_folder_of_the_persons_own_does_not_replace_ours(self, announced: GitWorld, tmp_path) -> None:
        (tmp_path / "gitconfig").write_text(f"[core]\n\thooksPath = {tmp_path / 'elsewhere'}\n")
        git(announced.checkout, "checkout", "--quiet", "-b", "feature")
        env = ENV | {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
        assert told(git(announced.checkout, "push", "preview", "feature", env=env))

    def test_the_hook_takes_no_longer_than_a_person_notices(self, announced: GitWorld) -> None:
        announced.branch("feature")
        start = time.perf_counter()
        for _ in range(3):
            subprocess.run(
                [announced.bare / "hooks" / "post-receive"],
                cwd=announced.bare,
                input="",
                text=True,
                timeout=60,
                check=True,
            )
        assert (time.perf_counter() - start) / 3 < 2  # 0.1 s on an idle machine


@pytest.mark.processes
@pytest.mark.usefixtures("listening")
class TestTheWordsOfAPush:
    """Without git around it: whoever looks first, the person who pushes is told."""

    async def test_what_the_controller_noticed_before_is_told_all_the_same(self, announced: GitWorld) -> None:
        (announced.bare / "hooks" / "post-receive").unlink()
        announced.branch("feature")
        [pull] = await announced.forge.open_pulls("shop")
        assert list(hook.notice(announced.root, "shop", ["refs/heads/feature", "refs/heads/main", "refs/tags/v1"])) == [
            "Preview of feature (pull request 1): http://pr-1-shop.localhost:8080",
            f"  starting at {pull.head[:7]}",
        ]
        announced.send(":feature")
        assert not (await announced.forge.pull(pull.key)).is_open
        assert list(hook.notice(announced.root, "shop", ["refs/heads/feature"])) == [
            "Pull request 1 (feature) is closed: its preview is being removed"
        ]

    def test_a_url_that_was_never_announced_is_left_to_the_report(self, world: GitWorld) -> None:
        world.branch("feature")
        first, _ = hook.notice(world.root, "shop", ["refs/heads/feature"])
        assert first == "Preview of feature (pull request 1): its URL will stand in the report"

    @pytest.mark.parametrize("announced", ["", "[]", "{}", '{"url": 7}', "\0"])
    def test_a_garbled_announcement_is_survived(self, world: GitWorld, announced: str) -> None:
        world.branch("feature")
        (world.root / hook.ANNOUNCED).write_text(announced)
        assert len(list(hook.notice(world.root, "shop", ["refs/heads/feature"]))) == 2

    def test_what_a_terminal_would_obey_is_not_sent_to_it(self, capfdbinary) -> None:
        hook.tell("Preview of \x1b[31mred\u202e ✓")
        assert capfdbinary.readouterr().out == "Preview of ?[31mred? ✓\n".encode()


@pytest.mark.processes
def test_a_push_says_where_no_controller_listens(world: GitWorld) -> None:
    assert told(world.branch("feature"))[-1] == "Mayfly is not running: start it with `mayfly serve`"


@pytest.mark.processes
async def test_pushes_ring_for_every_listener(world: GitWorld) -> None:
    async with aclosing(world.forge.bells()) as one, aclosing(world.forge.bells()) as two:
        heard = [asyncio.create_task(anext(one)), asyncio.create_task(anext(two))]
        await asyncio.sleep(0)  # they wait now
        await asyncio.to_thread(world.branch, "feature")
        assert await asyncio.wait_for(asyncio.gather(*heard), 30) == [PreviewKey("shop", 1)] * 2


@pytest.mark.parametrize(
    ("line", "key"),
    [
        pytest.param(b"shop 7", PreviewKey("shop", 7), id="one pull request"),
        pytest.param(b"shop", None, id="no number"),
        pytest.param(b"shop -7", None, id="a number that is none"),
        pytest.param(b"shop 99999999999999999999", None, id="a number beyond all"),
        pytest.param(b"\xff\xfe", None, id="noise"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_what_is_no_ring_for_one_rings_for_everything(line: bytes, key: PreviewKey | None) -> None:
    assert read_line(line) == key


async def test_what_waits_is_kept_once_each_and_bounded() -> None:
    waiting = Waiting()
    for key in [PreviewKey("shop", 1), PreviewKey("shop", 2), PreviewKey("shop", 1)]:
        waiting.put(key)
    assert [await waiting.take(), await waiting.take()] == [PreviewKey("shop", 1), PreviewKey("shop", 2)]
    for number in range(MAX_WAITING + 1):
        waiting.put(PreviewKey("shop", number))
    assert await waiting.take() is None


def test_nobody_listens_where_there_is_no_bell_or_only_a_file(tmp_path) -> None:
    assert not bell.ring(tmp_path, "shop", 1)
    os.mkfifo(tmp_path / bell.NAME)
    assert not bell.ring(tmp_path, "shop", 1)


def test_a_full_bell_rings_already(tmp_path) -> None:
    (tmp_path / bell.NAME).write_text("left by something else")
    descriptor = bell.hang(tmp_path)
    assert stat.S_ISFIFO((tmp_path / bell.NAME).stat().st_mode)
    assert all(bell.ring(tmp_path, "x" * 90, number) for number in range(2000))
    os.close(descriptor)


@pytest.mark.parametrize(
    ("spec", "pattern"),
    [
        pytest.param("url: pr-{number}-web\n", "pr-{number}-web", id="plain"),
        pytest.param("a: 1\nurl: 'pr-{number}-web'  # why\n", "pr-{number}-web", id="quoted, with a comment"),
        pytest.param("  url: pr-{number}-web\n", DEFAULT_PATTERN, id="of something else"),
        pytest.param("url: http://elsewhere\n", DEFAULT_PATTERN, id="not a pattern"),
        pytest.param("", DEFAULT_PATTERN, id="none"),
    ],
)
def test_the_url_is_read_where_it_is_written_plainly(spec: str, pattern: str) -> None:
    assert hook.url_pattern(spec) == pattern
