"""What every outbox does. A subclass provides `outbox`, and `beside`: the same one, as another controller has it."""

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.common.notices import Notice, Outgoing, Severity, Status
from controller.ports import Outbox

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def a_notice(name: str = "1", about: str = "probe:checkout", status: Status = Status.FIRING) -> Notice:
    words = ("checkout burns", "14.4 times\nthe allowed rate", "https://mayfly.example/probes/checkout")
    return Notice(name, NOON, Severity.PAGE, status, about, *words, {"probe": "checkout"}, ("phone", "chat"))


def names(found: Collection[Outgoing]) -> list[tuple[str, str]]:
    return [(one.notice.id, one.route) for one in found]


class Killed(Exception):
    """In a test, instead of SIGKILL."""


class Sender:
    """Posts, then tells whatever waits, and is killed at one of its steps. `heard` is what the route took."""

    def __init__(self, heard: list[str], killed_at: int | None = None) -> None:
        self.heard = heard
        self._steps: Iterator[int] = iter(range(10_000))
        self._killed_at = killed_at

    async def run(self, outbox: Outbox, notices: Collection[Notice]) -> None:
        for notice in notices:
            self._step()
            await outbox.post([notice], ["phone"])
        while waiting := await outbox.waiting(NOON):
            for outgoing in waiting:
                self._step()
                self.heard.append(outgoing.notice.id)
                self._step()
                await outbox.told(outgoing, NOON)

    def _step(self) -> None:
        if next(self._steps) == self._killed_at:
            raise Killed


