"""What every journal does. A subclass provides `journal`, and `beside`: the same one, as another controller has it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.deploys.model import Decision, Deed, Event, Verb, Verdict
from controller.deploys.ports import Journal
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
ORDER = 1_777_896_000_123_456
PROD = "production"
OTHER = "staging"


def an_event(text: str = "verified", target: str = PROD) -> Event:
    return Event(target, NOON, "verdict", text, "ada", 7)


def a_decision(
    order: int = ORDER, origin: str = "", target: str = PROD, verb: Verb = Verb.ROLLBACK, because: str = "it is slow"
) -> Decision:
    return Decision(target, order, verb, "ada", NOON, because, 6, force=True, origin=origin)


def a_deed(number: int = 7, target: str = PROD, ordered_at: datetime = NOON, why: str = "") -> Deed:
    return Deed(target, number, "a" * 40, "Cart: count", "ada", ordered_at - DAY, ordered_at, why=why)


def a_run(revision: str = "a" * 40, message: str = "500 instead of 200") -> SuiteRun:
    tries = Attempt(Outcome.FAILED, timedelta(milliseconds=12.345), message, "line 1\nline 2")
    return SuiteRun("smoke", revision, NOON, timedelta(seconds=2), (CheckResult("home", "http", (tries,)),))


def texts(events: tuple[Event, ...]) -> list[str]:
    return [event.text for event in events]


class JournalContract:
    async def test_a_new_journal_is_empty(self, journal: Journal) -> None:
        assert (await journal.target_decisions(), await journal.target_said()) == ({}, {})
        assert (await journal.target_timeline(PROD), await journal.target_runs(PROD)) == ((), ())
        assert await journal.deeds(PROD, NOON - 9999 * DAY) == ()

    async def test_what_happened_is_told_whole_and_in_order(self, journal: Journal) -> None:
        happened = [an_event("one"), an_event("two"), an_event("three")]
        await journal.record_target([*happened[:2], an_event("elsewhere", OTHER)])
        await journal.record_target([])
        await journal.record_target(happened[2:])
        assert await journal.target_timeline(PROD) == tuple(happened)
        assert texts(await journal.target_timeline(PROD, limit=2)) == ["two", "three"]

    @pytest.mark.parametrize(
        "text", [pytest.param("🛒 «'\"; DROP TABLE deeds--", id="quotes"), pytest.param("x" * 100_000, id="long")]
    )
    async def test_words_come_back_as_they_were(self, journal: Journal, text: str) -> None:
        await journal.record_target([an_event(text)])
        await journal.decide_target(a_decision(because=text))
        await journal.keep_deed(a_deed(why=text))
        await journal.record_target_run(PROD, 7, 1, a_run(message=text))
        assert texts(await journal.target_timeline(PROD)) == [text]
        assert await journal.target_decisions() == {PROD: (a_decision(because=text),)}
        assert await journal.deeds(PROD, NOON) == (a_deed(why=text),)
        assert await journal.target_runs(PROD) == ((7, a_run(message=text)),)

    @pytest.mark.parametrize("text", [pytest.param("a\0b", id="NUL"), pytest.param("a\ud800b", id="half a surrogate")])
    async def test_what_no_database_keeps_stops_nothing(self, journal: Journal, text: str) -> None:
        await journal.record_target([an_event(text), an_event("after")])
        await journal.keep_deed(a_deed(why=text))
        assert await journal.decide_target(a_decision(because=text, origin=text))
        assert not await journal.decide_target(a_decision(because=text, origin=text))
        await journal.remember_target_said(PROD, {text: "1"})
        assert texts(await journal.target_timeline(PROD))[-1] == "after"
        assert len(await journal.deeds(PROD, NOON)) == 1
        assert list((await journal.target_said())[PROD].values()) == ["1"]
        assert await journal.target_timeline(text) == ()

    async def test_the_same_origin_decides_once(self, journal: Journal, beside: Journal) -> None:
        assert await journal.decide_target(a_decision(origin="api:1"))
        assert not await beside.decide_target(a_decision(ORDER + 5, origin="api:1", verb=Verb.HOLD))
        assert await journal.decide_target(a_decision(ORDER + 6, origin="api:1", target=OTHER))
        made = await journal.target_decisions()
        assert made == {
            PROD: (a_decision(origin="api:1"),),
            OTHER: (a_decision(ORDER + 6, origin="api:1", target=OTHER),),
        }

    async def test_origins_of_any_length_are_told_apart(self, journal: Journal) -> None:
        long = "🛒" * 10_000
        assert await journal.decide_target(a_decision(origin=long + "1"))
        assert await journal.decide_target(a_decision(origin=long + "2"))
        assert not await journal.decide_target(a_decision(origin=long + "1"))

    async def test_decisions_of_no_origin_all_count_and_never_share_an_order(self, journal: Journal) -> None:
        for target in (PROD, PROD, OTHER):
            assert await journal.decide_target(a_decision(target=target))
        made = await journal.target_decisions()
        assert [decision.order for decision in made[PROD]] == [ORDER, ORDER + 1]
        assert [decision.order for decision in made[OTHER]] == [ORDER + 2]

    async def test_decisions_come_in_order_whoever_made_them_when(self, journal: Journal, beside: Journal) -> None:
        for by, order in ((journal, 30), (beside, 10), (journal, 20)):
            await by.decide_target(a_decision(order))
            await journal.target_decisions()
        for by in (journal, beside):
            assert [decision.order for decision in (await by.target_decisions())[PROD]] == [10, 20, 30]

    async def test_a_look_is_not_changed_by_what_comes_after(self, journal: Journal) -> None:
        await journal.decide_target(a_decision())
        await journal.remember_target_said(PROD, {"status": "1"})
        before = await journal.target_decisions(), await journal.target_said()
        await journal.decide_target(a_decision())
        await journal.remember_target_said(PROD, {"status": "2"})
        await journal.target_decisions(), await journal.target_said()
        assert before == ({PROD: (a_decision(),)}, {PROD: {"status": "1"}})

    async def test_a_deed_is_kept_in_place_of_the_one_before(self, journal: Journal, beside: Journal) -> None:
        verified = replace(
            a_deed(), live_at=NOON, verdict=Verdict.VERIFIED, decided_at=NOON + DAY, why="passed", restored_at=NOON
        )
        await journal.keep_deed(a_deed())
        await beside.keep_deed(verified)
        await journal.keep_deed(a_deed(target=OTHER))
        assert await journal.deeds(PROD, NOON) == (verified,)

    async def test_deeds_are_those_ordered_since_oldest_first(self, journal: Journal) -> None:
        for number, days in ((3, 2), (1, 0), (2, 1), (4, 1)):
            await journal.keep_deed(a_deed(number, ordered_at=NOON + days * DAY))
        assert [deed.number for deed in await journal.deeds(PROD, NOON + DAY)] == [2, 4, 3]

    async def test_a_run_is_kept_once(self, journal: Journal) -> None:
        assert await journal.record_target_run(PROD, 7, 1, a_run())
        assert not await journal.record_target_run(PROD, 7, 1, replace(a_run(), error="told again"))
        assert await journal.record_target_run(PROD, 7, 2, a_run())
        assert await journal.record_target_run(PROD, 8, 1, a_run())
        assert await journal.record_target_run(PROD, 7, 1, a_run("b" * 40))
        assert await journal.record_target_run(OTHER, 7, 1, a_run())
        assert [release for release, _ in await journal.target_runs(PROD)] == [7, 7, 8, 7]
        assert await journal.target_runs(PROD, limit=1) == ((7, a_run("b" * 40)),)

    async def test_what_was_said_is_remembered_by_channel(self, journal: Journal, beside: Journal) -> None:
        await journal.remember_target_said(PROD, {"status": "1", "check": "2"})
        await journal.target_said()
        await beside.remember_target_said(PROD, {"status": "3"})
        await beside.remember_target_said(PROD, {})
        await beside.remember_target_said(OTHER, {"status": "4"})
        assert await journal.target_said() == {PROD: {"status": "3", "check": "2"}, OTHER: {"status": "4"}}

    async def test_what_another_controllers_people_decide_rings(self, journal: Journal, beside: Journal) -> None:
        await journal.decide_target(a_decision(target=OTHER))
        bells = journal.target_bells()
        rung = asyncio.ensure_future(anext(bells))
        while not rung.done():
            await beside.decide_target(a_decision())
            await asyncio.wait([rung], timeout=0.02)
        assert rung.result() == PROD
        await bells.aclose()
