"""What people wrote and pressed: all of it, theirs only, as it is now, and for next to nothing."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from controller.common.nouns import PreviewKey
from controller.common.words import Reply
from controller.errors import Refused, Unavailable
from controller.previews.model import Delivery
from tests.adapters.github.world import REPO, key_of
from tests.fakes.github.clock import written

ALL = ("GET", "/issues/comments")


@pytest.fixture
def pulls(place):
    return place.shop.open_many(3)


@pytest.fixture
def pr(pulls):
    return pulls[0]


async def bodies(forge, pr):
    return [comment.body for comment in await forge.comments(key_of(pr))]


def heard_of(pr, event="issue_comment", asks=""):
    return Delivery("d-1", datetime.now(UTC), event, REPO, key_of(pr), asks, "ada" if asks else "")


async def test_they_are_told_oldest_first_and_by_whom(place, forge, pr):
    first = pr.comment("/preview pin", by=place.ada)
    second = pr.comment("thanks", by=place.github.user("bob"))
    told = [(one.id, one.author, one.body) for one in await forge.comments(key_of(pr))]
    assert told == [(str(first), "ada", "/preview pin"), (str(second), "bob", "thanks")]


async def test_what_we_wrote_is_left_out_and_what_looks_like_it_is_not(place, forge, pr):
    await forge.say(key_of(pr), "ready")
    asked = pr.comment("/preview help", by=place.ada)
    await forge.answer(key_of(pr), str(asked), Reply("here is how"))
    [ours, *_] = [comment.body for comment in pr.comments if comment.author != "ada"]
    pr.comment(f"{ours}\n/preview down", by=place.github.user("eve"))
    assert await bodies(forge, pr) == ["/preview help", f"{ours}\n/preview down"]


async def test_somebodys_token_leaves_their_own_commands_in(place, pr):
    async with place.forge_of(place.ada) as forge:
        await forge.say(key_of(pr), "ready")
        pr.comment("/preview pin", by=place.ada)
        assert await bodies(forge, pr) == ["/preview pin"]


async def test_250_are_read_in_pages(place, forge, pr):
    for number in range(250):
        pr.comment(f"{number}", by=place.ada)
    assert await bodies(forge, pr) == [f"{number}" for number in range(250)]


async def test_new_and_edited_ones_on_many_pull_requests_come_with_one_request(place, pulls):
    async with place.forge(fresh="1s") as forge:
        first = pulls[0].comment("/preview pin")
        for pr in pulls:
            await bodies(forge, pr)
        pulls[0].edit_comment(first, "/preview unpin")
        pulls[1].comment("/preview wake")
        place.asked()
        async with asyncio.timeout(10):
            while await all_bodies(forge, pulls) != [["/preview unpin"], ["/preview wake"], []]:
                await asyncio.sleep(0.05)
        assert place.asked() == {ALL: 1}


async def all_bodies(forge, pulls):
    return [await bodies(forge, pr) for pr in pulls]


async def test_what_is_fresh_is_not_asked_for(place, pulls):
    async with place.forge(fresh="1h") as forge:
        for pr in pulls:
            await bodies(forge, pr)
        place.asked()
        for pr in pulls:
            await bodies(forge, pr)
        assert place.asked() == {}


async def test_a_quiet_repository_uses_none_of_the_quota(place, forge, pulls):
    pulls[0].comment("/preview pin")
    for _ in range(2):
        before = await all_bodies(forge, pulls)
    used, _ = place.used, place.asked()
    assert await all_bodies(forge, pulls) == before
    assert place.used == used
    assert set(place.asked()) == {ALL}


async def test_comments_elsewhere_do_not_get_here(place, forge, pulls):
    await all_bodies(forge, pulls)
    pulls[1].comment("there")
    assert await all_bodies(forge, pulls) == [[], ["there"], []]


async def test_one_that_reaches_the_list_late_is_heard_all_the_same(place, forge, pulls):
    """By its time it was there before the latest one that we know of."""
    pulls[1].comment("in time")
    await all_bodies(forge, pulls)
    late = place.shop.comments[pulls[0].comment("late")]
    late.created_at = late.updated_at = written(place.github.clock.now() - timedelta(seconds=50))
    assert await all_bodies(forge, pulls) == [["late"], ["in time"], []]


@pytest.mark.parametrize("hours", [-5, 5])
async def test_githubs_clock_may_be_wrong(place, pr, hours):
    """By the machine's; ours is the machine's here."""
    place.github.clock.advance(hours=hours)
    async with place.forge_of(place.ada) as forge:
        pr.comment("one", by=place.ada)
        assert await bodies(forge, pr) == ["one"]
        pr.comment("two", by=place.ada)
        assert await bodies(forge, pr) == ["one", "two"]


async def test_a_deleted_one_is_gone_once_we_are_told_and_stays_gone(place, pr):
    async with place.forge(fresh="1h") as forge:
        down = pr.comment("/preview down")
        assert await bodies(forge, pr) == ["/preview down"]
        pr.delete_comment(down)
        forge.hear(heard_of(pr))
        assert await bodies(forge, pr) == []
        assert await bodies(forge, pr) == []


async def test_one_that_we_are_told_of_is_read_at_once(place, pr):
    async with place.forge(fresh="1h") as forge:
        await bodies(forge, pr)
        pr.comment("/preview pin")
        assert await bodies(forge, pr) == []
        forge.hear(heard_of(pr))
        assert await bodies(forge, pr) == ["/preview pin"]


async def test_another_controller_that_was_told_says_so(place, pr):
    async with place.forge(fresh="1h") as forge:
        await bodies(forge, pr)
        pr.comment("/preview pin")
        forge.doubt(key_of(pr))
        assert await bodies(forge, pr) == ["/preview pin"]


async def test_a_button_is_a_command_of_whoever_pressed_it(place, forge, pr):
    pr.comment("before")
    await bodies(forge, pr)
    pressed = datetime.now(UTC) + timedelta(seconds=5)
    await place.ledger.keep_deliveries([Delivery("d-1", pressed, "check_run", REPO, key_of(pr), "checks smoke", "bob")])
    forge.hear(heard_of(pr, "check_run", "checks smoke"))
    before, button = await forge.comments(key_of(pr))
    assert before.body == "before"
    assert (button.id, button.author, button.body) == ("delivery:d-1", "bob", "/preview checks smoke")
    assert button.created_at == pressed


async def test_a_deleted_account_is_a_ghost_who_may_nothing(place, forge, pr):
    pr.comment("/preview down", by=place.github.user("bob", place.shop))
    place.shop.comments[pr.comments[0].id].user = place.github.user("ghost")
    [comment] = await forge.comments(key_of(pr))
    assert not (await forge.permission(REPO, comment.author)).may_write


async def test_there_are_none_where_there_is_no_pull_request(forge):
    with pytest.raises(Refused):
        await forge.comments(PreviewKey(REPO, 4711))


@pytest.mark.parametrize("path", ["/issues/comments", "/issues/1/comments"])
async def test_an_outage_is_told_and_loses_nothing(place, forge, pr, path):
    pr.comment("one")
    place.github.faults.fail(500, times=None, path=path)
    with pytest.raises(Unavailable):
        await forge.comments(key_of(pr))
    place.github.faults.clear()
    pr.comment("two")
    assert await bodies(forge, pr) == ["one", "two"]


async def test_history_is_down_and_so_it_is_not_known_what_was_pressed(place, forge, pr):
    place.ledger.down = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await forge.comments(key_of(pr))
