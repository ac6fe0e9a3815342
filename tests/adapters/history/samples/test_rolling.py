"""Rolling up, cut short at every statement, and within its bounds."""

import asyncio
import itertools
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Collection
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from controller.adapters.history import open_history, sqlite_url
from controller.adapters.history.samples import rolling, tables
from controller.adapters.history.sql import SqlHistory
from controller.probes.model import Counts, Sample
from controller.probes.ports import Samples
from tests.contracts.samples import DAY, FIVE_MINUTES, HOUR, MINUTE, NOON, PROBING, a_sample, every, some
from tests.fakes.samples import FakeSamples

WINDOW = NOON, NOON + 6 * HOUR
LATER = NOON + 5 * HOUR


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


@pytest.fixture
async def history(file: Path) -> AsyncIterator[SqlHistory]:
    history = await open_history(sqlite_url(file))
    yield history
    await history.close()


class Cut(Exception):
    """The statement is not made."""


async def all_of(samples: Samples) -> object:
    latest = [await samples.latest(probe, 1_000) for probe in ("shop", "docs")]
    counts = [(point.at, point.counts) for point in await samples.series("shop", *WINDOW, FIVE_MINUTES)]
    return latest, counts, await samples.counts(*WINDOW), await samples.days(NOON)


async def a_fake(kept: Collection[Sample]) -> FakeSamples:
    fake = FakeSamples(PROBING)
    await fake.append(kept)
    return fake


async def exactly(kept: Collection[Sample]) -> object:
    return await all_of(await a_fake(kept))


async def kept_in(file: Path) -> object:
    history = await open_history(sqlite_url(file))
    found = await all_of(history.samples(PROBING))
    await history.close()
    return found


async def rolled_up(file: Path, at_statement: Callable[[int], None]) -> None:
    """`at_statement` is told before each, from 0 on."""
    history, numbers = await open_history(sqlite_url(file)), itertools.count()
    engine = history._connections._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *_: at_statement(next(numbers)))
    try:
        await history.samples(PROBING).roll_up(LATER)
    finally:
        await history.close()


async def test_cut_short_at_any_statement_it_loses_nothing_and_counts_nothing_twice(
    file: Path, history: SqlHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "AT_ONCE", 250)
    kept = some(1, 400, lasts=4 * HOUR)
    await history.samples(PROBING).append(kept)
    exact = await exactly(kept)

    def cut(number: int) -> None:
        if number == last:
            raise Cut

    for last in itertools.count():
        copy = file.with_name(f"{last}.sqlite3")
        copied(file, copy)
        try:
            await rolled_up(copy, cut)
        except Cut:
            assert await kept_in(copy) == exact
            await rolled_up(copy, lambda number: None)
            assert await kept_in(copy) == exact
        else:
            break
    assert last > 12


def copied(file: Path, to: Path) -> None:
    with sqlite3.connect(file) as source, sqlite3.connect(to) as target:
        source.backup(target)
    source.close()
    target.close()


@pytest.mark.processes
@pytest.mark.parametrize("statement", [3, 6, 12])
async def test_killed_it_loses_nothing_and_counts_nothing_twice(
    file: Path, history: SqlHistory, statement: int
) -> None:
    kept = some(2, 400, lasts=4 * HOUR)
    await history.samples(PROBING).append(kept)
    script = (
        "import asyncio, os, signal\n"
        "from pathlib import Path\n"
        "from controller.adapters.history.samples import rolling\n"
        "from tests.adapters.history.samples.test_rolling import rolled_up\n"
        "rolling.AT_ONCE = 150\n"
        f"kill = lambda number: os.kill(os.getpid(), signal.SIGKILL) if number == {statement} else None\n"
        f"asyncio.run(rolled_up(Path({str(file)!r}), kill))\n"
    )
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    exact = await exactly(kept)
    assert await kept_in(file) == exact
    await history.samples(PROBING).roll_up(LATER)
    assert await kept_in(file) == exact


