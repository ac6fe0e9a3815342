"""Two controllers that both believe to lead: one of them was stopped like a process, and wakes when another leads."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from controller.adapters.kubernetes import keeper, work
from controller.common.nouns import Phase
from tests.adapters.kubernetes.mortal import Life, MortalWorld, end
from tests.contracts.platform import KEY, settled, until

pytestmark = pytest.mark.processes


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    monkeypatch.setattr(work, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(work, "GIVE_WAY", 0.3)
    monkeypatch.setattr(work, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(keeper, "GIVE_WAY", 0.3)
    monkeypatch.setattr(keeper, "TICK", 0.1)


@pytest.fixture
async def world(tmp_path):
    async with MortalWorld(tmp_path) as world:
        yield world


@asynccontextmanager
async def another(world):
    """Leads as well; the world's own is the older one."""
    newer, api = await world.another(Life())
    yield newer
    await end(newer)
    await api.close()


async def stopped_at(world, words):
    """Returns once the older one is about to make a request with these words in it."""
    world.life.held = lambda what: words in what
    async with asyncio.timeout(30):
        await world.life.holds.wait()


def replicas(world):
    return world.cluster.get("Deployment", "web", world.namespace())["spec"]["replicas"]


def revision_deployed(world):
    [container] = world.cluster.get("Deployment", "web", world.namespace())["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value") for one in container["env"]}["MAYFLY_SHA"]


@pytest.mark.parametrize("moment", ["PATCH Deployment web", "PATCH Namespace", "clone", "finish_template", "POST Job"])
async def test_an_older_leader_that_wakes_in_a_deploy_does_not_undo_the_newer_revision(world, moment):
    first, second = world.push(version="one"), world.push(version="two", order=2)
    stopping = asyncio.create_task(stopped_at(world, moment))
    await asyncio.sleep(0)
    await world.platform.deploy(first)
    await stopping
    async with another(world) as newer:
        await newer.deploy(second)
        await settled(newer, Phase.READY, second.revision)
        world.life.release()
        await until(world.platform, lambda now: now is not None and now.revision == second.revision)
        for each in (newer, world.platform):
            await settled(each, Phase.READY, second.revision)
        await quiet(world)
        assert revision_deployed(world) == second.revision
        assert await world.ask(second.host) == "two seeded,migrated"


async def quiet(world):
    """Nobody writes any more."""
    written, before = -1, -2
    while written != before:
        before = written
        await asyncio.sleep(0.3)
        written = sum(count for (verb, _), count in world.cluster.requests.items() if verb in {"create", "patch"})


async def test_an_older_leader_that_was_about_to_put_it_to_sleep_leaves_it_awake(world):
    order = world.push()
    await world.platform.deploy(order)
    uid = (await settled(world.platform, Phase.READY)).uid
    stopping = asyncio.create_task(stopped_at(world, "PATCH Deployment web"))
    await asyncio.sleep(0)
    await world.platform.sleep(KEY, uid, 5)
    await stopping
    async with another(world) as newer:
        await settled(newer, Phase.SLEEPING)
        await newer.wake(KEY, uid, 6)
        await settled(newer, Phase.READY)
        world.life.release()
        await quiet(world)
        for each in (newer, world.platform):
            assert (await settled(each, Phase.READY)).rest_order == 6
        assert replicas(world) == 1
        assert await world.ask(order.host) == "one seeded,migrated"


@pytest.mark.parametrize("moment", ["drop", "DELETE Namespace"])
async def test_an_older_leader_that_was_about_to_remove_it_spares_the_one_made_anew(world, moment):
    order = world.push()
    await world.platform.deploy(order)
    uid = (await settled(world.platform, Phase.READY)).uid
    stopping = asyncio.create_task(stopped_at(world, moment))
    await asyncio.sleep(0)
    await world.platform.remove(KEY, uid)
    await stopping
    async with another(world) as newer:
        await until(newer, lambda now: now is None)
        await newer.deploy(order)
        again = await settled(newer, Phase.READY)
        world.life.release()
        await quiet(world)
        assert (await settled(newer, Phase.READY)).uid == again.uid
        assert await world.ask(order.host) == "one seeded,migrated"


async def test_two_that_act_at_once_make_one_preview(world):
    order = world.push()
    async with another(world) as newer:
        await asyncio.gather(world.platform.deploy(order), newer.deploy(order))
        for each in (newer, world.platform):
            await settled(each, Phase.READY, order.revision)
        await quiet(world)
        assert await world.ask(order.host) == "one seeded,migrated"
        assert world.cluster.namespaces() == ["mayfly", world.namespace()]
        assert sorted(await world.databases.names()) == [world.namespace().removeprefix("preview-")]
