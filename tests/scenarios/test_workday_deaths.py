"""A controller that dies over and over, at every request of a day at work: its end is that of the undisturbed day."""

import asyncio
import json
import re
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

import pytest

from tests.fakes.github import Pull
from tests.fakes.platform import Killed
from tests.scenarios.workday import Workday, a_workday

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]
ROUNDS = 6


class Life:
    """Of one controller. Once it is `over`, nothing of it reaches GitHub, History or the platform any more."""

    def __init__(self, is_last: Callable[[Any, str], bool] = lambda request, moment: False) -> None:
        self.over = False
        self._is_last = is_last

    def around(self, part: Any) -> Any:
        return _Mortal(part, self)

    def live(self, request: Any = None, moment: str = "") -> None:
        self.over = self.over or (request is not None and self._is_last(request, moment))
        if self.over:
            raise Killed


class _Mortal:
    def __init__(self, part: Any, life: Life) -> None:
        self._part, self._life = part, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name == "close" or not iscoroutinefunction(found):
            return found

        async def call(*words: Any, **named: Any) -> Any:
            request = words[0] if name == "ask" else None
            self._life.live(request, "before")
            came = await found(*words, **named)
            self._life.live(request, "after")
            return came

        return call


class Deaths:
    """Each request kills whoever sends it first, before or after GitHub does what it asks."""

    def __init__(self, day: Workday, moment: str) -> None:
        self._day, self._moment = day, moment
        self.requests: set[tuple[str, str, bytes]] = set()
        self._life = Life(self._is_deadly)
        self._funerals: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """In the place of the one before, whose doors close meanwhile."""
        self._day.github.webhooks.stop()
        self._funerals.add(asyncio.create_task(self._day.ours.stop()))
        await self._day.start(self._life.around)

    async def end(self) -> None:
        await asyncio.gather(*self._funerals)

    def _is_deadly(self, request: Any, moment: str) -> bool:
        about = request.method, request.path, request.body or b""
        if moment != self._moment or about in self.requests or request.path.endswith("access_tokens"):
            return False
        self.requests.add(about)
        return True

    async def settle(self) -> None:
        """Until a life is long enough for nothing more to come of it."""
        self._day.github.clock.advance(seconds=5)
        rounds = 0
        while rounds < ROUNDS:
            await self._day.github.webhooks.settled()
            rounds = rounds + 1 if await self._survives_a_round() else 0
            self._day.github.clock.advance(seconds=1)

    async def _survives_a_round(self) -> bool:
        try:
            await self._day.loop.round()
        except Killed:
            assert self._life.over
        if not self._life.over:
            return True
        self._life = Life(self._is_deadly)
        await self.begin()
        return False


async def a_story(day: Workday, settle: Callable[[], Any]) -> list[dict[str, object]]:
    """How it stands after each chapter."""
    pull = day.open()
    chapters: list[dict[str, object]] = []

    async def turn() -> None:
        await settle()
        chapters.append(how_it_stands(day, pull))

    await turn()
    pull.comment("/preview pin until the demo")
    pull.comment("/preview logs")
    await turn()
    pull.push({"a.txt": "more"})
    await turn()
    pull.rerun("mayfly/smoke", day.ada)
    await turn()
    pull.merge()
    await turn()
    return chapters


def how_it_stands(day: Workday, pull: Pull) -> dict[str, object]:
    """All that is left of it, one entry for each thing, so that two of a kind show. Revisions are called by number."""
    runs = [run for run in day.shop.check_runs.values() if run.head_sha in pull.heads]
    left = {
        "comments": [
            (one.author, one.body, [(by.user.login, by.content) for by in one.reactions]) for one in pull.comments
        ],
        "checks": sorted(
            (pull.heads.index(run.head_sha), run.name, str(run.external_id), str(run.conclusion), str(run.title))
            for run in runs
        ),
        "deployments": [(one.environment, one.sha, one.statuses[-1].state) for one in pull.deployments],
        "environments": sorted(day.shop.environments),
        "alive": sorted(day.alive()),
        "deployed": [revision for _, revision in day.platform.deployed],
        "removed": [str(key) for key in day.platform.removed],
    }
    return json.loads(_named(json.dumps(left, indent=1), pull))


def _named(text: str, pull: Pull) -> str:
    for number, head in enumerate(pull.heads):
        text = text.replace(head, f"head {number}").replace(head[:7], f"head {number}")
    return re.sub(r"(?<=mayfly answer )\d+", "ID", re.sub(r":\d{10,}\b", ":ORDER", text))


@pytest.fixture
async def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    async with a_workday(tmp_path_factory.mktemp("undisturbed")) as day:
        return await a_story(day, day.settle)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_every_request_may_be_the_last(tmp_path, undisturbed, moment):
    async with a_workday(tmp_path) as day:
        deaths = Deaths(day, moment)
        await deaths.begin()
        chapters = await a_story(day, deaths.settle)
        await deaths.end()
    assert chapters == undisturbed
    assert len(deaths.requests) > 30
    assert {"POST", "PATCH", "DELETE"} <= {method for method, _, _ in deaths.requests}
