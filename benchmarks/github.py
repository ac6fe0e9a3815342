"""What GitHub costs: a push, an hour in which nothing happens, and a start; beside GitHub's quotas.

GitHub is the fake one, over HTTP; it counts as GitHub does. The adapter and the loop are the real ones, the platform is
in memory. The hour passes at once: GitHub's clock, ours and the event loop's are moved ahead together.
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import structlog

from benchmarks.model import Row
from controller.adapters.github.limits import CREATED_PER_HOUR
from controller.adapters.github.pace import Pace
from tests.scenarios.workday import Workday, a_workday, key_of

PULLS = 1_000
QUOTA = 5_000
"""Requests an hour of an installation, at least."""
HOURLY = "GitHub's, an hour"
A_ROUND = timedelta(minutes=1)
"""As the chart has it."""
MOST_ROUNDS = 100
LIMITS = ("limit", "created_per_minute", "created_per_hour", "points_per_minute")
"""Of the fake GitHub."""


@dataclass(frozen=True, slots=True)
class Cost:
    asked: Counter[tuple[str, str]]
    """Requests by method and template."""
    used: int
    """Of a quota: all that were not answered with 304."""
    seconds: float
    """Of GitHub's clock."""
    took: float
    """Seconds here."""

    @property
    def requests(self) -> int:
        return self.asked.total()

    @property
    def created(self) -> int:
        return sum(count for (method, path), count in self.asked.items() if method == "POST" and "/app/" not in path)


async def measure() -> list[Row]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        return [*await _a_push(), *await _many()]
    finally:
        structlog.reset_defaults()


async def _a_push() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
        async with a_workday(Path(folder)) as day:
            pull = day.open()
            await _finish(day, pull.number)
            cost = await _cost(day, lambda: _push(day, pull.number))
    return [
        Row("a push, until all is told: requests", cost.requests, None, None, "", holds=True),
        Row.at_most("a push: of the quota", cost.used, 50, "", peer=QUOTA, against=HOURLY),
        Row.at_most("a push: things created", cost.created, 10, "", peer=CREATED_PER_HOUR, against=HOURLY),
        _at_least("pushes an hour, by what each creates", CREATED_PER_HOUR // max(cost.created, 1), 50),
        _at_least("pushes an hour, by the quota", QUOTA // max(cost.used, 1), 100),
    ]


async def _push(day: Workday, number: int) -> None:
    day.shop.pulls[number].push({"more.txt": "more"})
    await _finish(day, number)


async def _finish(day: Workday, number: int) -> None:
    """The platform takes as long as to be seen at it."""
    day.platform.slow = True
    await day.settle()
    day.platform.finish(key_of(day.shop.pulls[number]))
    await day.settle()


async def _many() -> list[Row]:
    """There is no place for any, and they were told so: they are read and listened to like all others."""
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
        async with a_workday(Path(folder), max_alive=0) as day:
            day.shop.open_many(PULLS)
            with _without_limits(day):
                await _rounds_until(day, lambda: len(day.shop.comments) == PULLS)
            _pass(day, timedelta(minutes=2))
            next(iter(day.shop.pulls.values())).comment("What was written in the minute before the last is read again.")
            await day.restart()
            start = await _cost(day, lambda: _rounds_until(day, lambda: _all_read(day)))
            hour = await _cost(day, lambda: _an_hour(day))
    begin, idle = f"a start with {PULLS:,} pull requests", f"an idle hour with {PULLS:,} pull requests"
    return [
        Row(f"{begin}: requests", start.requests, None, None, "", holds=True),
        Row.at_most(f"{begin}: of the quota", start.used, QUOTA / 2, "", peer=QUOTA, against=HOURLY),
        Row.at_most(f"{begin}: takes, by GitHub's clock", start.seconds, 300, "s"),
        Row(f"{begin}: work here, GitHub's included", start.took, None, None, "s", holds=True),
        Row(f"{idle}: requests", hour.requests, None, None, "", holds=True),
        Row.at_most(f"{idle}: of the quota", hour.used, QUOTA / 100, "", peer=QUOTA, against=HOURLY),
    ]


def _at_least(name: str, ours: float, least: float) -> Row:
    return Row(name, ours, None, None, "", holds=ours >= least)


async def _cost(day: Workday, work: Callable[[], Awaitable[None]]) -> Cost:
    server = day.github.server
    server.requests.clear()
    unchanged, began, moment = server.unchanged, time.perf_counter(), day.now()
    await work()
    asked, seconds = Counter(server.requests), (day.now() - moment).total_seconds()
    return Cost(asked, asked.total() - (server.unchanged - unchanged), seconds, time.perf_counter() - began)


@contextmanager
def _without_limits(day: Workday) -> Iterator[None]:
    """To tell a thousand people something takes GitHub two hours."""
    limits, plenty = day.github.limits, 1_000_000
    known = {name: value for name, value in vars(limits).items() if name in LIMITS}
    vars(limits).update(dict.fromkeys(LIMITS, plenty))
    with patch.object(Pace, "take", return_value=timedelta()):
        yield
    vars(limits).update(known)
    limits.clear()


async def _rounds_until(day: Workday, holds: Callable[[], bool]) -> None:
    for _ in range(MOST_ROUNDS):
        await day.loop.round()
        if holds():
            return
        _pass(day, timedelta(seconds=10))
    raise RuntimeError(f"not after {MOST_ROUNDS} rounds")


def _all_read(day: Workday) -> bool:
    """Specs and threads."""
    threads = day.github.requests["GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments"]
    read = [case for case in day.loop.cases.values() if case.spec is not None and not case.stale]
    return len(read) == PULLS and threads >= PULLS


async def _an_hour(day: Workday) -> None:
    for _ in range(int(timedelta(hours=1) / A_ROUND) - 1):
        _pass(day, A_ROUND)
        await day.loop.round()


def _pass(day: Workday, span: timedelta) -> None:
    """Some of what is remembered goes by the event loop's time."""
    loop = asyncio.get_running_loop()
    before = loop.time
    day.github.clock.advance(seconds=span.total_seconds())
    loop.time = lambda: before() + span.total_seconds()  # type: ignore[method-assign]  # time passes


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)