async def test_nobody_sees_a_sample_twice_or_not_at_all_while_it_is_rolled_up(
    history: SqlHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "AT_ONCE", 50)
    samples, kept = history.samples(PROBING), some(3, 1_000, lasts=4 * HOUR)
    await samples.append(kept)
    rolling_up, looks = asyncio.create_task(samples.roll_up(LATER)), 0
    exact = await (await a_fake(kept)).counts(*WINDOW)
    while not rolling_up.done():
        assert await samples.counts(*WINDOW) == exact
        assert len(await samples.latest("shop", 10_000)) + len(await samples.latest("docs", 10_000)) == len(kept)
        looks += 1
    await rolling_up
    assert looks > 3


async def test_a_step_is_rolled_up_once_it_is_over_and_has_settled(history: SqlHistory) -> None:
    samples = history.samples(PROBING)
    await samples.append(every(MINUTE, 10))
    left = []
    for minute in (5, 6, 10, 11):
        await samples.roll_up(NOON + minute * MINUTE)
        left.append(await number_of_fresh(history))
    assert left == [10, 5, 5, 0]


async def test_one_call_rolls_up_so_many_and_no_more(history: SqlHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "AT_ONCE", 7)
    monkeypatch.setattr(rolling, "TRANSACTIONS", 3)
    samples = history.samples(PROBING)
    await samples.append(every(MINUTE, 50))
    left = []
    for _ in range(3):
        await samples.roll_up(LATER)
        left.append(await number_of_fresh(history))
    assert left == [29, 8, 0]


async def test_one_call_forgets_so_many_steps_and_no_more(history: SqlHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "FORGOTTEN", 5)
    samples = history.samples(PROBING)
    await samples.append(every(FIVE_MINUTES, 12))
    await samples.roll_up(NOON + HOUR + MINUTE)
    left = []
    for _ in range(3):
        await samples.roll_up(NOON + 4 * DAY)
        left.append(len(await samples.latest("shop")))
    assert left == [7, 2, 0]


async def test_when_single_samples_are_gone_a_window_begins_and_ends_with_the_step_that_it_cuts(
    history: SqlHistory,
) -> None:
    samples = history.samples(PROBING)
    await samples.append(every(MINUTE, 120))
    await samples.roll_up(NOON + 3 * HOUR)
    window = NOON + 7 * MINUTE, NOON + 73 * MINUTE
    totals = [(await samples.counts(*window))["shop"].total]
    for age in (PROBING.raw_for, PROBING.five_minutes_for):
        for _ in range(3):
            await samples.roll_up(NOON + 3 * HOUR + age)
        totals.append((await samples.counts(*window))["shop"].total)
    assert totals == [66, 65, 60]


async def test_batches_are_forgotten_with_the_steps_of_five_minutes(history: SqlHistory) -> None:
    samples = history.samples(PROBING)
    await samples.append([a_sample()], "paris-1")
    for age, is_new in [
        (timedelta(), False),
        (PROBING.five_minutes_for, False),
        (PROBING.five_minutes_for + DAY, True),
    ]:
        await samples.roll_up(NOON + age)
        assert await samples.append([], "paris-1") == is_new


async def test_the_numbers_of_probes_are_read_again_after_a_while(
    history: SqlHistory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = history.samples(PROBING)
    await samples.append([a_sample(probe="gone"), a_sample(probe="docs")])
    with sqlite3.connect(file) as raw:
        raw.executescript("DELETE FROM sample_series; DELETE FROM fresh_samples")
    raw.close()
    monkeypatch.setattr(samples._names, "_whole_at", 0.0)
    await samples.append([a_sample(probe="docs")])
    assert await samples.counts(NOON, NOON + HOUR) == {"docs": Counts(total=1)}


async def number_of_fresh(history: SqlHistory) -> int:
    (row,) = await history._connections.read(select(func.count().label("number")).select_from(tables.fresh))
    return int(row.number)
