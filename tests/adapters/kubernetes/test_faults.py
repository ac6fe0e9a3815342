"""The platform while the cluster does what clusters do: nothing is lost, doubled, or deleted that should not be."""

import asyncio
import contextlib
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from controller.adapters.kubernetes import cache, cell, keeper, view, work
from controller.adapters.kubernetes.names import RECORD
from controller.common.nouns import Phase, PreviewKey
from controller.errors import Refused, Unavailable
from controller.previews.model import Rules
from controller.previews.reconcile import Reconciler, Setting
from controller.settings import Allowed
from tests.adapters.kubernetes import programs
from tests.adapters.kubernetes.stories import answered, the_story
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.contracts.platform import KEY, eventually, settled, until
from tests.fakes.cluster.problems import ApiError
from tests.fakes.forge import FakeForge
from tests.fakes.history import FakeHistory
from tests.previews.test_reconcile import Counts

pytestmark = pytest.mark.processes

OUT_OF_TOUCH = 0.4
PATIENCE = timedelta(seconds=0.2)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    """Five minutes are a second here: so much shorter are all times that matter."""
    monkeypatch.setattr(work, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(work, "GIVE_WAY", 0.3)
    monkeypatch.setattr(work, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(keeper, "TICK", 0.2)
    monkeypatch.setattr(cell, "LOOK_AGAIN", 0.2)
    monkeypatch.setattr(cache, "_OUT_OF_TOUCH_SECONDS", OUT_OF_TOUCH)
    monkeypatch.setattr(cache, "Backoff", lambda first, longest: _Backoff(min(first, 0.02), min(longest, 0.1)))


_Backoff = cache.Backoff


class HastyWorld(KubernetesWorld):
    async def open(self):
        await super().open()
        self._api.wire.patience = PATIENCE


class ForcingWorld(HastyWorld):
    def kubernetes(self, **more):
        return super().kubernetes(force_conflicts=True, **more)


@pytest.fixture
async def world(tmp_path):
    async with HastyWorld(tmp_path) as world:
        yield world


async def out_of_touch(world):
    async with asyncio.timeout(30):
        with contextlib.suppress(Unavailable):
            while True:
                await world.platform.previews()
                await asyncio.sleep(0.02)


async def in_touch(world):
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Unavailable):
                return await world.platform.previews()
            await asyncio.sleep(0.02)


async def back_after_an_outage(world):
    await out_of_touch(world)
    world.cluster.faults.down = False
    return await in_touch(world)


def deploys(world):
    """How often the Deployment was given another template."""
    return world.cluster.get("Deployment", "web", world.namespace())["metadata"]["generation"]


# The API server is gone


async def test_an_outage_of_an_idle_preview_changes_nothing_and_no_old_answer_is_given(world):
    order = world.push()
    await world.platform.deploy(order)
    before, generation = await settled(world.platform, Phase.READY), deploys(world)
    world.cluster.faults.down = True
    await out_of_touch(world)
    for question in (
        world.platform.previews(),
        world.platform.preview(KEY),
        world.platform.preview(PreviewKey("a", 1)),
    ):
        with pytest.raises(Unavailable, match="nothing was heard"):
            await question
    world.cluster.faults.down = False
    assert await in_touch(world) == (before,)
    assert deploys(world) == generation
    assert await world.ask(order.host) == "one seeded,migrated"


async def test_while_it_is_gone_the_gateway_goes_on_from_memory(world):
    order = world.push()
    await world.platform.deploy(order)
    await settled(world.platform, Phase.READY)
    before = world.platform.route(order.host)
    world.cluster.faults.down = True
    await out_of_touch(world)
    assert world.platform.route(order.host) == before
    now = datetime.now(UTC)
    await world.platform.visited(KEY, now)
    async with asyncio.timeout(10):
        assert [line async for line in world.platform.logs(KEY, "web", 10, follow=False)] == []
    world.cluster.faults.down = False
    assert [preview.last_visit for preview in await in_touch(world)] == [now]


async def test_an_outage_in_a_deploy_is_waited_out(world):
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(run):
        began.set()
        await go_on.wait()
        return await programs.command(run)

    world.cluster.programs.add(slowly, command="migrate*")
    order = world.push()
    await world.platform.deploy(order)
    await began.wait()
    world.cluster.faults.down = True
    await out_of_touch(world)
    go_on.set()
    world.cluster.faults.down = False
    await in_touch(world)
    await settled(world.platform, Phase.READY)
    assert await world.ask(order.host) == "one seeded,migrated"
    assert deploys(world) == 1


async def test_an_outage_in_a_removal_is_waited_out(world):
    await world.platform.deploy(world.push())
    uid = (await settled(world.platform, Phase.READY)).uid
    world.databases.down = True
    await world.platform.remove(KEY, uid)
    await settled(world.platform, Phase.TERMINATING)
    world.cluster.faults.down = True
    world.databases.down = False
    await back_after_an_outage(world)
    await until(world.platform, lambda preview: preview is None)
    assert world.leftovers(KEY.number) == []


@pytest.mark.parametrize("asked", ["deploy", "sleep", "remove"])
async def test_what_is_asked_during_an_outage_is_told_to_be_impossible_and_undoes_nothing(world, asked):
    order, other = world.push(), world.push(version="two", order=2)
    await world.platform.deploy(order)
    before = await settled(world.platform, Phase.READY)
    world.cluster.faults.down = True
    asking = {
        "deploy": lambda: world.platform.deploy(other),
        "sleep": lambda: world.platform.sleep(KEY, before.uid, 5),
        "remove": lambda: world.platform.remove(KEY, before.uid),
    }
    with pytest.raises(Unavailable):
        await asking[asked]()
    assert await back_after_an_outage(world) == (before,)


async def test_a_deploy_under_way_goes_on_though_another_could_not_be_ordered(world):
    slow, good = world.push("slow"), world.push(version="two", order=2)
    await world.platform.deploy(slow)
    await until(world.platform, lambda preview: bool(preview and preview.steps))
    world.cluster.faults.down = True
    with pytest.raises(Unavailable):
        await world.platform.deploy(good)
    await back_after_an_outage(world)
    await eventually(lambda: world.cluster.get("Deployment", "web", world.namespace()) is not None)
    await world.platform.deploy(good)
    await settled(world.platform, Phase.READY, good.revision)


SPEC = """
services: {web: {image: "registry.test/shop:1", command: [serve, good, one], port: 8000, health: /}}
"""


async def test_rounds_during_an_outage_remove_and_redeploy_nothing(world):
    forge, history = FakeForge(), FakeHistory()
    setting = Setting(Rules(), Allowed(), "http://localhost:8080", timedelta(seconds=10), world.policy.kubernetes)
    meter = Counts()
    controller = Reconciler(forge, world.platform, history, setting, meter, lambda: datetime.now(UTC))
    files = {".preview.yaml": SPEC}
    revision = world.commit(files)
    keys = [forge.open("shop", files=files, branch=f"branch-{number}") for number in range(3)]
    for key in keys:
        forge._files["shop", revision] = {".preview.yaml": SPEC.encode()}
        forge.edit(key, head=revision)

    async def rounds_until(done):
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(Unavailable):
                    await controller.round()
                    if done(await world.platform.previews()):
                        return
                await asyncio.sleep(0.02)

    await rounds_until(lambda found: [one.phase for one in found] == [Phase.READY] * 3)
    before = {one.key: (one.uid, one.deploy_order) for one in await world.platform.previews()}
    world.cluster.faults.down = True
    await out_of_touch(world)
    forge.close(keys[0])
    for _ in range(3):
        with pytest.raises(Unavailable):
            await controller.round()
    world.cluster.faults.down = False
    await rounds_until(lambda found: len(found) == 2)
    after = {one.key: (one.uid, one.deploy_order) for one in await world.platform.previews()}
    assert after == {key: before[key] for key in keys[1:]}
    await controller.close()


# The API server is bad


BAD = {
    "watches are cut": lambda faults: faults.cut_at_random(0.3, seed=7),
    "lists are slow": lambda faults: faults.slow(0.1, verb="list"),
    "every answer is slow": lambda faults: faults.slow(0.01),
}


@pytest.mark.parametrize("trouble", BAD)
@pytest.mark.parametrize("isolation", ["server", "namespace"])
async def test_a_story_ends_as_ever_when(tmp_path, isolation, trouble):
    async with HastyWorld(tmp_path, isolation) as world:
        BAD[trouble](world.cluster.faults)
        await the_story(world)


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "patch", "delete"])
@pytest.mark.parametrize("trouble", ["500", "429", "lost"])
async def test_a_story_ends_as_ever_when_every_third_request_fails(tmp_path, verb, trouble):
    async with HastyWorld(tmp_path) as world:
        _every_third(world.cluster.faults, verb, trouble)
        await the_story(world)