class OutboxContract:
    async def test_a_new_one_has_nothing_to_tell(self, outbox: Outbox) -> None:
        await outbox.post([], ["phone"])
        await outbox.post([a_notice()], [])
        assert (await outbox.waiting(NOON), await outbox.undelivered()) == ((), ())

    async def test_a_notice_waits_whole_for_each_of_its_routes(self, outbox: Outbox) -> None:
        await outbox.post([a_notice()], ["phone", "chat"])
        assert await outbox.waiting(NOON) == (Outgoing(a_notice(), "phone"), Outgoing(a_notice(), "chat"))

    async def test_one_that_was_posted_is_left_alone(self, outbox: Outbox, beside: Outbox) -> None:
        await outbox.post([a_notice(), a_notice()], ["phone"])
        await beside.post([replace(a_notice(), title="another")], ["phone", "chat"])
        assert [(one.route, one.notice.title) for one in await outbox.waiting(NOON)] == [
            ("phone", "checkout burns"),
            ("chat", "another"),
        ]

    async def test_one_that_was_told_is_never_told_again(self, outbox: Outbox, beside: Outbox) -> None:
        await outbox.post([a_notice()], ["phone", "chat"])
        await outbox.told((await outbox.waiting(NOON))[0], NOON)
        await beside.post([a_notice()], ["phone", "chat"])
        assert names(await beside.waiting(LATER)) == names(await beside.undelivered()) == [("1", "chat")]

    async def test_what_belongs_together_is_told_in_order(self, outbox: Outbox) -> None:
        over = a_notice("2", status=Status.RESOLVED)
        await outbox.post([a_notice("1"), over, a_notice("3", "probe:cart")], ["phone"])
        assert names(await outbox.waiting(NOON)) == [("1", "phone"), ("3", "phone")]
        await outbox.failed(Outgoing(a_notice("1"), "phone"), "500", LATER)
        assert names(await outbox.waiting(NOON)) == [("3", "phone")]
        await outbox.told(Outgoing(a_notice("1"), "phone"), LATER)
        assert await outbox.waiting(LATER, limit=1) == (Outgoing(over, "phone"),)

    async def test_a_route_that_fails_keeps_no_other_waiting(self, outbox: Outbox) -> None:
        await outbox.post([a_notice("1"), a_notice("2")], ["phone", "chat"])
        await outbox.failed(Outgoing(a_notice("1"), "phone"), "500", LATER)
        await outbox.told(Outgoing(a_notice("1"), "chat"), NOON)
        assert names(await outbox.waiting(NOON)) == [("2", "chat")]

    async def test_a_route_for_which_much_waits_keeps_no_other_out(self, outbox: Outbox) -> None:
        await outbox.post([a_notice(str(number), str(number)) for number in range(5)], ["chat"])
        await outbox.post([a_notice("6")], ["phone"])
        assert names(await outbox.waiting(NOON, limit=2)) == [("0", "chat"), ("1", "chat"), ("6", "phone")]

    async def test_what_failed_is_due_when_it_was_said(self, outbox: Outbox) -> None:
        await outbox.post([a_notice()], ["phone"])
        for why in ("500", "it hangs"):
            await outbox.failed(Outgoing(a_notice(), "phone"), why, LATER)
        tried = Outgoing(a_notice(), "phone", 2, LATER, "it hangs")
        assert await outbox.waiting(LATER - timedelta(microseconds=1)) == ()
        assert await outbox.waiting(LATER) == await outbox.undelivered() == (tried,)

    async def test_what_is_given_up_is_shown_and_lets_the_next_one_go(self, outbox: Outbox, beside: Outbox) -> None:
        await outbox.post([a_notice("1"), a_notice("2")], ["phone"])
        await outbox.failed(Outgoing(a_notice("1"), "phone"), "404", None)
        await beside.post([a_notice("1")], ["phone"])
        assert names(await outbox.waiting(LATER)) == [("2", "phone")]
        shown = {one.notice.id: one for one in await outbox.undelivered()}
        assert shown == {
            "1": Outgoing(a_notice("1"), "phone", 1, None, "404", given_up=True),
            "2": Outgoing(a_notice("2"), "phone"),
        }

    @pytest.mark.parametrize("again_at", [pytest.param(LATER, id="again"), pytest.param(None, id="never")])
    async def test_one_that_another_has_told_did_not_fail(
        self, outbox: Outbox, beside: Outbox, again_at: datetime | None
    ) -> None:
        await outbox.post([a_notice()], ["phone"])
        await beside.told(Outgoing(a_notice(), "phone"), NOON)
        await outbox.failed(Outgoing(a_notice(), "phone"), "500", again_at)
        assert (await outbox.waiting(LATER), await outbox.undelivered()) == ((), ())

    async def test_one_that_was_given_up_and_taken_after_all_was_told(self, outbox: Outbox) -> None:
        await outbox.post([a_notice()], ["phone"])
        await outbox.failed(Outgoing(a_notice(), "phone"), "404", None)
        await outbox.told(Outgoing(a_notice(), "phone"), NOON)
        await outbox.post([a_notice()], ["phone"])
        assert (await outbox.waiting(LATER), await outbox.undelivered()) == ((), ())

    @pytest.mark.parametrize(
        "word",
        [pytest.param("a\0b", id="NUL"), pytest.param("a\ud800b", id="half"), pytest.param("🛒" * 9999, id="long")],
    )
    async def test_words_of_any_sort_are_told_once(self, outbox: Outbox, word: str) -> None:
        hostile = replace(a_notice(word, word), title=word, text=word, labels={word: word})
        for _ in range(2):
            await outbox.post([hostile], [word])
        [waiting] = await outbox.waiting(NOON)
        await outbox.failed(waiting, word, NOON)
        [waiting] = await outbox.waiting(NOON)
        assert waiting.attempts == 1
        await outbox.told(waiting, NOON)
        await outbox.post([hostile], [word])
        assert await outbox.waiting(NOON) == ()

    @pytest.mark.parametrize("killed_at", range(9))
    async def test_whoever_is_killed_loses_nothing_and_tells_at_most_one_twice(
        self, outbox: Outbox, beside: Outbox, killed_at: int
    ) -> None:
        notices = [a_notice("1"), a_notice("2", status=Status.RESOLVED), a_notice("3", "probe:cart")]
        heard: list[str] = []
        with pytest.raises(Killed):
            await Sender(heard, killed_at).run(outbox, notices)
        await Sender(heard).run(beside, notices)
        assert sorted(set(heard)) == ["1", "2", "3"]
        assert heard.index("1") < heard.index("2")
        assert len(heard) <= 4
        await Sender(heard).run(outbox, notices)
        assert len(heard) <= 4

    async def test_two_that_post_the_same_at_once_post_one(self, outbox: Outbox, beside: Outbox) -> None:
        many = [a_notice(str(number)) for number in range(50)]
        both = [by.post(given, ["phone"]) for by in (outbox, beside) for given in (many, many[::-1])]
        await asyncio.gather(*both)
        assert len(await outbox.undelivered()) == 50
