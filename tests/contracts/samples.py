"""What everything that keeps samples does. A subclass provides `samples`, made with `PROBING`, and `beside`: the same
ones, as another controller has them."""

import asyncio
import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.errors import Refused
from controller.probes.model import Counts, Point, Sample
from controller.probes.ports import Samples
from controller.settings import Probing
from smoke.model import Outcome
from tests.fakes.samples import FakeSamples

PROBING = Probing(raw_for=timedelta(days=3), five_minutes_for=timedelta(days=30), hours_for=timedelta(days=100))
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FIVE_MINUTES = 5 * MINUTE
OUTCOMES = [Outcome.PASSED] * 6 + [Outcome.FAILED, Outcome.BROKEN]


def a_sample(
    at: datetime = NOON,
    outcome: Outcome = Outcome.PASSED,
    took: timedelta = timedelta(milliseconds=120),
    *,
    probe: str = "shop",
    location: str = "here",
    message: str = "",
    excused: bool = False,
) -> Sample:
    return Sample(probe, location, at, timedelta(microseconds=1234), took, outcome, message, excused)


def every(gap: timedelta, count: int, since: datetime = NOON) -> list[Sample]:
    return [a_sample(since + number * gap) for number in range(count)]


def some(seed: int, count: int, lasts: timedelta) -> list[Sample]:
    """Of two probes at two locations, in no order, from `NOON` on."""
    chance = random.Random(seed)
    return [
        a_sample(
            NOON + timedelta(microseconds=chance.randrange(lasts // timedelta(microseconds=1))),
            chance.choice(OUTCOMES),
            timedelta(microseconds=int(chance.lognormvariate(11.5, 0.8)) + 100),
            probe=chance.choice(["shop", "docs"]),
            location=chance.choice(["here", "paris"]),
            excused=chance.random() < 0.1,
        )
        for _ in range(count)
    ]


def same_to_two_percent(ours: Collection[Point], exact: Collection[Point]) -> bool:
    def near(one: timedelta | None, other: timedelta | None) -> bool:
        return one == other if one is None or other is None else abs(one - other) <= 0.02 * other

    return [(point.at, point.counts) for point in ours] == [(point.at, point.counts) for point in exact] and all(
        near(one.p50, other.p50) and near(one.p95, other.p95) and near(one.p99, other.p99)
        for one, other in zip(ours, exact, strict=True)
    )


class SamplesContract:
    @pytest.mark.parametrize("rolled", [pytest.param(False, id="fresh"), pytest.param(True, id="rolled up")])
    async def test_the_latest_come_back_whole_and_oldest_first(self, samples: Samples, rolled: bool) -> None:
        kept = [
            a_sample(NOON + 3 * SECOND, Outcome.FAILED, message="503, not 200 · héllo", location="paris"),
            a_sample(NOON + timedelta(microseconds=1), Outcome.BROKEN, message="no answer\nat all"),
            a_sample(NOON + 7 * MINUTE, took=timedelta(minutes=2, microseconds=7), excused=True),
            a_sample(NOON + 2 * SECOND, probe="docs"),
        ]
        await samples.append(kept)
        if rolled:
            await samples.roll_up(NOON + HOUR)
        assert await samples.latest("shop") == (kept[1], kept[0], kept[2])
        assert await samples.latest("shop", limit=1) == (kept[2],)
        assert await samples.latest("shop", limit=0) == await samples.latest("nobody's") == ()

    async def test_the_latest_of_several_locations_are_found_in_one_step(self, samples: Samples) -> None:
        kept = [a_sample(NOON + number * SECOND, location=f"room-{9 - number}") for number in range(10)]
        await samples.append(kept)
        await samples.roll_up(NOON + HOUR)
        assert await samples.latest("shop", limit=3) == tuple(kept[-3:])

    async def test_counts_are_of_the_window_to_the_microsecond(self, samples: Samples) -> None:
        await samples.append(every(30 * SECOND, 10_000))
        until = NOON + 4_000 * 30 * SECOND
        for now in (NOON, NOON + 100 * HOUR):
            await samples.roll_up(now)
            for lasts in (FIVE_MINUTES, HOUR, 6 * HOUR, 30 * HOUR):
                assert await samples.counts(until - lasts, until) == {"shop": Counts(total=lasts // (30 * SECOND))}
            one = timedelta(microseconds=1)
            assert await samples.counts(until + one, until + 30 * SECOND) == {}
            assert await samples.counts(until, until + one) == {"shop": Counts(total=1)}

    async def test_broken_ones_count_apart_and_excused_ones_not_at_all(self, samples: Samples) -> None:
        await samples.append(
            [
                a_sample(),
                a_sample(outcome=Outcome.FAILED, location="paris"),
                a_sample(outcome=Outcome.BROKEN),
                *[a_sample(outcome=outcome, excused=True) for outcome in Outcome],
                a_sample(probe="excused", excused=True),
            ]
        )
        for now in (NOON, NOON + HOUR):
            await samples.roll_up(now)
            assert await samples.counts(NOON, NOON + SECOND) == {"shop": Counts(total=2, failed=1, broken=1)}
            assert (await samples.days(NOON))["shop"][0].counts == Counts(total=2, failed=1, broken=1)
            (point,) = await samples.series("excused", NOON, NOON + HOUR, HOUR)
            assert (point.counts, point.p50) == (Counts(), None)

    @pytest.mark.parametrize("seed", range(3))
    async def test_everything_adds_up_whenever_it_comes_and_is_rolled_up(
        self, samples: Samples, beside: Samples, seed: int
    ) -> None:
        exact, chance, kept = FakeSamples(PROBING), random.Random(seed), some(seed, 3_000, lasts=50 * HOUR)
        for start in range(0, len(kept), 500):
            await chance.choice([samples, beside]).append(kept[start : start + 500])
            await exact.append(kept[start : start + 500])
            await chance.choice([samples, beside]).roll_up(NOON + chance.random() * 60 * HOUR)
            since = NOON + chance.random() * 50 * HOUR
            until = since + chance.choice([chance.random() * FIVE_MINUTES, FIVE_MINUTES, 3 * HOUR, 40 * HOUR])
            assert await samples.counts(since, until) == await exact.counts(since, until)
            assert await samples.days(since) == await exact.days(since)
            assert await samples.latest("shop") == await exact.latest("shop")
            for step in (FIVE_MINUTES, HOUR, 7 * HOUR, DAY):
                ours, theirs = [await by.series_of(["shop", "docs"], since, until, step) for by in (samples, exact)]
                assert ours.keys() == theirs.keys()
                assert all(same_to_two_percent(ours[probe], theirs[probe]) for probe in theirs)

    @pytest.mark.parametrize("rolled", [pytest.param(False, id="fresh"), pytest.param(True, id="rolled up")])
    async def test_of_some_probes_comes_what_comes_of_all(self, samples: Samples, rolled: bool) -> None:
        await samples.append([*some(5, 1_000, lasts=50 * HOUR), a_sample(probe="search")])
        if rolled:
            await samples.roll_up(NOON + 48 * HOUR)
        window, asked = (NOON + 77 * SECOND, NOON + 49 * HOUR + SECOND), ["shop", "search", "nobody's"]

        def few(by_probe: Mapping[str, Any]) -> dict[str, Any]:
            return {probe: found for probe, found in by_probe.items() if probe in asked}

        assert await samples.counts(*window, asked) == few(await samples.counts(*window))
        assert await samples.days(NOON, asked) == few(await samples.days(NOON))
        assert set(await samples.days(NOON, asked)) == {"shop", "search"}
        of_shop = await samples.series("shop", NOON, window[1], HOUR)
        assert (await samples.series_of(asked, NOON, window[1], HOUR))["shop"] == of_shop
        assert set(await samples.series_of(asked, NOON, window[1], HOUR)) == {"shop", "search"}
        assert await samples.series_of([], NOON, window[1], HOUR) == {}

    async def test_rolling_up_again_changes_nothing(self, samples: Samples, beside: Samples) -> None:
        await samples.append(some(4, 1_000, lasts=5 * HOUR))
        await asyncio.gather(*[by.roll_up(NOON + DAY) for by in (samples, beside) * 3])
        window = NOON, NOON + 10 * HOUR
        before = (
            await samples.counts(*window),
            await samples.series("shop", *window, HOUR),
            await samples.latest("shop"),
        )
        await samples.roll_up(NOON + DAY)
        assert before == (
            await samples.counts(*window),
            await samples.series("shop", *window, HOUR),
            await samples.latest("shop"),
        )
        assert sum((before[0][probe] for probe in before[0]), Counts()).total > 700

    async def test_one_that_is_late_gets_into_steps_that_were_made_before(self, samples: Samples) -> None:
        await samples.append(every(MINUTE, 60))
        await samples.roll_up(NOON + 3 * HOUR)
        late = a_sample(NOON + 7 * MINUTE + SECOND, Outcome.FAILED)
        await samples.append([late])
        for now in (NOON + 3 * HOUR, NOON + 4 * HOUR):
            await samples.roll_up(now)
            assert late in await samples.latest("shop")
            assert await samples.counts(late.at, late.at + SECOND) == {"shop": Counts(1, 1)}
            assert await samples.counts(NOON, NOON + HOUR) == {"shop": Counts(61, 1)}
            assert (await samples.series("shop", NOON, NOON + 8 * MINUTE, FIVE_MINUTES))[1].counts == Counts(6, 1)

    async def test_one_that_is_later_than_single_samples_are_kept_counts_all_the_same(self, samples: Samples) -> None:
        await samples.append(every(MINUTE, 60))
        now = NOON + PROBING.raw_for + 2 * HOUR
        await samples.roll_up(now)
        await samples.append([a_sample(NOON + 7 * MINUTE, Outcome.FAILED, message="503")])
        for _ in range(3):
            await samples.roll_up(now)
        assert await samples.counts(NOON, NOON + HOUR) == {"shop": Counts(61, 1)}
        assert await samples.counts(NOON + FIVE_MINUTES, NOON + 2 * FIVE_MINUTES) == {"shop": Counts(6, 1)}
        assert await samples.latest("shop") == ()

    async def test_each_is_kept_as_long_as_was_said(self, samples: Samples) -> None:
        await samples.append([a_sample()])
        window = NOON, NOON + DAY
        seen = []
        for age in (timedelta(), PROBING.raw_for, PROBING.five_minutes_for, PROBING.hours_for, PROBING.hours_for + DAY):
            await samples.roll_up(NOON + HOUR + age)
            raw, days = await samples.latest("shop"), await samples.days(NOON)
            five, hour = [await samples.series("shop", *window, step) for step in (FIVE_MINUTES, HOUR)]
            seen.append("".join("x" if found else "-" for found in (raw, five, hour, days)))
        assert seen == ["xxxx", "-xxx", "--xx", "---x", "----"]

    async def test_what_an_agent_sends_again_is_kept_once(self, samples: Samples, beside: Samples) -> None:
        assert await samples.append([a_sample()], "paris-1")
        assert not await beside.append([a_sample()], "paris-1")
        assert await beside.append([a_sample(), a_sample()], "paris-2")
        assert await samples.append([], "paris-3")
        assert not await samples.append([a_sample()], "paris-3")
        together = [by.append([a_sample()], "paris-4") for by in (samples, beside) * 5]
        assert sorted(await asyncio.gather(*together)) == [False] * 9 + [True]
        assert await samples.counts(NOON, NOON + SECOND) == {"shop": Counts(total=4)}

    async def test_without_a_batch_nothing_is_taken_for_a_repetition(self, samples: Samples) -> None:
        assert [await samples.append([a_sample()]) for _ in range(3)] == [True] * 3
        assert await samples.append([])
        assert await samples.latest("shop") == (a_sample(),) * 3

    async def test_more_than_any_statement_takes_are_kept(self, samples: Samples) -> None:
        await samples.append([a_sample(probe=f"probe-{number}") for number in range(12_000)])
        await samples.roll_up(NOON + HOUR)
        assert len(await samples.counts(NOON, NOON + SECOND)) == 12_000

    async def test_two_controllers_that_name_the_same_probes_agree(self, samples: Samples, beside: Samples) -> None:
        many = [a_sample(probe=f"probe-{number}") for number in range(40)]
        await asyncio.gather(*[by.append(many[::turn]) for by, turn in ((samples, 1), (beside, -1)) for _ in range(3)])
        assert set((await samples.counts(NOON, NOON + SECOND)).values()) == {Counts(total=6)}

    @pytest.mark.parametrize("text", [pytest.param("a\0b", id="NUL"), pytest.param("a\ud800b", id="half a surrogate")])
    async def test_words_that_no_database_keeps_stop_nothing(self, samples: Samples, text: str) -> None:
        assert await samples.append([a_sample(message=text, outcome=Outcome.FAILED)], text)
        await samples.roll_up(NOON + HOUR)
        assert [replace(one, message="") for one in await samples.latest("shop")] == [a_sample(outcome=Outcome.FAILED)]

    async def test_a_step_that_nothing_is_kept_at_is_refused(self, samples: Samples) -> None:
        for step in (timedelta(), MINUTE, 2 * FIVE_MINUTES, 90 * MINUTE, -HOUR):
            with pytest.raises(Refused, match="5 minutes and of whole hours"):
                await samples.series("shop", NOON, NOON + DAY, step)

    async def test_nothing_is_known_of_nothing(self, samples: Samples) -> None:
        await samples.roll_up(NOON)
        assert await samples.counts(NOON - DAY, NOON) == await samples.days(NOON - DAY) == {}
        assert await samples.series("shop", NOON - DAY, NOON, HOUR) == await samples.latest("shop") == ()
