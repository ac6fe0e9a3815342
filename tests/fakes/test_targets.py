from dataclasses import replace
from datetime import timedelta

import pytest

from controller.common.nouns import ServiceState
from controller.deploys.model import MakingState, RolloutState
from controller.errors import Refused, Unavailable
from smoke.model import Outcome
from tests.contracts.targets import TARGET, TargetsContract, World, deploy, go_live, roll_back, write
from tests.fakes.examples import NOON
from tests.fakes.platform import Killed
from tests.fakes.targets import FakeTargets
from tests.fakes.targets_world import FakeTargetsWorld


class TestFakeTargets(TargetsContract):
    @pytest.fixture
    def world(self) -> World:
        return FakeTargetsWorld()


class Clocked(FakeTargetsWorld):
    """Whose targets look at a clock of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.fake = self.targets = FakeTargets(lambda: self.now, self.ground)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


async def test_making_rolling_out_and_checking_take_as_long_as_was_said() -> None:
    world = Clocked()
    ground = world.ground
    ground.making_takes, ground.rollout_takes, ground.checks_take = (timedelta(seconds=take) for take in (10, 20, 30))
    await write(world, world.release(1), live=1)
    assert (await world.targets.seen(TARGET)).makings[1].state is MakingState.RUNNING
    world.wait(10)
    seen = await world.targets.seen(TARGET)
    assert (seen.makings[1].state, seen.rollout and seen.rollout.state) == (MakingState.DONE, RolloutState.PROGRESSING)
    assert (world.fake.running, seen.services[0].state) == ({}, ServiceState.STARTING)
    world.wait(20)
    assert world.fake.running == {TARGET: 1}
    await world.targets.run_checks(TARGET, 1, 3)
    assert (await world.targets.seen(TARGET)).jobs[0].run is None
    world.wait(30)
    assert (await world.targets.seen(TARGET)).jobs[0].run is not None


async def test_one_that_is_up_is_rolled_back_to_at_once() -> None:
    world = Clocked()
    await deploy(world, world.release(1))
    await deploy(world, world.release(2, version="two"), warm=1)
    world.ground.rollout_takes = timedelta(hours=1)
    await roll_back(world, bad=2, to=1)
    assert (world.fake.running, world.fake.applied) == ({TARGET: 1}, [1, 2, 1])


async def test_what_crashes_later_fails_although_it_was_rolled_out() -> None:
    world = Clocked()
    release = world.release(1)
    await deploy(world, release)
    world.ground.crashing[release.revision] = "out of memory"
    rollout = (await world.targets.seen(TARGET)).rollout
    assert rollout is not None
    assert (rollout.state, rollout.logs) == (RolloutState.FAILED, "out of memory")


async def test_outcomes_come_one_by_one_and_the_last_goes_on() -> None:
    world = Clocked()
    release = world.release(1)
    world.ground.outcomes[release.revision] = [Outcome.FAILED, Outcome.PASSED]
    await deploy(world, release)
    for order in (1, 2, 3):
        await world.targets.run_checks(TARGET, 1, order)
    jobs = (await world.targets.seen(TARGET)).jobs
    assert [job.run and job.run.outcome for job in jobs] == [Outcome.FAILED, Outcome.PASSED, Outcome.PASSED]


async def test_another_tool_follows_a_rollback() -> None:
    world = Clocked()
    first, second = world.release(1), world.release(2, version="two")
    world.ground.deployed[TARGET] = second.revision
    await deploy(world, first)
    await deploy(world, second)
    await roll_back(world, bad=2, to=1)
    assert (await world.targets.seen(TARGET)).deployed == first.revision


async def test_whoever_saves_dies_after_it_and_what_it_asked_for_happens() -> None:
    world = Clocked()
    await write(world, world.release(1))
    world.fake.killed_after = 0
    with pytest.raises(Killed):
        await go_live(world, 1)
    assert world.fake.running == {TARGET: 1}


async def test_one_that_is_down_does_nothing_at_all() -> None:
    world = Clocked()
    await deploy(world, world.release(1))
    seen = await world.targets.seen(TARGET)
    world.fake.down = True
    with pytest.raises(Unavailable):
        await world.targets.seen(TARGET)
    with pytest.raises(Unavailable):
        await world.targets.save(replace(seen.record, live=0), seen.version)
    world.fake.down = False
    assert await world.targets.seen(TARGET) == seen


async def test_nothing_is_known_of_a_target_that_never_was() -> None:
    with pytest.raises(Refused, match="staging"):
        await FakeTargets().run_checks("staging", 1, 1)
