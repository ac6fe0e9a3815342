"""A day at work while GitHub fails at random: once it works again, all is as if nothing had been."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.fakes.github import Pull
from tests.fakes.github.faults import Fault, Faults
from tests.scenarios.workday import Workday, a_workday

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]
HANGS, PATIENCE = 0.6, 0.4
"""Seconds: GitHub, and how long we wait for it while it does."""
SHARE = 0.5
"""Of all requests."""
SEEDS = (14, 18)
TROUBLES = (
    {"kind": "fail", "status": 502},
    {"kind": "fail", "status": 503, "headers": {"Retry-After": "2"}},
    {"kind": "fail", "status": 502, "after": True},
    {"kind": "fail", "status": 429, "headers": {"Retry-After": "3"}},
    {"kind": "cut"},
    {"kind": "cut", "after": True},
    {"kind": "half", "after": True},
    {"kind": "garbage"},
    {"kind": "garbage", "after": True},
    {"kind": "slow", "seconds": HANGS},
    {"kind": "slow", "seconds": HANGS, "after": True},
)
"""Before the deed and after it."""


class Troubles(Faults):
    """What goes wrong is in the request and in how often it came, whatever else is under way: the same each time."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed
        self._count: Counter[tuple[str, str]] = Counter()
        self.met: Counter[tuple[str, int, bool]] = Counter()

    def of(self, method: str, path: str) -> list[Fault]:
        self._count[method, path] += 1
        chance = Random(f"{self._seed} {method} {path} {self._count[method, path]}")
        if chance.random() > SHARE:
            return []
        about: dict[str, Any] = chance.choice(TROUBLES)
        fault = Fault(times=None, method=None, path="", **about)
        self.met[fault.kind, fault.status, fault.after] += 1
        return [fault]


class Weather:
    """GitHub's, on a day."""

    def __init__(self, day: Workday, seed: int) -> None:
        self._day = day
        self.troubles = Troubles(seed)
        self._wire = day.ours.forge._client._door._wire
        self._seconds = self._wire._seconds

    async def storm(self) -> None:
        self._day.github.server.faults, self._wire._seconds = self.troubles, PATIENCE
        for _ in range(4):
            await self._day.settle(rounds=4)

    async def calm(self) -> None:
        self._day.github.server.faults, self._wire._seconds = Faults(), self._seconds
        await self._day.settle(rounds=10, minutes=2)


def stands(day: Workday, pull: Pull) -> dict[str, object]:
    """What there is of its latest revision, one entry for each thing, and what is left of those before."""
    runs = [run for run in day.shop.check_runs.values() if run.head_sha == pull.head]
    return {
        "alive": day.alive() == {pull.number: pull.head},
        "sticky": [one.body.replace(pull.head[:7], "HEAD") for one in pull.comments if "### " in one.body],
        "answers": sum("mayfly answer" in one.body for one in pull.comments),
        "reactions": [pull.reactions(one.id) for one in pull.comments if one.user.type != "Bot"],
        "checks": sorted((run.name, (run.external_id or "")[-2:] == ":0", run.conclusion) for run in runs),
        "deployed": [one.statuses[-1].state for one in pull.deployments if one.sha == pull.head],
        "environments": list(day.shop.environments),
    }


async def a_story(day: Workday, weather: Weather | None) -> list[dict[str, object]]:
    """How it stands after each chapter, in calm weather."""
    chapters: list[dict[str, object]] = []

    async def storm() -> None:
        await (weather.storm() if weather else day.settle())

    async def calm() -> None:
        await (weather.calm() if weather else day.settle(rounds=10, minutes=2))
        left = [one for one in pull.deployments if one.sha != pull.head]
        assert {one.statuses[-1].state for one in left} <= {"inactive"}
        chapters.append(stands(day, pull))

    pull = day.open()
    await storm()
    pull.push({"a.txt": "more"})
    await storm()
    pull.comment("/preview pin until the demo")
    pull.comment("/preview logs")
    await storm()
    await calm()
    pull.rerun("mayfly/smoke", day.ada)
    await storm()
    await calm()
    pull.merge()
    await storm()
    await calm()
    return chapters


async def test_after_every_storm_all_is_as_if_there_had_been_none(tmp_path):
    for folder in ("calm", *map(str, SEEDS)):
        (tmp_path / folder).mkdir()
    async with a_workday(tmp_path / "calm") as day:
        expected = await a_story(day, None)
    for seed in SEEDS:
        async with a_workday(tmp_path / str(seed)) as day:
            weather = Weather(day, seed)
            assert await a_story(day, weather) == expected, f"after the storms of seed {seed}"
        assert len(weather.troubles.met) > len(TROUBLES) // 2
