from dataclasses import replace

import pytest

from controller.common.nouns import Phase
from controller.errors import Refused, Unavailable
from tests.contracts.platform import KEY, PlatformContract, World
from tests.fakes.platform import FakePlatform, Killed
from tests.fakes.platform_world import FakeWorld


class TestFakePlatform(PlatformContract):
    @pytest.fixture
    def world(self) -> World:
        return FakeWorld()


async def test_what_is_slow_starts_until_it_is_told_to_finish() -> None:
    platform = FakePlatform()
    platform.slow = True
    await platform.deploy(FakeWorld().push())
    assert platform.alive[KEY].phase is Phase.STARTING
    platform.finish(KEY)
    assert platform.alive[KEY].phase is Phase.READY


async def test_an_order_for_a_fresh_database_keeps_nothing() -> None:
    world = FakeWorld()
    first, second = world.push("keeping"), world.push("keeping", version="two", order=1)
    await world.platform.deploy(first)
    await world.platform.deploy(replace(second, fresh_database=True))
    assert await world.ask(second.host) == "two seeded,migrated"


async def test_checks_wait_for_a_preview_that_is_ready_and_need_a_suite_in_the_spec() -> None:
    platform, order = FakePlatform(), FakeWorld().push()
    platform.slow = True
    await platform.deploy(order)
    uid = platform.alive[KEY].uid
    with pytest.raises(Unavailable, match="starting"):
        await platform.run_checks(KEY, uid, order.revision, "smoke", 0)
    with pytest.raises(Refused, match="e2e"):
        await platform.run_checks(KEY, uid, order.revision, "e2e", 0)
    assert platform.alive[KEY].jobs == ()


async def test_whoever_asks_dies_after_the_action_and_what_it_did_stays() -> None:
    platform = FakePlatform()
    platform.killed_after = 0
    with pytest.raises(Killed):
        await platform.deploy(FakeWorld().push())
    assert platform.alive[KEY].phase is Phase.READY
    await platform.remove(KEY, platform.alive[KEY].uid)
    assert (platform.alive, platform.removed) == ({}, [KEY])


async def test_one_that_is_down_does_nothing_at_all() -> None:
    platform = FakePlatform()
    await platform.deploy(FakeWorld().push())
    before = dict(platform.alive)
    platform.down = True
    with pytest.raises(Unavailable):
        await platform.remove(KEY, before[KEY].uid)
    with pytest.raises(Unavailable):
        await platform.previews()
    assert platform.alive == before
