"""Two controllers at one target with one History: one leads, and people ask the other.

A whole round comes once a minute only, so that whatever happens sooner came of a bell.
"""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from controller.adapters.history import open_history, sqlite_url
from controller.api.metrics import Metrics
from controller.deploys.desk import Ask, Taken
from controller.deploys.frontdesk import TargetFrontDesk
from controller.deploys.look import World
from controller.deploys.model import Probed, Verb, Verdict
from controller.deploys.reconcile import Deployer, Setting
from controller.settings import Allowed, Target
from controller.specs import Specs
from tests.deploys.day import NAME, SPEC
from tests.fakes.forge import FakeForge
from tests.fakes.targets import FakeTargets

PATIENCE = 30
"""Seconds: a machine may be busy, and the next whole round is a minute away."""


def now():
    return datetime.now(UTC)


class Replica:
    """`leads` may change at any time; whatever it does to the target stands in `did`."""

    def __init__(self, targets, forge, history, *, leads):
        self.leads, self.did = leads, []
        policy = {NAME: Target(name=NAME, repository="shop")}
        journal = history.journal
        world = World(forge, Overheard(targets, self.did), journal, Specs(forge, Allowed()), {}, soaked)
        setting = Setting(policy, "http://localhost:8080", timedelta(minutes=1), lambda: self.leads)
        self.loop = Deployer(world, post, setting, Metrics(), now)
        self.desk = TargetFrontDesk(self.loop, targets, journal, policy, now)
        self.history = history

    @asynccontextmanager
    async def at_work(self):
        running = asyncio.create_task(self.loop.run())
        try:
            yield self
        finally:
            await ended(running)

    def lead(self):
        self.leads = True
        self.loop.bell.ring()


class Overheard:
    def __init__(self, targets, did):
        self._targets, self._did = targets, did

    def __getattr__(self, name):
        if name in {"save", "run_checks"}:
            self._did.append(name)
        return getattr(self._targets, name)


async def soaked(target, since):
    return Probed()


async def post(notices):
    pass


async def ended(task):
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(holds, what):
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited in vain until {what}") from None


@pytest.fixture
async def place(tmp_path):
    """Two verified releases, one who leads and one who does not."""
    async with AsyncExitStack() as stack:
        targets, forge = FakeTargets(now), FakeForge(now)
        pair = []
        for leads in (True, False):
            history = await open_history(sqlite_url(tmp_path / "history.sqlite3"))
            stack.push_async_callback(history.close)
            pair.append(Replica(targets, forge, history, leads=leads))
        lives = [await stack.enter_async_context(AsyncExitStack()) for _ in pair]
        for number, change in ((1, "one"), (2, "two")):
            forge.push_main("shop", {".preview.yaml": SPEC, "change": change})
            if number == 1:
                for replica, life in zip(pair, lives, strict=True):
                    await life.enter_async_context(replica.at_work())
            pair[0].loop.bell.ring()
            await until(lambda number=number: verified(targets, number), f"#{number} is verified")
        yield targets, *pair, lives[0]


def verified(targets, number):
    site = targets.ground.sites.get(NAME)
    live = site.record.running if site else None
    return live is not None and (live.number, live.verdict) == (number, Verdict.VERIFIED)


def restored(targets):
    back = targets.ground.sites[NAME].record.rollback
    return back.restored if back else None


async def ask_for_a_rollback(replica):
    return (await replica.desk.ask(Ask(NAME, Verb.ROLLBACK, "ada", "prices are wrong", key="k1"))).taken


async def rollbacks(replica):
    events = await replica.history.journal.target_timeline(NAME)
    return [event.release for event in events if event.kind == "rollback"]


async def test_a_rollback_asked_of_the_one_that_does_not_lead_is_done_by_the_other(place):
    targets, first, second, _ = place
    assert await ask_for_a_rollback(second) is Taken.ACCEPTED
    await until(lambda: restored(targets), "it is rolled back")

    assert targets.applied == [1, 2, 1]
    assert second.did == []
    assert await ask_for_a_rollback(first) is Taken.ACCEPTED
    assert await rollbacks(second) == [2]


async def test_who_leads_next_ends_a_rollback_that_was_begun_and_begins_none(place):
    targets, first, second, life = place
    targets.ground.checks_take = timedelta(hours=1)
    await ask_for_a_rollback(second)
    await until(lambda: first.did[-2:] == ["save", "run_checks"] and targets.applied[-1] == 1, "it is checked")
    await life.aclose()
    assert restored(targets) is None
    targets.ground.checks_take = timedelta(0)
    second.lead()
    await until(lambda: restored(targets), "the other ends it")

    assert targets.applied == [1, 2, 1]
    assert second.did == ["save"]
    assert await rollbacks(second) == [2]