def _every_third(faults, verb, trouble):
    counted, lost = itertools.count(1), faults.loses

    async def before(asked, resource):
        if asked == verb and trouble != "lost" and not next(counted) % 3:
            raise ApiError(int(trouble), "it was made to fail", retry_after=0 if trouble == "429" else None)

    def loses(asked, resource):
        return lost(asked, resource) or (asked == verb and trouble == "lost" and not next(counted) % 3)

    faults.before, faults.loses = before, loses


async def test_a_story_ends_as_ever_when_history_is_compacted_all_the_time(world):
    def compact():
        world.cluster.compact()
        world.cluster.faults.cut_watches()

    async with often(compact):
        await the_story(world)


@contextlib.asynccontextmanager
async def often(do):
    async def keep():
        while True:
            do()
            await asyncio.sleep(0.05)

    keeping = asyncio.create_task(keep())
    yield
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_checks_that_end_while_nothing_is_heard_of_pods_still_tell_what_they_found(world):
    await world.platform.deploy(order := world.push())
    preview = await settled(world.platform, Phase.READY)
    world.cluster.faults.fail(503, times=None, verb="watch", resource="pods")
    world.cluster.faults.fail(503, times=20, verb="list", resource="pods")
    world.cluster.faults.cut_watches()
    await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 3)
    await eventually(lambda: any(job.get("status", {}).get("succeeded") for job in _checks(world)))
    await asyncio.sleep(0.1)
    world.cluster.faults.clear()
    checked = await until(world.platform, lambda now: bool(now and now.jobs and now.jobs[-1].run))
    assert [str(job.run.outcome) for job in checked.jobs] == ["passed"]


