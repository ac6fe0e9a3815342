"""Services of a preview on a cluster: in which order they start, what is said while they do not work, and after."""

import asyncio
from datetime import timedelta

import pytest

from controller.adapters.kubernetes import events, troubles
from controller.common.nouns import Phase, ServiceState, StepState
from controller.settings import Quota
from tests.adapters.kubernetes.shop import a_service, a_spec, deploy, deployed, the, with_policy
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.contracts.platform import KEY, eventually, settled, until
from tests.fakes.cluster.furnish import Missing

pytestmark = pytest.mark.processes


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(events, "EVERY", 0.05)


@pytest.fixture
async def world(tmp_path):
    async with KubernetesWorld(tmp_path) as world:
        yield world


class Switch:
    """A program that works, or crashes, as it is told."""

    def __init__(self, world):
        self.broken = asyncio.Event()
        world.cluster.programs.add(self.run, command="switch*")

    async def run(self, run):
        run.print("listening")
        if not self.broken.is_set():
            serving = asyncio.create_task(run.serve(lambda _path: (200, "ok")))
            try:
                await self.broken.wait()
            finally:
                serving.cancel()
        run.print("Segmentation fault")
        return 7


async def told(world, words):
    """Once it gives these words as the reason for what it waits for."""
    return await until(world.platform, lambda now: bool(now and words in now.reason))


def of(preview, name="web"):
    return next(service for service in preview.services if service.name == name)


class TestOrder:
    async def test_a_service_starts_once_those_it_needs_work(self, world):
        go = asyncio.Event()

        async def api(run):
            await go.wait()
            await run.serve(lambda _path: (200, "api"))

        world.cluster.programs.add(api, command="api")
        services = {"web": a_service(depends_on=["api"]), "api": a_service("api")}
        await deploy(world, a_spec(services=services))
        await eventually(lambda: bool(world.cluster.all("Pod", world.namespace())))
        await world.cluster.settled()
        assert the(world, "Deployment", "web") is None
        go.set()
        preview = await settled(world.platform, Phase.READY)
        assert [step.name for step in preview.steps if step.name.startswith("start")] == ["start api", "start web"]

    async def test_what_depends_on_one_that_fails_never_starts(self, world):
        services = {"web": a_service(depends_on=["api"]), "api": a_service(story="crashing")}
        await deploy(world, a_spec(services=services))
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason == "start api: it exited with status 3"
        assert the(world, "Deployment", "web") is None
        assert (of(preview, "api").state, of(preview, "web").state) == (ServiceState.CRASHED, ServiceState.STOPPED)

    async def test_two_services_find_each_other_by_their_urls(self, world):
        async def asking(run):
            host, _, port = run.env["API_URL"].removeprefix("http://").partition(":")
            await run.serve(lambda path: (200, f"web and {run.reach(host, int(port))(path)[1]}"))

        world.cluster.programs.add(asking, command="asking")
        services = {
            "web": a_service("asking", depends_on=["api"]),
            "api": a_service(version="the api", port=9000),
        }
        order, _ = await deployed(world, a_spec(services=services))
        assert await world.ask(order.host) == "web and the api"
        assert await world.ask(f"{order.host}--api") == "the api"


class TestCrashes:
    async def test_one_that_keeps_crashing_after_it_was_ready_has_failed_and_says_how(self, world):
        switch = Switch(world)
        await deployed(world, a_spec(a_service("switch")))
        switch.broken.set()
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason == "web keeps crashing: it exited with status 7"
        assert "Segmentation fault" in preview.logs
        assert (of(preview).state, of(preview).restarts > 0) == (ServiceState.CRASHED, True)

    async def test_it_is_ready_again_when_it_works_again(self, world):
        switch = Switch(world)
        order, _ = await deployed(world, a_spec(a_service("switch")))
        switch.broken.set()
        await settled(world.platform, Phase.FAILED)
        switch.broken.clear()
        preview = await settled(world.platform, Phase.READY)
        assert (preview.reason, preview.logs, of(preview).state) == ("", "", ServiceState.HEALTHY)
        assert await world.ask(order.host) == "ok"

    async def test_it_is_found_failed_and_found_again_ready_by_another_controller(self, world):
        switch = Switch(world)
        await deployed(world, a_spec(a_service("switch")))
        await world.close()
        switch.broken.set()
        await eventually(lambda: "CrashLoopBackOff" in str(world.cluster.all("Pod", world.namespace())))
        await world.open()
        await settled(world.platform, Phase.FAILED)
        await world.close()
        switch.broken.clear()
        await eventually(lambda: the(world, "Deployment", "web")["status"].get("availableReplicas") == 1)
        await world.open()
        await settled(world.platform, Phase.READY)

    async def test_a_push_takes_the_place_of_one_that_crashed(self, world):
        switch = Switch(world)
        await deployed(world, a_spec(a_service("switch")))
        switch.broken.set()
        await settled(world.platform, Phase.FAILED)
        order, _ = await deployed(world, a_spec(a_service(version="two")))
        assert await world.ask(order.host) == "two"

    async def test_restarts_are_counted_while_it_works(self, world):
        again = asyncio.Event()

        async def once(run):
            if again.is_set():
                await run.serve(lambda _path: (200, "ok"))
            serving = asyncio.create_task(run.serve(lambda _path: (200, "ok")))
            await again.wait()
            serving.cancel()
            return 1

        world.cluster.programs.add(once, command="once")
        await deployed(world, a_spec(a_service("once")))
        again.set()
        await until(world.platform, lambda now: of(now).restarts == 1 and of(now).state is ServiceState.HEALTHY)
        assert (await settled(world.platform, Phase.READY)).reason == ""


