"""Files at a revision: what is one and what only looks like one, and what it costs."""

import pytest

from controller.errors import Refused, Unavailable
from tests.adapters.github.world import REPO
from tests.fakes.github.git import Link, Submodule

TREE, BLOB = ("GET", "/git/trees/{tree_sha}"), ("GET", "/git/blobs/{file_sha}")
SECRET = "what only the base has"


@pytest.fixture
def head(place):
    """A revision that a stranger wrote."""
    place.shop.push({"secret.txt": SECRET})
    fork = place.shop.fork(place.github.user("eve"))
    files = {
        "plain.txt": "plain",
        "empty.txt": "",
        "raw.bin": bytes(range(256)),
        "a/b/c/d/e.txt": "deep",
        "link.txt": Link("secret.txt"),
        "away": Link("a"),
        "out": Link("/etc/passwd"),
        "vendor": Submodule("1" * 40),
        "über/ß?#%2e.txt": "odd",
    }
    return fork.open("feature", files).head


async def test_a_regular_file_is_read_wherever_it_is(forge, head):
    content = {
        "plain.txt": b"plain",
        "empty.txt": b"",
        "raw.bin": bytes(range(256)),
        "a/b/c/d/e.txt": b"deep",
        "über/ß?#%2e.txt": b"odd",
    }
    assert {path: await forge.read_file(REPO, head, path, 1000) for path in content} == content


async def test_what_is_no_regular_file_by_that_very_name_is_none(forge, head):
    paths = [
        "nothing.txt",
        "link.txt",
        "out",
        "away",
        "away/b/c/d/e.txt",
        "vendor",
        "vendor/README.md",
        "a",
        "a/b",
        "plain.txt/more",
        "",
        "/plain.txt",
        "plain.txt/",
        "a//b/c/d/e.txt",
        "./plain.txt",
        "a/../plain.txt",
        "plain.txt\0",
    ]
    assert {path: await forge.read_file(REPO, head, path, 1000) for path in paths} == dict.fromkeys(paths)


async def test_only_a_whole_revision_is_asked_for(place, forge):
    place.asked()
    for revision in ("main", "HEAD", "", "a" * 39, "A" * 40, "../../issues"):
        assert await forge.read_file(REPO, revision, "README.md", 1000) is None
    assert place.asked() == {}


async def test_a_revision_that_is_not_there_is_not_a_file_that_is_not_there(forge):
    with pytest.raises(Unavailable, match="has no revision aaaaaaa"):
        await forge.read_file(REPO, "a" * 40, "README.md", 1000)


async def test_one_byte_more_than_the_limit_is_read_and_no_more(place, forge):
    head = place.shop.open("feature", {"large.txt": "x" * 1001}).head
    assert await forge.read_file(REPO, head, "large.txt", 999) == b"x" * 1000
    assert await forge.read_file(REPO, head, "large.txt", 1000) == b"x" * 1001
    assert await forge.read_file(REPO, head, "large.txt", 1001) == b"x" * 1001


async def test_whether_a_file_is_there_is_known_without_its_content(place, forge, head):
    assert await forge.read_file(REPO, head, "plain.txt", 0) is not None
    assert BLOB not in place.asked()


async def test_what_was_read_once_is_not_asked_for_again_not_even_at_another_head(place, forge):
    pr = place.shop.open("feature", {"deep/in/side.txt": "side", "other.txt": "1"})
    await forge.read_file(REPO, pr.head, "deep/in/side.txt", 100)
    place.asked()
    assert await forge.read_file(REPO, pr.head, "deep/in/side.txt", 100) == b"side"
    assert place.asked() == {}
    pr.push({"other.txt": "2"})
    assert await forge.read_file(REPO, pr.head, "deep/in/side.txt", 100) == b"side"
    assert place.asked() == {TREE: 1}


async def test_a_file_that_is_too_large_to_be_fetched_is_refused_and_still_there(place, forge):
    head = place.shop.open("feature", {"huge.sql": "x" * (12 * 2**20 + 1)}).head
    with pytest.raises(Refused, match=r"huge\.sql"):
        await forge.read_file(REPO, head, "huge.sql", 1000)
    assert await forge.read_file(REPO, head, "huge.sql", 0) is not None
    assert BLOB not in place.asked()


async def test_the_largest_that_is_read_passes(place, forge):
    head = place.shop.open("feature", {"large.sql": "x" * (12 * 2**20)}).head
    assert await forge.read_file(REPO, head, "large.sql", 10) == b"x" * 11


@pytest.mark.parametrize("path", ["/git/trees", "/git/blobs"])
async def test_an_outage_in_the_middle_is_told(place, forge, head, path):
    place.github.faults.fail(500, times=None, path=path)
    with pytest.raises(Unavailable):
        await forge.read_file(REPO, head, "a/b/c/d/e.txt", 1000)
    place.github.faults.clear()
    assert await forge.read_file(REPO, head, "a/b/c/d/e.txt", 1000) == b"deep"