def _checks(world):
    jobs = world.cluster.all("Job", world.namespace())
    return [job for job in jobs if job["metadata"]["labels"].get("mayfly.dev/task") == "check"]


# Somebody else has a hand in it


async def test_a_namespace_deleted_by_somebody_else_is_gone_and_made_anew_by_the_next_order(world):
    order = world.push()
    await world.platform.deploy(order)
    before = await settled(world.platform, Phase.READY)
    world.cluster.delete("Namespace", world.namespace())
    await until(world.platform, lambda preview: preview is None)
    await eventually(lambda: not world.databases.folder(world.namespace().removeprefix("preview-")).exists())
    await world.platform.deploy(order)
    assert (await settled(world.platform, Phase.READY)).uid != before.uid
    assert await world.ask(order.host) == "one seeded,migrated"


def _spoil(world):
    namespace = world.cluster.get("Namespace", world.namespace())
    world.cluster.change(namespace, metadata={"annotations": namespace["metadata"]["annotations"] | {RECORD: "{no"}})


async def test_a_record_that_was_edited_to_nonsense_is_written_again(world):
    await world.platform.deploy(world.push())
    before = await settled(world.platform, Phase.READY)
    written = world.cluster.get("Namespace", world.namespace())["metadata"]["annotations"][RECORD]
    _spoil(world)

    def healed():
        return world.cluster.get("Namespace", world.namespace())["metadata"]["annotations"][RECORD] == written

    await eventually(healed)
    assert await world.platform.preview(KEY) == before


async def test_a_record_that_became_nonsense_while_nobody_looked_is_begun_anew_and_leaves_nothing(world):
    order = world.push()
    await world.platform.deploy(order)
    uid = (await settled(world.platform, Phase.READY)).uid
    await world.close()
    _spoil(world)
    await world.open()
    assert await world.platform.previews() == ()
    await world.platform.deploy(order)
    assert (await settled(world.platform, Phase.READY)).uid == uid
    assert await world.ask(order.host) == "one seeded,migrated"
    await world.platform.remove(KEY, uid)
    await until(world.platform, lambda preview: preview is None)
    assert world.leftovers(KEY.number) == []


async def test_a_namespace_whose_labels_were_taken_off_is_not_taken_over_and_its_database_stays(world):
    order = world.push()
    await world.platform.deploy(order)
    before = await settled(world.platform, Phase.READY)
    namespace = world.cluster.get("Namespace", world.namespace())
    world.cluster.change(namespace, metadata={"labels": {}})
    await until(world.platform, lambda preview: preview is None)
    with pytest.raises(Refused, match=f"there is a namespace {world.namespace()} that is not ours"):
        await world.platform.deploy(order)
    world.cluster.change(namespace, metadata={"labels": namespace["metadata"]["labels"]})
    await settled(world.platform, Phase.READY)
    assert (await world.platform.preview(KEY)).uid == before.uid
    assert await answered(world, order.host) == "one seeded,migrated"


