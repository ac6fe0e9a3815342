"""What every history does. A subclass provides `history`, and `beside`: the same one, as another controller has it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.common.nouns import PreviewKey
from controller.ports import History
from controller.previews.model import Decision, Ending, Event, Verb
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
ORDER = 1_777_896_000_123_456
KEY = PreviewKey("shop", 7)
OTHER = PreviewKey("shop", 8)


def an_event(text: str = "deployed", key: PreviewKey = KEY) -> Event:
    return Event(key, NOON, "deploy", text, "ada", "a" * 40)


def a_decision(order: int = ORDER, origin: str = "", key: PreviewKey = KEY, verb: Verb = Verb.REDEPLOY) -> Decision:
    return Decision(key, order, verb, "ada", NOON, "2d", "she asked", origin)


def a_run(revision: str = "a" * 40, suite: str = "smoke") -> SuiteRun:
    tries = (
        Attempt(Outcome.FAILED, timedelta(milliseconds=12.345), "500 instead of 200", "line 1\nline 2"),
        Attempt(Outcome.PASSED, timedelta(seconds=1)),
    )
    case = CheckResult("test_cart", "pytest", tries, file="tests/test_cart.py", line=4)
    results = (CheckResult("home", "http", tries, (case,)), CheckResult("late", "http", skipped="smoke failed"))
    return SuiteRun(suite, revision, NOON, timedelta(seconds=2), results)


def texts(events: tuple[Event, ...]) -> list[str]:
    return [event.text for event in events]


class HistoryContract:
    async def test_what_happened_is_told_whole_and_in_order(self, history: History) -> None:
        happened = [an_event("one"), an_event("two"), an_event("three")]
        await history.record(happened[:2])
        await history.record(happened[2:])
        await history.record([])
        assert await history.timeline(KEY) == tuple(happened)

    async def test_a_timeline_is_of_one_preview_and_ends_with_the_latest(self, history: History) -> None:
        await history.record([an_event(str(number)) for number in range(5)] + [an_event("elsewhere", OTHER)])
        assert texts(await history.timeline(KEY, limit=2)) == ["3", "4"]
        assert texts(await history.timeline(OTHER)) == ["elsewhere"]
        assert await history.timeline(PreviewKey("nobody", 1)) == ()

    @pytest.mark.parametrize(
        "text", [pytest.param("🛒 «'\"; DROP TABLE events--", id="quotes"), pytest.param("x" * 100_000, id="long")]
    )
    async def test_words_come_back_as_they_were(self, history: History, text: str) -> None:
        await history.record([an_event(text)])
        assert texts(await history.timeline(KEY)) == [text]

    @pytest.mark.parametrize("text", [pytest.param("a\0b", id="NUL"), pytest.param("a\ud800b", id="half a surrogate")])
    async def test_what_no_database_keeps_stops_nothing(self, history: History, text: str) -> None:
        await history.record([an_event(text), an_event("after")])
        assert texts(await history.timeline(KEY))[-1] == "after"

    async def test_a_decision_is_kept_whole(self, history: History) -> None:
        assert await history.decide(a_decision(origin="comment:1"))
        assert await history.decisions() == {KEY: (a_decision(origin="comment:1"),)}

    async def test_the_same_origin_decides_once(self, history: History) -> None:
        assert await history.decide(a_decision(origin="comment:1"))
        assert not await history.decide(a_decision(ORDER + 5, origin="comment:1", verb=Verb.DOWN))
        assert await history.decide(a_decision(ORDER, origin="comment:1", key=OTHER))
        made = await history.decisions()
        assert [decision.verb for decision in made[KEY]] == [Verb.REDEPLOY]
        assert len(made[OTHER]) == 1

    async def test_decisions_of_no_origin_all_count_and_never_share_an_order(self, history: History) -> None:
        for key in (KEY, KEY, OTHER):
            assert await history.decide(a_decision(key=key))
        made = await history.decisions()
        assert [decision.order for decision in made[KEY]] == [ORDER, ORDER + 1]
        assert made[OTHER] == (a_decision(ORDER + 2, key=OTHER),)

    async def test_decisions_come_in_order_however_they_were_made(self, history: History) -> None:
        for order in (30, 10, 20):
            await history.decide(a_decision(order))
        assert [decision.order for decision in (await history.decisions())[KEY]] == [10, 20, 30]

    async def test_a_run_comes_back_with_every_attempt(self, history: History) -> None:
        assert await history.record_run(KEY, 0, a_run())
        assert await history.runs(KEY, "smoke") == (a_run(),)

    async def test_a_run_is_kept_once(self, history: History) -> None:
        assert await history.record_run(KEY, 0, a_run())
        assert not await history.record_run(KEY, 0, replace(a_run(), error="told again"))
        assert await history.runs(KEY, "smoke") == (a_run(),)

    @pytest.mark.parametrize(
        "again",
        [
            pytest.param(lambda history: history.record_run(OTHER, 0, a_run()), id="another preview"),
            pytest.param(lambda history: history.record_run(KEY, 1, a_run()), id="another order"),
            pytest.param(lambda history: history.record_run(KEY, 0, a_run("b" * 40)), id="another revision"),
            pytest.param(lambda history: history.record_run(KEY, 0, a_run(suite="e2e")), id="another suite"),
        ],
    )
    async def test_another_run_is_another(self, history: History, again: Callable[[History], object]) -> None:
        await history.record_run(KEY, 0, a_run())
        assert await again(history)

    async def test_runs_are_of_one_suite_latest_last(self, history: History) -> None:
        for order in range(4):
            await history.record_run(KEY, order, a_run(f"{order}" * 40))
            await history.record_run(KEY, order, a_run(f"{order}" * 40, "e2e"))
        assert [run.revision[0] for run in await history.runs(KEY, "smoke", limit=2)] == ["2", "3"]

    async def test_the_latest_ending_stands(self, history: History) -> None:
        ending = Ending(KEY, "it was merged", NOON)
        await history.end(Ending(KEY, "nobody came", NOON - timedelta(days=1)))
        await history.end(ending)
        await history.end(Ending(KEY, "told late", NOON - timedelta(hours=1)))
        await history.end(Ending(OTHER, "closed", NOON))
        assert await history.endings() == {KEY: ending, OTHER: Ending(OTHER, "closed", NOON)}

    async def test_what_was_said_is_remembered_by_channel(self, history: History) -> None:
        await history.remember_said(KEY, {"comment": "1"})
        await history.remember_said(KEY, {"comment": "2"})
        await history.remember_said(KEY, {"check:smoke": "3", "deployment": "5"})
        await history.remember_said(KEY, {})
        await history.remember_said(OTHER, {"comment": "4"})
        assert await history.said() == {
            KEY: {"comment": "2", "check:smoke": "3", "deployment": "5"},
            OTHER: {"comment": "4"},
        }

    async def test_a_new_history_is_empty(self, history: History) -> None:
        assert (await history.decisions(), await history.endings(), await history.said()) == ({}, {}, {})
        assert await history.runs(KEY, "smoke") == ()

    async def test_what_another_controller_writes_is_seen_at_the_next_look(
        self, history: History, beside: History
    ) -> None:
        for ours, theirs in ((history, beside), (beside, history)):
            await ours.decisions(), await ours.endings(), await ours.said()
            await theirs.decide(a_decision())
            await theirs.end(Ending(KEY, "it was merged", NOON))
            await theirs.remember_said(KEY, {"comment": str(theirs)})
            await theirs.remember_said(OTHER, {str(theirs): "1"})
            assert await ours.decisions() == await theirs.decisions()
            assert await ours.endings() == {KEY: Ending(KEY, "it was merged", NOON)}
            assert (await ours.said())[KEY] == {"comment": str(theirs)}
            assert (await ours.said())[OTHER][str(theirs)] == "1"
        assert [decision.order for decision in (await history.decisions())[KEY]] == [ORDER, ORDER + 1]

    async def test_a_decision_made_later_with_an_earlier_order_stands_before(
        self, history: History, beside: History
    ) -> None:
        await history.decide(a_decision(30))
        await history.decisions()
        await beside.decide(a_decision(10))
        assert [decision.order for decision in (await history.decisions())[KEY]] == [10, 30]

    async def test_whoever_looks_all_the_while_misses_nothing(self, history: History, beside: History) -> None:
        async def write(by: History, number: int) -> None:
            await by.decide(a_decision(number))
            await by.remember_said(PreviewKey("shop", number), {"comment": str(number)})

        writing = asyncio.gather(*[write(by, n) for by in (history, beside) for n in range(20)])
        while not writing.done():
            await history.decisions(), await history.said()
            await asyncio.sleep(0)
        await writing
        assert len((await history.decisions())[KEY]) == 40
        assert await history.said() == {PreviewKey("shop", n): {"comment": str(n)} for n in range(20)}

    async def test_a_look_is_not_changed_by_what_comes_after(self, history: History) -> None:
        await history.decide(a_decision())
        await history.end(Ending(KEY, "closed", NOON))
        await history.remember_said(KEY, {"comment": "1"})
        before = await history.decisions(), await history.endings(), await history.said()
        await history.decide(a_decision(key=OTHER))
        await history.end(Ending(OTHER, "closed", NOON))
        await history.remember_said(KEY, {"comment": "2"})
        await history.decisions(), await history.endings(), await history.said()
        ending = Ending(KEY, "closed", NOON)
        assert before == ({KEY: (a_decision(),)}, {KEY: ending}, {KEY: {"comment": "1"}})

    async def test_what_another_controllers_people_decide_rings(self, history: History, beside: History) -> None:
        await history.decide(a_decision(key=OTHER))
        bells = history.bells()
        rung = asyncio.ensure_future(anext(bells))
        while not rung.done():
            await beside.decide(a_decision())
            await asyncio.wait([rung], timeout=0.2)
        assert rung.result() == KEY
        await bells.aclose()

    async def test_whoever_stops_waiting_leaves_it_usable(self, history: History) -> None:
        async def work(number: int) -> None:
            await history.remember_said(PreviewKey("shop", number), {"comment": "1"})
            await history.record([an_event(str(number))])
            await history.timeline(KEY)

        for moment in range(40):
            working = [asyncio.create_task(work(number)) for number in range(8)]
            for _ in range(moment):
                await asyncio.sleep(0.0005)
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
        assert await history.decide(a_decision())
        assert KEY in await history.decisions()
