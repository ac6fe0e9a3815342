import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from controller.probes.schedule import Schedule, phase
from tests.probes.examples import a_probe

SECOND = timedelta(seconds=1)
PACE = SECOND / 5


class Runs:
    """What ran, when it was due, and what was left out. `slow` hang until they are ended."""

    def __init__(self, *slow):
        self.slow = slow
        self.due = {}
        self.missed = {}
        self.ended = []
        self.wanted = asyncio.Event()
        self.until = lambda: False

    async def run(self, name, due):
        self.due.setdefault(name, []).append(due)
        self._news()
        if name in self.slow:
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.append(name)

    def miss(self, name, runs):
        self.missed[name] = self.missed.get(name, 0) + runs
        self._news()

    def _news(self):
        if self.until():
            self.wanted.set()

    async def wait(self, until):
        self.until = until
        self._news()
        await asyncio.wait_for(self.wanted.wait(), 20)


def often(name, **said):
    """More often than the policy lets people, so that nobody waits for it here."""
    return a_probe(name, objective=None, **said).model_copy(update={"every": PACE})


async def test_runs_are_due_at_a_fixed_rate():
    runs = Runs()
    schedule = Schedule(runs.run, runs.miss)
    schedule.add(often("a"))
    schedule.start()
    await runs.wait(lambda: len(runs.due.get("a", [])) >= 3)
    await schedule.stop()
    first, second, third = runs.due["a"][:3]
    assert (second - first, third - second) == (PACE, PACE)
    assert abs((first - datetime(1970, 1, 1, tzinfo=UTC)) % PACE - phase("a", PACE)) < timedelta(microseconds=50)


async def test_a_slow_one_delays_no_other_and_what_it_left_out_is_counted():
    runs = Runs("slow")
    schedule = Schedule(runs.run, runs.miss)
    for name in ("slow", "quick"):
        schedule.add(often(name))
    schedule.start()
    await runs.wait(lambda: len(runs.due.get("quick", [])) >= 3 and runs.missed.get("slow", 0) >= 2)
    await schedule.stop()
    assert len(runs.due["slow"]) == 1
    assert runs.missed.keys() == {"slow"}
    assert runs.ended == ["slow"], "a run that is under way ends with the schedule"


async def test_runs_that_passed_while_nothing_could_begin_are_one_and_the_others_counted():
    runs = Runs()
    schedule = Schedule(runs.run, runs.miss)
    schedule.add(often("a"))
    schedule.start()
    await runs.wait(lambda: bool(runs.due))
    runs.wanted.clear()
    time.sleep(2.5 * PACE.total_seconds())  # noqa: ASYNC251 - nothing can begin meanwhile: that is what is tested
    await runs.wait(lambda: len(runs.due["a"]) >= 2)
    await schedule.stop()
    assert runs.missed == {"a": 1}
    assert runs.due["a"][1] - runs.due["a"][0] == 2 * PACE


async def test_a_bug_in_a_run_ends_no_other(caplog):
    ran = asyncio.Event()
    times = []

    async def run(name, due):
        times.append(due)
        if len(times) > 1:
            ran.set()
        raise RuntimeError("a bug")

    schedule = Schedule(run, lambda name, runs: None)
    schedule.add(often("a"))
    schedule.start()
    await asyncio.wait_for(ran.wait(), 10)
    await schedule.stop()
    assert "a bug" in caplog.text


def test_probes_are_spread_over_their_interval():
    spread = sorted(phase(f"probe-{number}", 30 * SECOND) / SECOND for number in range(3000))
    by_second = [sum(int(at) == second for at in spread) for second in range(30)]
    assert min(by_second) > 60
    assert max(by_second) < 140


@pytest.mark.parametrize("line", ["*/5 8-18 * * mon-fri", "0 3 * * *"])
async def test_a_cron_line_is_in_utc(line):
    schedule = Schedule(Runs().run, lambda name, runs: None)
    schedule.add(a_probe("a", cron=line, objective=None))
    schedule.start()
    at = schedule.next_at("a")
    await schedule.stop()
    assert at is not None
    assert at.utcoffset() == timedelta(0)
    assert at.hour in ({3} if line.startswith("0 3") else set(range(8, 19)))