def _take_the_image(world):
    """As `kubectl set image` does, with the same field manager."""
    live = world.cluster.get("Deployment", "web", world.namespace())
    spec = live["spec"] | {"template": {**live["spec"]["template"]}}
    [container] = spec["template"]["spec"]["containers"]
    spec["template"]["spec"] = spec["template"]["spec"] | {
        "containers": [container | {"image": "registry.test/other:1"}]
    }
    world.cluster.change(live, spec=spec)


async def test_a_field_that_another_manager_owns_is_reported_and_not_taken(world):
    await world.platform.deploy(world.push())
    await settled(world.platform, Phase.READY)
    _take_the_image(world)
    await world.platform.deploy(world.push(version="two", order=2))
    reason = (await settled(world.platform, Phase.FAILED)).reason
    assert "another manager owns fields that we would change" in reason
    assert 'conflict with "' in reason
    live = world.cluster.get("Deployment", "web", world.namespace())
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.test/other:1"


async def test_a_field_that_another_manager_owns_is_taken_where_the_policy_says_so(tmp_path):
    async with ForcingWorld(tmp_path) as world:
        await world.platform.deploy(world.push())
        await settled(world.platform, Phase.READY)
        _take_the_image(world)
        order = world.push(version="two", order=2)
        await world.platform.deploy(order)
        await settled(world.platform, Phase.READY, order.revision)
        assert await world.ask(order.host) == "two seeded,migrated"


async def test_a_push_to_a_sleeping_preview_starts_it(world):
    await world.platform.deploy(world.push())
    uid = (await settled(world.platform, Phase.READY)).uid
    await world.platform.sleep(KEY, uid, 5)
    await settled(world.platform, Phase.SLEEPING)
    order = world.push(version="two", order=6)
    await world.platform.deploy(order)
    await settled(world.platform, Phase.READY, order.revision)
    assert await world.ask(order.host) == "two seeded,migrated"


async def test_a_namespace_stuck_in_terminating_is_explained_and_never_forced(world, monkeypatch):
    monkeypatch.setattr(view, "PATIENCE", timedelta())
    order = world.push()
    await world.platform.deploy(order)
    uid = (await settled(world.platform, Phase.READY)).uid
    settings = {"name": "stuck", "namespace": world.namespace(), "finalizers": ["example.org/hold"]}
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings}
    world.cluster.create(held)
    await world.platform.remove(KEY, uid)
    stuck = await until(world.platform, lambda now: bool(now and "example.org/hold" in now.reason))
    assert (stuck.phase, stuck.uid) == (Phase.TERMINATING, uid)
    with pytest.raises(Unavailable, match="the old preview is being removed"):
        await world.platform.deploy(order)
    assert world.cluster.get("ConfigMap", "stuck", world.namespace())["metadata"]["finalizers"] == ["example.org/hold"]
    world.cluster.change(held, metadata={"finalizers": []})
    await until(world.platform, lambda preview: preview is None)
    assert world.leftovers(KEY.number) == []


# One of many, and the server of all


async def test_one_that_hangs_does_not_hold_up_thirty_others(world):
    image = "registry.test/never:1"
    world.cluster.miss_image(image)
    orders = [world.push(number=number) for number in range(1, 31)]
    spec = {"services": {"web": {"image": image, "command": ["serve", "good", "x"], "port": 8000}}}
    hanging = world.order(orders[0].revision, spec, number=99)
    await world.platform.deploy(hanging)
    await asyncio.gather(*(world.platform.deploy(order) for order in orders))
    await asyncio.gather(*(settled(world.platform, Phase.READY, key=order.key) for order in orders))
    assert (await world.platform.preview(hanging.key)).phase is not Phase.READY
    assert Counter(await world.databases.names()).total() == 30


async def test_while_the_database_server_is_down_a_removed_preview_only_stops(world):
    order = world.push()
    await world.platform.deploy(order)
    uid = (await settled(world.platform, Phase.READY)).uid
    world.databases.down = True
    await world.platform.remove(KEY, uid)

    def stopped():
        return world.cluster.get("Deployment", "web", world.namespace())["spec"]["replicas"] == 0

    await eventually(stopped)
    assert world.namespace() in world.cluster.namespaces()
    waiting = await settled(world.platform, Phase.TERMINATING)
    assert "PostgreSQL does not answer" in waiting.reason
    assert world.platform.route(order.host) is None
    world.databases.down = False
    await until(world.platform, lambda preview: preview is None)
    assert world.leftovers(KEY.number) == []
