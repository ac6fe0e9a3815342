"""Two controllers between one GitHub and one platform, with one History: webhooks come to the one that does not lead.

Both go round by themselves. A whole round comes once a minute only, so that whatever happens sooner came of a bell.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from controller.adapters.github.wire import Answer, Request
from tests.adapters.github.world import SECRET
from tests.fakes.github import Pull
from tests.scenarios.replica import Replica
from tests.scenarios.workday import Workday, a_workday

pytestmark = pytest.mark.processes
PATIENCE = 20
"""Seconds: a machine may be busy, and the next whole round is a minute away."""
GREEN = [("mayfly/e2e", "success"), ("mayfly/smoke", "success")]


class Overheard:
    """What one controller changes at GitHub: method and path. Its tokens are its own affair."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    def around(self, part: Any) -> Any:
        if hasattr(part, "ask"):
            ask = part.ask

            async def overheard(request: Request) -> Answer:
                if not request.is_read and not request.path.endswith("access_tokens"):
                    self.changes.append(f"{request.method} {request.path}")
                answer: Answer = await ask(request)
                return answer

            part.ask = overheard
        return part


class Pair:
    """The first leads, and the second hears."""

    def __init__(self, day: Workday) -> None:
        self.day = day
        self.said = Overheard(), Overheard()
        self.first = Replica(day, self.said[0].around)
        self.second = Replica(day, self.said[1].around, leads=False)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["Pair"]:
        async with AsyncExitStack() as stack:
            for replica in (self.first, self.second):
                await replica.start()
                stack.push_async_callback(replica.stop)
                stack.push_async_callback(ended, asyncio.create_task(replica.loop.run()))
            self.day.github.webhooks.to(self.second.url, SECRET)
            await until(lambda: self.first.forge._ours and self.second.forge._ours, "each has looked at everything")
            yield self

    def hand_over(self) -> None:
        """As a Lease does."""
        self.first.leads = False
        self.second.leads = True
        self.second.loop.bell.ring()


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(holds: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"in vain until {what}") from None


def is_done(pull: Pull) -> bool:
    """Its preview is ready, all is said, and nothing of it twice."""
    checked = sorted((run.name, run.conclusion) for run in pull.checks)
    deployed = [one.statuses[-1].state for one in pull.deployments if one.sha == pull.head and one.statuses]
    ready = f"at `{pull.head[:7]}`" in (pull.sticky() or "") and "all 2 checks passed" in (pull.sticky() or "")
    return ready and checked == GREEN and deployed == ["success"]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with a_workday(tmp_path) as day:
        await day.stop()
        async with Pair(day).at_work() as pair:
            yield pair


async def test_the_one_that_leads_looks_at_what_the_other_was_told(pair):
    day = pair.day
    pull = day.open()
    await until(lambda: is_done(pull), "it is ready")
    pull.push({"a.txt": "more"})
    await until(lambda: is_done(pull), "what was pushed is ready")
    asked = pull.comment("/preview pin until the demo")
    await until(lambda: pull.reactions(asked) == [("mayfly[bot]", "+1")], "the command was taken")
    runs = len(day.shop.check_runs)
    pull.rerun("mayfly/smoke", day.ada)
    await until(lambda: len(day.shop.check_runs) > runs and is_done(pull), "what was pressed ran again")
    assert len(day.shop.check_runs) == runs + 1
    pull.close()
    await until(lambda: "removed: the pull request was closed" in (pull.sticky() or ""), "it is gone")
    assert pair.said[0].changes
    assert pair.said[1].changes == []


async def test_who_leads_next_goes_on_and_says_nothing_again(pair):
    day = pair.day
    pull = day.open()
    await until(lambda: is_done(pull), "it is ready")
    said = len(pair.said[0].changes)
    pair.hand_over()
    later = day.open("later")
    await until(lambda: is_done(later), "the next one is ready")
    pull.push({"a.txt": "more"})
    await until(lambda: is_done(pull), "what was pushed is ready")
    assert len(pair.said[0].changes) == said
    assert pair.said[1].changes
    assert [len(one.comments) for one in (pull, later)] == [1, 1]
    assert len({(run.head_sha, run.name) for run in day.shop.check_runs.values()}) == len(day.shop.check_runs) == 6
    assert sorted(one.sha for one in day.shop.deployments.values()) == sorted([*pull.heads, later.head])
