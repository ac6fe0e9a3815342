"""`mayfly serve` is killed again and again while a bad merge is deployed and rolled back: all is done, once."""

import time

import pytest

from controller.adapters.local.main import kept
from tests.scenarios.listeners import Receiver
from tests.scenarios.main_world import FILES, TARGET, MainWorld, spec
from tests.scenarios.world import PATIENCE

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(300), pytest.mark.xdist_group("killed")]
LATER = 0.03
"""Seconds that a controller lives on once it wrote something about the target, if it takes no step meanwhile; twice
as long as the one before, where that came no further."""
KILLS = 20


@pytest.fixture
def ops():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def world(tmp_path, ops):
    world = MainWorld(tmp_path, routes=[{"name": "ops", "url": ops.url, "severities": ["page"]}])
    world.start()
    yield world
    world.kill()
    await world.clean()


async def test_killed_all_through_a_deploy_and_its_rollback_it_does_each_thing_once(world, ops):
    good = world.merge("good", FILES | {".preview.yaml": spec()})
    world.until("verified", 1, good)
    bad = world.merge("bad", {".preview.yaml": spec(works=False, colour="red")})
    deaths = killed_until_it_is_over(world)
    world.until("restored", 1, good)

    assert len(deaths) >= 5
    assert {"testing", "restoring"} <= set(deaths), deaths
    assert (world.shop()["revision"], world.shop()["colour"]) == (good, "blue")
    assert world.events("rollback") == [("rollback", 2)]
    assert [one["number"] for one in world.releases()] == [2, 1]
    rejected_at = kept_of(world).record.rollback.at.timestamp()
    assert [at for revision, at in world.starts() if revision == bad and at > rejected_at] == []

    world.wait(lambda: len(ops.titles("page")) == 2, "both to be told")
    assert ops.titles("page") == [
        f"{TARGET}: #2 ({bad[:7]}) was rolled back to #1 ({good[:7]})",
        f"{TARGET}: #1 ({good[:7]}) is restored",
    ]
    world.wait(lambda: parts(world) == {(TARGET, "1", "services", "web")}, "all else to have ended")
    assert sorted(path.name for path in (world.home.targets / TARGET / "releases").iterdir()) == ["1", "2"]


def killed_until_it_is_over(world):
    """What was under way at each death."""
    deaths, in_vain, before = [], 0, kept_of(world)
    for kill in range(KILLS):
        if kill:
            world.launch()
            until_written(world, before)
        live_on(world, before.version, LATER * 2**in_vain)
        world.kill()
        if (doing := under_way(world)) == "over":
            break
        deaths.append(doing)
        after = kept_of(world)
        in_vain = in_vain + 1 if progress(after) == progress(before) else 0
        before = after
    world.start()
    return deaths


def until_written(world, before):
    deadline = time.monotonic() + PATIENCE
    while kept_of(world) == before:
        assert time.monotonic() < deadline, f"nothing is done\n{world.log()[-3000:]}"
        time.sleep(0.005)


def live_on(world, version, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until and kept_of(world).version == version:
        time.sleep(0.005)


def progress(found):
    return found.version, found.rollout, [job.run is None for job in found.jobs]


def under_way(world):
    record = kept_of(world).record
    if record.rollback is not None:
        return "restoring" if record.rollback.restored is None else "over"
    return "testing" if record.live == 2 else "making"


def kept_of(world):
    return kept.read(world.home.targets / TARGET)


def parts(world):
    """What runs: target, release, kind and name."""
    return {tuple(mark.split("/")[1:5]) for mark in world.marks().values()}
