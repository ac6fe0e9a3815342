"""Killed after any number of writes and begun again, a deploy and its rollback end where they would have ended."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.main.targets import KubernetesTargets
from controller.deploys.model import MakingState, Rollback, RolloutState, Verdict
from tests.adapters.kubernetes.mortal import Life, MortalDatabases, MortalWire
from tests.adapters.kubernetes.target_world import TargetWorld
from tests.contracts.targets import TARGET
from tests.sources import from_folder

pytestmark = pytest.mark.processes
SOON = 40.0
EVERY = 7
"""Every so many writes somebody is killed: all of them would take minutes."""


class MortalTargets(TargetWorld):
    """The first controller dies after `most` writes; those that follow live."""

    def __init__(self, root, most):
        super().__init__(root)
        self.life = Life(most)

    async def open(self):
        self._api = api = await connect(self.policy.kubernetes)
        api.wire = MortalWire(api.wire, self.life)
        self.targets = KubernetesTargets(
            api,
            policy=self.policy,
            source=from_folder(self.checkout),
            home=self.home,
            databases=MortalDatabases(self.databases, self.life),
        )
        await self.targets.open()
        await self.targets.lead()

    async def kill(self):
        self.life.over.set()
        await self.close()
        self.life = Life()
        await self.open()


async def one_step(world, first, second):
    """What the room would do next; True once all is done."""
    seen = await world.targets.seen(TARGET)
    record, made = seen.record, {number for number, it in seen.makings.items() if it.state is MakingState.DONE}
    complete = seen.rollout is not None and seen.rollout.state is RolloutState.COMPLETE
    now = datetime.now(UTC)
    if not record.releases:
        after = replace(record, releases=(first,))
    elif not record.live and 1 in made:
        after = replace(record, live=1, live_since=now)
    elif record.live == 1 and complete and len(record.releases) == 1:
        after = replace(record, releases=(replace(first, verdict=Verdict.VERIFIED), second))
    elif record.live == 1 and record.rollback is None and 2 in made:
        after = replace(record, live=2, live_since=now)
    elif record.live == 2 and complete:
        bad = replace(second, verdict=Verdict.REJECTED)
        rollback = Rollback(2, 1, "smoke failed", "mayfly", now, undo=(2,))
        after = replace(record, live=1, releases=(record.releases[0], bad), rollback=rollback)
    else:
        return record.rollback is not None and complete and world.running() == {(1, "web")}
    await world.targets.save(after, seen.version)
    return False


async def told(world, first, second):
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        if world.life.over.is_set():
            await world.kill()
        step = asyncio.create_task(one_step(world, first, second))
        if (await asyncio.gather(step, return_exceptions=True))[0] is True:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"it did not end: {await world.targets.seen(TARGET)}")


async def test_killed_after_any_write_it_ends_where_it_would_have(tmp_path):
    most, alive = 0, True
    while alive:
        most += EVERY
        async with MortalTargets(tmp_path / str(most), most) as world:
            first, second = world.release(1), world.release(2, "undoing", version="two")
            life = world.life
            await told(world, first, second)
            alive = life.over.is_set()
            said = await world.ask()
        assert said == f"one seeded,migrated,migrated,undone-two-{first.revision[:7]}", f"killed after {most} writes"
    assert most > 2 * EVERY, "it is killed at all"
