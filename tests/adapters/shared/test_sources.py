"""What is fetched from a git server, and that its secret stays between git and that server."""

import asyncio
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from controller.adapters.shared import sources
from controller.adapters.shared.run import CommandFailed, TooMuch, run
from controller.adapters.shared.sources import Sources
from controller.common.nouns import Source
from controller.errors import Refused, Unavailable
from tests.adapters.local.world import git
from tests.adapters.shared.git_server import a_git_server

pytestmark = pytest.mark.processes

TOKEN = "c2VjcmV0LXRva2Vu"
SAYS = f"Basic {TOKEN}"
HEADER = f"Authorization: {SAYS}"


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "served" / "acme" / "shop"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "a.txt").write_text("a")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a change")
    return folder


@pytest.fixture
def revision(repository):
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
async def server(tmp_path, repository):
    async with a_git_server(tmp_path / "served", SAYS) as server:
        yield server


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder


def from_url(home, url, header=HEADER):
    async def source(_repo):
        return Source(url, header)

    return Sources(home, source, {})


def shop(server):
    return f"{server.url}/acme/shop/.git"


async def refused(fetched, error=Unavailable):
    with pytest.raises(error) as raised:
        await fetched
    return raised.value.reason


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def made_tree(folder: Path, lines: str) -> str:
    made = subprocess.run(["git", "-C", folder, "mktree"], input=lines, capture_output=True, text=True, check=True)
    return made.stdout.strip()


async def test_the_header_opens_the_server_and_is_in_no_file(server, home, revision, tmp_path):
    fetched = from_url(home, shop(server))
    await fetched.checkout("acme/shop", revision, "pr-7", tmp_path / "tree")
    assert (tmp_path / "tree" / "a.txt").read_text() == "a"
    assert set(server.seen) == {SAYS}
    assert everything_in(home)
    assert TOKEN.encode() not in everything_in(home)


async def test_the_header_is_asked_for_anew_for_every_fetch(server, home, repository, revision):
    given = iter([Source(shop(server), "Authorization: Basic b2xk"), Source(shop(server), HEADER)])

    async def source(_repo):
        return next(given)

    fetched = Sources(home, source, {})
    await refused(fetched.fetch("acme/shop", revision, "pr-7"))
    await fetched.fetch("acme/shop", revision, "pr-7")
    assert server.seen[-1] == SAYS


async def test_the_header_is_in_no_argument_while_git_runs(server, home, revision):
    server.awake.clear()
    fetch = asyncio.create_task(from_url(home, shop(server)).fetch("acme/shop", revision, "pr-7"))
    while not server.seen:
        await asyncio.sleep(0.01)
    running = await run("ps", "-eww", "-o", "args", env=os.environ)
    server.awake.set()
    await fetch
    assert b"remote-http" in running
    assert TOKEN.encode() not in running


async def test_the_header_is_in_no_error(server, home, revision):
    server.wants = "Basic another"
    reason = await refused(from_url(home, shop(server)).fetch("acme/shop", revision, "pr-7"))
    assert reason.startswith(f"cannot fetch {revision[:7]}")
    assert TOKEN not in reason


async def test_what_git_repeats_of_the_header_is_left_out(home, revision):
    """A URL that nothing answers at is repeated by git as it is."""
    reason = await refused(from_url(home, f"http://127.0.0.1:1/{TOKEN}").fetch("acme/shop", revision, "pr-7"))
    assert "•••" in reason
    assert TOKEN not in reason


async def test_nobody_else_hears_the_header(server, home, revision, tmp_path):
    async with a_git_server(tmp_path / "served") as other:
        server.leads_to = other.url
        await refused(from_url(home, shop(server)).fetch("acme/shop", revision, "pr-7"))
        assert server.seen
        assert other.seen == []


async def test_no_header_is_sent_where_none_is_given(server, home, revision):
    server.wants = ""
    await from_url(home, shop(server), "").fetch("acme/shop", revision, "pr-7")
    assert set(server.seen) == {""}