class TestWhatPasses:
    """Shown while it lasts, and fatal to nobody: it may get better by itself."""

    async def test_an_image_that_is_not_there_is_named_and_pulled_once_it_is(self, world):
        world.cluster.miss_image("registry.test/shop:1")
        await deploy(world, a_spec())
        preview = await told(world, "ImagePullBackOff: registry.test/shop:1 not found")
        assert preview.phase is Phase.STARTING
        assert (of(preview).state, of(preview).reason) == (
            ServiceState.STARTING,
            "ImagePullBackOff: registry.test/shop:1 not found",
        )
        world.cluster.push_image("registry.test/shop:1")
        assert (await settled(world.platform, Phase.READY)).reason == ""

    async def test_a_pod_that_no_node_takes_says_what_there_is_too_little_of(self, world):
        world.cluster.no_room("0/3 nodes are available: 3 Insufficient memory.")
        await deploy(world, a_spec())
        await told(world, "start web: no node has room: 0/3 nodes are available: 3 Insufficient memory")
        world.cluster.no_room("")
        await settled(world.platform, Phase.READY)

    async def test_what_only_an_event_tells_is_shown(self, world):
        world.cluster.kubelet.pull = _cannot_mount
        await deploy(world, a_spec())
        preview = await told(world, "start web: it is not started yet: MountVolume.SetUp failed for volume")
        assert preview.phase is Phase.STARTING

    async def test_one_that_runs_and_does_not_answer_says_where_it_is_asked(self, world):
        async def grumpy(run):
            await run.serve(lambda _path: (503, "not now"))

        world.cluster.programs.add(grumpy, command="grumpy")
        await deploy(world, a_spec(a_service("grumpy", health="/up")))
        await told(world, "start web: it runs, but /up on port 8000 does not answer with less than 400 yet")


def _cannot_mount(_image):
    """As a kubelet waits for a volume: its pod says nothing of it."""
    raise Missing("ContainerCreating", 'MountVolume.SetUp failed for volume "x": configmap "x" not found')


class TestWhatDoesNotPass:
    async def test_more_than_the_quota_allows_says_how_much(self, world, monkeypatch):
        monkeypatch.setattr(troubles, "MAKING_ROOM", timedelta())
        await with_policy(world, quota=Quota(memory=256 * 2**20))
        await deploy(world, a_spec(a_service(resources={"memory": "512Mi"})))
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason.startswith("start web: the preview's quota is used up: it needs 512Mi of memory")


class TestGivingUp:
    async def test_the_last_lines_and_what_it_waited_for_are_kept(self, world):
        async def slow(run):
            run.print("waiting for the moon")
            await run.serve(lambda _path: (503, "not now"))

        world.cluster.programs.add(slow, command="slow")
        order = await deploy(world, a_spec(a_service("slow")))
        preview = await told(world, "does not answer with less than 400 yet")
        await world.platform.give_up(KEY, preview.uid, order.revision, "it was not ready within 15 min")
        failed = await settled(world.platform, Phase.FAILED)
        assert failed.reason == "it was not ready within 15 min"
        assert failed.logs == "waiting for the moon\n"
        assert of(failed).reason == "it runs, but / on port 8000 does not answer with less than 400 yet"
        await eventually(lambda: not world.cluster.all("Pod", world.namespace()))
        assert (await settled(world.platform, Phase.FAILED)).logs == failed.logs

    async def test_it_is_not_tried_again_until_a_push(self, world):
        order = await deploy(world, a_spec(a_service(story="slow")))
        await eventually(lambda: the(world, "Deployment", "web") is not None)
        preview = await settled(world.platform, Phase.STARTING)
        await world.platform.give_up(KEY, preview.uid, order.revision, "enough")
        await settled(world.platform, Phase.FAILED)
        await world.reopen()
        assert (await settled(world.platform, Phase.FAILED)).reason == "enough"
        await eventually(lambda: the(world, "Deployment", "web")["spec"]["replicas"] == 0)
        await deployed(world, a_spec())

    async def test_a_push_that_comes_while_it_stops_is_deployed_at_once(self, world):
        await deploy(world, a_spec(a_service(story="crashing")))
        await settled(world.platform, Phase.FAILED)
        world.cluster.faults.slow(0.3, "patch", "namespaces")
        async with asyncio.timeout(15):
            await deployed(world, a_spec())

    async def test_the_step_that_was_under_way_does_not_go_on(self, world):
        order = await deploy(world, a_spec(a_service(story="slow")))
        preview = await until(world.platform, lambda now: bool(now and now.steps and now.steps[-1].name == "start web"))
        await world.platform.give_up(KEY, preview.uid, order.revision, "enough")
        failed = await settled(world.platform, Phase.FAILED)
        assert [step.state for step in failed.steps if step.name == "start web"] == [StepState.FAILED]
