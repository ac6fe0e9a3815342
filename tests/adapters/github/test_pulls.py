"""Pull requests as GitHub tells of them: whole, by number, of strangers, renamed, and not at all."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.common.nouns import PreviewKey
from controller.errors import Refused, Unavailable
from controller.previews.model import Delivery
from tests.adapters.github.world import REPO, key_of

PULLS, PULL, FILES = ("GET", "/pulls"), ("GET", "/pulls/{pull_number}"), ("GET", "/pulls/{pull_number}/files")


async def the_one(forge):
    [pull] = await forge.open_pulls(REPO)
    return pull


async def test_it_is_told_with_all_that_is_decided_on(place, forge):
    pr = place.shop.open("feature", {"a.txt": "a"}, place.ada, title="Add a", draft=True, labels=("keep", "big"))
    pull = await the_one(forge)
    assert (pull.key, pull.head, pull.branch, pull.base) == (PreviewKey(REPO, 1), pr.head, "feature", "main")
    assert (pull.title, pull.author, pull.url) == ("Add a", "ada", pr.url)
    assert (pull.draft, pull.is_open, pull.merged, pull.from_fork) == (True, True, False, False)
    assert pull.labels == {"keep", "big"}


async def test_a_long_title_is_cut(place, forge):
    place.shop.open("feature", {"a": "a"}, title="x" * 201)
    assert len((await the_one(forge)).title) == 200


@pytest.mark.parametrize("deleted", [False, True], ids=["there", "deleted"])
async def test_one_of_a_fork_is_known_as_such(place, forge, deleted):
    fork = place.shop.fork(place.github.user("eve"))
    pr = fork.open("main-of-eve", {"a": "a"})
    if deleted:
        fork.delete()
    assert (await the_one(forge)).from_fork
    assert (await forge.pull(key_of(pr))).from_fork


async def test_a_branch_of_the_same_name_in_a_fork_is_a_forks(place, forge):
    place.shop.open("feature", {"a": "a"})
    place.shop.fork(place.github.user("eve")).open("feature", {"b": "b"})
    assert [pull.from_fork for pull in await forge.open_pulls(REPO)] == [False, True]


async def test_250_are_listed_in_pages_and_whole(place, forge):
    made = place.shop.open_many(250)
    assert [pull.key for pull in await forge.open_pulls(REPO)] == [key_of(pr) for pr in made]


async def test_a_list_whose_second_page_fails_gives_nothing_of_it(place, forge):
    place.shop.open_many(150)
    await forge.repositories()
    place.github.limits.use_up(place.purse, left=1)
    place.asked()
    with pytest.raises(Unavailable):
        await forge.open_pulls(REPO)
    assert place.asked()[PULLS] == 1
    place.github.clock.advance(minutes=61)
    assert len(await forge.open_pulls(REPO)) == 150


async def test_a_second_look_where_nothing_changed_uses_none_of_the_quota(place, forge):
    place.shop.open_many(150)
    before = await forge.open_pulls(REPO), await forge.pull(PreviewKey(REPO, 7))
    used, _ = place.used, place.asked()
    assert (await forge.open_pulls(REPO), await forge.pull(PreviewKey(REPO, 7))) == before
    asked = place.asked()
    assert place.used == used
    assert asked[PULLS] > 0
    assert asked[PULL] > 0


async def test_what_is_fresh_is_not_asked_for(place):
    async with place.forge(fresh="1m") as forge:
        pr = place.shop.open("feature", {"a": "a"})
        await forge.open_pulls(REPO)
        place.asked()
        pr.push({"b": "b"})
        assert (await the_one(forge)).head == pr.heads[0]
        assert place.asked() == {}


async def test_what_a_webhook_is_about_is_asked_for_anew_however_fresh(place):
    async with place.forge(fresh="1m") as forge:
        pr = place.shop.open("feature", {"a": "a"})
        await forge.open_pulls(REPO)
        await forge.pull(key_of(pr))
        pr.push({"b": "b"})
        forge.hear(Delivery("1", datetime.now(UTC), "pull_request", REPO, key_of(pr)))
        assert (await the_one(forge)).head == pr.head
        assert (await forge.pull(key_of(pr))).head == pr.head


async def test_a_list_that_lags_takes_nothing_back(place):
    """By number the newer head was seen; the list of a moment ago has the older one."""
    async with place.forge(fresh="1h") as forge:
        first, second = (place.shop.open(branch, {branch: branch}) for branch in ("one", "two"))
        await forge.open_pulls(REPO)
        place.github.clock.advance(minutes=1)
        first.push({"b": "b"})
        second.close()
        assert (await forge.pull(key_of(first))).head == first.head
        assert not (await forge.pull(key_of(second))).is_open
        assert [(pull.key, pull.head) for pull in await forge.open_pulls(REPO)] == [(key_of(first), first.head)]


@pytest.mark.parametrize("number", [0, -1, 2**31, 10**30])
async def test_a_number_that_cannot_be_is_none_without_asking(place, forge, number):
    place.asked()
    assert await forge.pull(PreviewKey(REPO, number)) is None
    assert place.asked() == {}


@pytest.mark.parametrize("number", [1, 2**31 - 1])
async def test_a_number_that_could_be_is_asked_for(place, forge, number):
    assert await forge.pull(PreviewKey(REPO, number)) is None
    assert place.asked()[PULL] == 1


async def test_a_head_was_pushed_when_it_was_first_seen_whoever_looks_later(place, forge):
    pr = place.shop.open("feature", {"a": "a"})
    pushed_at = (await the_one(forge)).pushed_at
    place.github.clock.advance(minutes=5)
    pr.label("later")
    assert (await the_one(forge)).pushed_at == pushed_at
    async with place.forge() as another:
        assert (await another.pull(key_of(pr))).pushed_at == pushed_at


async def test_a_new_head_was_pushed_later(place, forge):
    pr = place.shop.open("feature", {"a": "a"})
    before = await the_one(forge)
    place.github.clock.advance(minutes=5)
    pr.push({"b": "b"})
    assert (await the_one(forge)).pushed_at - before.pushed_at >= timedelta(minutes=5)


async def test_no_head_was_pushed_in_the_future(place):
    """GitHub's clock is an hour ahead of ours."""
    place.github.clock.advance(hours=1)
    place.shop.open("feature", {"a": "a"})
    async with place.forge_of(place.ada) as forge:
        assert (await the_one(forge)).pushed_at <= datetime.now(UTC)