async def test_a_server_that_never_answers_is_not_waited_for(server, home, revision, monkeypatch):
    monkeypatch.setattr(sources, "FETCH_WITHIN", timedelta(seconds=0.3))
    server.awake.clear()
    assert "took longer" in await refused(from_url(home, shop(server)).fetch("acme/shop", revision, "pr-7"))
    server.awake.set()


async def test_a_folder_is_fetched_from_as_well(home, repository, revision):
    fetched = from_url(home, str(repository), "")
    await fetched.fetch("acme/shop", revision, "pr-7")
    assert len(await fetched.object_ids("acme/shop", revision, [""])) == 1


@pytest.mark.parametrize(
    "url",
    ["ssh://git@example.com/a.git", "git@example.com:a.git", "ext::sh -c touch% /tmp/x", "git://example.com/a", "a/b"],
)
async def test_nothing_else_is_a_source(home, revision, url):
    reason = await refused(from_url(home, url).fetch("acme/shop", revision, "pr-7"), Refused)
    assert "a path or a URL of http" in reason


class TestSizes:
    """What a small pack may unfold to."""

    @pytest.fixture
    def bomb(self, repository):
        """Ten folders of ten folders of ten files of 1 kB: a pack of some hundred bytes."""
        (repository / "file").write_text("0" * 1000)
        kind, found = "100644 blob", git(repository, "hash-object", "-w", "file")
        for _ in range(3):
            lines = "".join(f"{kind} {found}\t{number}\n" for number in range(10))
            kind, found = "040000 tree", made_tree(repository, lines)
        return git(repository, "commit-tree", found, "-m", "a bomb")

    async def test_a_tree_that_is_not_too_large_is_written(self, home, repository, bomb, tmp_path):
        await from_url(home, str(repository)).checkout("acme/shop", bomb, "pr-7", tmp_path / "tree")
        assert (tmp_path / "tree" / "9" / "9" / "9").read_text() == "0" * 1000

    @pytest.fixture(params=[("MAX_TREE", 999_999, "is too large"), ("MAX_LISTED", 10_000, "has too many files")])
    def words(self, request, monkeypatch):
        limit, most, words = request.param
        monkeypatch.setattr(sources, limit, most)
        return words

    async def test_one_that_is_too_large_is_not(self, home, repository, bomb, words, tmp_path):
        written = from_url(home, str(repository)).checkout("acme/shop", bomb, "pr-7", tmp_path / "tree")
        assert words in await refused(written, Refused)
        assert not (tmp_path / "tree").exists()

    async def test_one_of_just_that_size_is(self, home, repository, bomb, tmp_path, monkeypatch):
        monkeypatch.setattr(sources, "MAX_TREE", 1_000_000)
        await from_url(home, str(repository)).checkout("acme/shop", bomb, "pr-7", tmp_path / "tree")

    async def test_an_archive_that_is_too_large_is_not_kept(self, home, repository, bomb, monkeypatch):
        fetched = from_url(home, str(repository))
        size = len(await fetched.archive("acme/shop", bomb, "pr-7"))
        monkeypatch.setattr(sources, "MAX_ARCHIVE", size)
        assert len(await fetched.archive("acme/shop", bomb, "pr-7")) == size
        monkeypatch.setattr(sources, "MAX_ARCHIVE", size - 1)
        assert "too large" in await refused(fetched.archive("acme/shop", bomb, "pr-7"), Refused)


async def test_a_program_that_never_stops_talking_is_ended():
    began = asyncio.get_running_loop().time()
    with pytest.raises(TooMuch, match="more than 100,000 bytes"):
        await run("yes", env=os.environ, most=100_000)
    assert asyncio.get_running_loop().time() - began < 10


async def test_of_many_errors_the_last_is_told():
    with pytest.raises(CommandFailed, match="the end"):
        await run("sh", "-c", "yes | head -c 1000000 >&2; echo the end >&2; exit 1", env=os.environ)
