"""What every ledger does. A subclass provides `history`, and `beside`: the same one, as another controller has it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from controller.common.nouns import PreviewKey
from controller.ports import History, Ledger
from controller.previews.model import Delivery

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
KEY = PreviewKey("acme/shop", 7)
OTHER = PreviewKey("acme/shop", 8)
REVISION = "a" * 40


class Both(History, Ledger, Protocol):
    """As a controller has them."""


def a_delivery(name: str = "1", key: PreviewKey | None = KEY, asks: str = "", at: datetime = NOON) -> Delivery:
    return Delivery(name, at, "check_run", "acme/shop", key, asks, "ada" if asks else "")


class LedgerContract:
    async def test_a_delivery_is_new_once(self, history: Both, beside: Both) -> None:
        assert await history.keep_deliveries([a_delivery("1"), a_delivery("2")]) == {"1", "2"}
        assert await history.keep_deliveries([a_delivery("2"), a_delivery("3")]) == {"3"}
        assert await beside.keep_deliveries([a_delivery("1"), a_delivery("4")]) == {"4"}
        assert await history.keep_deliveries([]) == frozenset()

    async def test_one_that_came_twice_at_once_is_new_once(self, history: Both, beside: Both) -> None:
        assert await history.keep_deliveries([a_delivery(), a_delivery()]) == {"1"}
        together = [by.keep_deliveries([a_delivery("2")]) for by in (history, beside) * 5]
        assert sorted(map(len, await asyncio.gather(*together))) == [0] * 9 + [1]

    async def test_more_than_any_statement_takes_are_kept(self, history: Both) -> None:
        many = [a_delivery(str(number), asks="checks") for number in range(5000)]
        assert len(await history.keep_deliveries(many)) == 5000
        assert len((await history.asked())[KEY]) == 5000

    async def test_what_was_asked_is_told_whole_and_oldest_first(self, history: Both) -> None:
        early, late = a_delivery("2", asks="checks smoke"), a_delivery("1", asks="checks", at=NOON + timedelta(hours=1))
        await history.keep_deliveries([late, a_delivery("3")])
        await history.keep_deliveries([early, a_delivery("4", OTHER, "checks"), a_delivery("5", None, "checks")])
        assert await history.asked() == {KEY: (early, late), OTHER: (a_delivery("4", OTHER, "checks"),)}

    async def test_what_another_controller_was_asked_is_seen_at_the_next_look(
        self, history: Both, beside: Both
    ) -> None:
        assert await history.asked() == {}
        await beside.keep_deliveries([a_delivery(asks="checks")])
        before = await history.asked()
        await history.keep_deliveries([a_delivery("2", asks="checks e2e")])
        assert before == {KEY: (a_delivery(asks="checks"),)}
        assert (
            await history.asked() == await beside.asked() == {KEY: (*before[KEY], a_delivery("2", asks="checks e2e"))}
        )

    @pytest.mark.parametrize("text", [pytest.param("a\0b", id="NUL"), pytest.param("a\ud800b", id="half a surrogate")])
    async def test_ids_that_no_database_keeps_stop_nothing(self, history: Both, text: str) -> None:
        assert await history.keep_deliveries([a_delivery(text), a_delivery("after")]) == {text, "after"}

    @pytest.mark.parametrize("key", [pytest.param(KEY, id="one"), pytest.param(None, id="any")])
    async def test_what_another_controller_is_told_rings(
        self, history: Both, beside: Both, key: PreviewKey | None
    ) -> None:
        await history.keep_deliveries([a_delivery("before", OTHER)])
        bells = history.bells()
        rung = asyncio.ensure_future(anext(bells))
        numbers = iter(range(1000))
        while not rung.done():
            await beside.keep_deliveries([a_delivery(str(next(numbers)), key)])
            await asyncio.wait([rung], timeout=0.2)
        assert rung.result() == key
        await bells.aclose()

    async def test_a_head_keeps_the_moment_it_was_first_seen(self, history: Both, beside: Both) -> None:
        head, later = (KEY, REVISION), NOON + timedelta(days=1)
        assert await history.first_seen({head: NOON}) == {head: NOON}
        assert await history.first_seen({head: later}) == {head: NOON}
        assert await beside.first_seen({head: later, (OTHER, REVISION): later}) == {
            head: NOON,
            (OTHER, REVISION): later,
        }
        assert await history.first_seen({(KEY, "b" * 40): later, head: later}) == {(KEY, "b" * 40): later, head: NOON}
        assert await history.first_seen({}) == {}

    async def test_who_sees_a_head_first_is_agreed_on(self, history: Both, beside: Both) -> None:
        heads = [(PreviewKey("acme/shop", number), REVISION) for number in range(1, 40)]

        async def see(by: Both, moment: int) -> dict[tuple[PreviewKey, str], datetime]:
            turned = heads if moment % 2 else heads[::-1]
            return dict(await by.first_seen(dict.fromkeys(turned, NOON + timedelta(minutes=moment))))

        seen = await asyncio.gather(*[see(by, moment) for moment, by in enumerate((history, beside) * 3)])
        assert all(one == seen[0] for one in seen)

    async def test_more_heads_than_any_statement_takes_are_seen(self, history: Both, beside: Both) -> None:
        heads = {(PreviewKey("acme/shop", number), REVISION): NOON for number in range(1, 2001)}
        assert await history.first_seen(heads) == heads
        assert await beside.first_seen({head: at + timedelta(days=1) for head, at in heads.items()}) == heads

    async def test_what_was_returned_is_not_changed_afterwards(self, history: Both) -> None:
        await history.keep_deliveries([a_delivery(asks="checks")])
        before = await history.asked(), await history.first_seen({(KEY, REVISION): NOON})
        await history.keep_deliveries([replace(a_delivery(asks="checks"), id="2")])
        await history.first_seen({(KEY, "b" * 40): NOON})
        await history.asked()
        assert before == ({KEY: (a_delivery(asks="checks"),)}, {(KEY, REVISION): NOON})