async def test_history_is_down_and_so_nothing_is_known(place, forge):
    place.shop.open("feature", {"a": "a"})
    place.ledger.down = True
    with pytest.raises(Unavailable):
        await forge.open_pulls(REPO)


async def test_a_renamed_file_changes_both_places(place, forge):
    place.shop.push({"old/long.txt": "the same, line by line\n" * 20})
    pr = place.shop.open("feature", {"old/long.txt": None, "new/long.txt": "the same, line by line\n" * 20})
    assert await forge.changed_paths(await forge.pull(key_of(pr))) == {"old/long.txt", "new/long.txt"}


@pytest.mark.parametrize(("count", "known"), [(2999, True), (3000, False)])
async def test_as_many_files_as_github_lists_may_not_be_all(place, forge, count, known):
    pr = place.shop.open("feature", {f"{number}.txt": "" for number in range(count)})
    paths = await forge.changed_paths(await forge.pull(key_of(pr)))
    assert (paths is not None) == known


async def test_the_files_of_a_head_are_asked_for_once(place, forge):
    pr = place.shop.open("feature", {"a": "a"})
    pull = await forge.pull(key_of(pr))
    await forge.changed_paths(pull)
    place.asked()
    assert await forge.changed_paths(pull) == {"a"}
    assert place.asked() == {}


async def test_the_files_of_a_head_that_has_moved_on_are_not_told(place, forge):
    pr = place.shop.open("feature", {"a": "a"})
    pull = await forge.pull(key_of(pr))
    pr.push({"b": "b"})
    with pytest.raises(Unavailable, match="has moved on"):
        await forge.changed_paths(pull)


async def test_the_files_towards_another_base_are_asked_for_anew(place, forge):
    place.shop.push({"a": "a"}, "next")
    pr = place.shop.open("feature", {"a": "a", "b": "b"})
    to_main = await forge.pull(key_of(pr))
    pr.base, pr.base_sha = "next", place.shop.git.resolve("refs/heads/next")
    with pytest.raises(Unavailable, match="has moved on"):
        await forge.changed_paths(to_main)
    assert await forge.changed_paths(await forge.pull(key_of(pr))) is not None


async def test_a_renamed_repository_is_refused_by_its_old_name(place, forge):
    pr = place.shop.open("feature", {"a": "a"})
    await forge.open_pulls(REPO)
    place.shop.rename("acme/store")
    with pytest.raises(Refused, match="moved"):
        await forge.open_pulls(REPO)
    with pytest.raises(Refused, match="moved"):
        await forge.pull(PreviewKey(REPO, pr.number))


async def test_a_name_in_other_letters_is_refused_with_the_right_one(place):
    place.shop.open("feature", {"a": "a"})
    async with place.forge_of(place.ada, repositories=["Acme/Shop"]) as forge:
        with pytest.raises(Refused, match="acme/shop"):
            await forge.open_pulls("Acme/Shop")


async def test_nothing_is_concluded_where_the_app_was_removed(place, forge):
    place.shop.open("feature", {"a": "a"})
    await forge.open_pulls(REPO)
    place.github.uninstall(place.installation)
    with pytest.raises((Refused, Unavailable)):
        await forge.open_pulls(REPO)
    with pytest.raises((Refused, Unavailable)):
        await forge.pull(PreviewKey(REPO, 1))


async def test_a_repository_that_the_app_lost_is_refused_and_none_of_it_closed(place, forge):
    other = place.github.repository("acme/other", private=True)
    place.github.add(place.installation, other)
    place.shop.open("feature", {"a": "a"})
    await forge.open_pulls(REPO)
    place.github.remove(place.installation, place.shop)
    with pytest.raises(Refused):
        await forge.open_pulls(REPO)
    assert await forge.open_pulls("acme/other") == ()


async def test_an_outage_is_told_and_passes(place, forge):
    pr = place.shop.open("feature", {"a": "a"})
    place.github.down()
    for asking in (forge.open_pulls(REPO), forge.pull(key_of(pr)), forge.repositories()):
        with pytest.raises(Unavailable):
            await asking
    place.github.up()
    assert (await the_one(forge)).key == key_of(pr)
