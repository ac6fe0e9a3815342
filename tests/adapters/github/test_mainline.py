"""The head of a branch, asked for cheaply; and which pull request brought a commit there, asked for once."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from controller.adapters.github.mainline import brought_by
from controller.adapters.github.shapes import Pull
from controller.errors import Refused
from controller.previews.model import Delivery
from tests.adapters.github.world import REPO, SECRET, key_of, listening

BRANCH, COMMIT = ("GET", "/branches/{branch}"), ("GET", "/commits/{ref}")
PULLS = ("GET", "/commits/{commit_sha}/pulls")
SHA = "c" * 40


def a_pull(number, *, merged="2026-01-02T03:04:05Z", commit="a" * 40, repo=REPO):
    said = {"number": number, "state": "closed", "title": "", "html_url": "", "updated_at": "2026-01-02T03:04:05Z"}
    base = {"ref": "main", "repo": {"id": 1, "full_name": repo}}
    said |= {"head": {"ref": "x", "sha": "b" * 40}, "base": base, "merged_at": merged, "merge_commit_sha": commit}
    return Pull.model_validate(said)


@pytest.mark.parametrize(
    ("pulls", "number"),
    [
        pytest.param([], None, id="nothing is known"),
        pytest.param([a_pull(1, merged=None, commit=SHA)], None, id="an open one has a commit for trying"),
        pytest.param([a_pull(1)], 1, id="it is a part of one that was merged"),
        pytest.param([a_pull(1), a_pull(2, commit=SHA)], 2, id="the one that was merged as this very commit"),
        pytest.param([a_pull(1, merged="2026-02-02T00:00:00Z"), a_pull(2)], 2, id="of several the first"),
        pytest.param([a_pull(1, commit=SHA, repo="acme/fork")], None, id="merged elsewhere"),
    ],
)
def test_a_commit_was_brought_by(pulls, number):
    found = brought_by(pulls, REPO, SHA)
    assert (found.number if found else None) == number


async def test_a_head_that_did_not_move_costs_nothing(place, forge):
    assert await forge.head(REPO, "main") == await forge.head(REPO, "main")
    before = place.used
    place.asked()
    await forge.head(REPO, "main")
    assert (place.used - before, place.asked()) == (0, {BRANCH: 1})


async def test_the_author_is_known_by_their_account_and_by_name_where_they_have_none(place, forge):
    place.shop.push({"a": "a"}, by=place.ada, message="é" * 300 + "\n\nmore")
    head = await forge.head(REPO, "main")
    assert (head.author, head.title) == ("ada", "é" * 200)
    del place.github.state.users["ada"]
    place.shop.push({"b": "b"}, by=place.ada)
    assert (await forge.head(REPO, "main")).author == "ada"


async def test_a_branch_of_any_name_is_found(place, forge):
    for branch in ("release/1.0", "a%2Fb", "ä b".replace(" ", "-"), "main.git", "1e10000"):
        sha = place.shop.push({"x": branch}, branch)
        assert (await forge.head(REPO, branch)).revision == sha


@pytest.mark.parametrize("branch", ["nothing", "a?b=c", "a#b"])
async def test_a_branch_that_is_not_there_is_none(forge, branch):
    assert await forge.head(REPO, branch) is None


@pytest.mark.parametrize("branch", ["..", "../main", "."])
async def test_a_name_that_leads_elsewhere_is_refused_unasked(place, forge, branch):
    place.asked()
    with pytest.raises(Refused, match="no path within"):
        await forge.head(REPO, branch)
    assert place.asked() == {}


async def test_a_repository_that_we_may_not_see_is_no_missing_branch(place, forge):
    await forge.head(REPO, "main")
    place.github.remove(place.installation, place.shop)
    with pytest.raises(Refused):
        await forge.head(REPO, "main")


async def test_a_commit_is_asked_for_once_and_the_same_as_when_it_was_the_head(place, forge):
    sha = place.shop.push({"a": "a"}, by=place.ada, message="Add a\n\nmore")
    head = await forge.head(REPO, "main")
    place.shop.push({"b": "b"})
    place.asked()
    assert [await forge.commit(REPO, sha) for _ in range(2)] == [head, head]
    assert place.asked() == {COMMIT: 1}


async def test_that_a_commit_is_not_there_is_not_remembered(place, forge):
    place.asked()
    assert [await forge.commit(REPO, SHA) for _ in range(2)] == [None, None]
    assert place.asked()[COMMIT] == 2


async def test_a_repository_that_we_may_not_see_is_no_missing_commit(place, forge):
    place.github.remove(place.installation, place.shop)
    with pytest.raises(Refused):
        await forge.commit(REPO, SHA)


async def test_a_push_is_seen_at_once_and_once_more_as_what_it_answers_from_may_lag(place, monkeypatch):
    monkeypatch.setattr("controller.adapters.github.forge.LAG", timedelta(milliseconds=300))
    async with place.forge(mode="webhook", fresh="1h") as forge, listening(forge.webhooks) as url:
        place.github.webhooks.to(url, SECRET)
        await forge.head(REPO, "main")
        async with aclosing(forge.bells()) as bells:
            first = asyncio.ensure_future(anext(bells))
            await asyncio.sleep(0)
            sha = place.shop.push({"a": "a"})
            assert await asyncio.wait_for(first, 10) is None
            assert (await forge.head(REPO, "main")).revision == sha
            place.asked()
            assert await asyncio.wait_for(anext(bells), 10) is None
            await forge.head(REPO, "main")
            assert place.asked()[BRANCH] == 1


async def test_a_push_where_nobody_asks_for_a_branch_rings_once(forge):
    await forge.repositories()
    forge.hear(Delivery("1", datetime.now(UTC), "push", REPO))
    assert not forge._echoes


async def test_who_brought_a_commit_is_asked_for_once(place, forge):
    pull = place.shop.open("feature", {"a": "a"})
    sha = pull.merge()
    assert await forge.merged_by(REPO, sha) == key_of(pull)
    place.asked()
    assert await forge.merged_by(REPO, sha) == key_of(pull)
    assert place.asked() == {}


async def test_what_github_does_not_know_yet_is_asked_for_again(place, forge):
    pull = place.shop.open("feature", {"a": "a"})
    sha = pull.merge()
    place.github.state.slow_to_associate = True
    assert await forge.merged_by(REPO, sha) is None
    place.github.state.slow_to_associate = False
    assert await forge.merged_by(REPO, sha) == key_of(pull)


async def test_a_forks_pull_request_brought_it(place, forge):
    pull = place.shop.fork(place.github.user("eve")).open("feature", {"a": "a"})
    fork = pull.head_repo
    sha = pull.merge(place.ada)
    fork.delete()
    assert await forge.merged_by(REPO, sha) == key_of(pull)


async def test_a_commit_within_a_pull_request_was_brought_by_it(place, forge):
    pull = place.shop.open("feature", {"a": "a"})
    place.shop.open("other", {"b": "b"}).merge()
    pull.merge()
    assert await forge.merged_by(REPO, pull.head) == key_of(pull)


@pytest.mark.parametrize("revision", ["main", "", "../../x", "C" * 40])
async def test_what_is_no_revision_is_not_asked_for(place, forge, revision):
    place.asked()
    assert await forge.merged_by(REPO, revision) is None
    assert await forge.commit(REPO, revision) is None
    assert place.asked() == {}
