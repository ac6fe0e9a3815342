"""The database of a preview on a cluster: a server of its own, one server for all, or none."""

import asyncio

import pytest

from controller.common.nouns import Phase, PreviewKey, StepState
from tests.adapters.kubernetes.shop import a_service, a_spec, deploy, deployed, names_of, the, with_policy
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.contracts.platform import KEY, eventually, settled, until

pytestmark = pytest.mark.processes

OTHER = PreviewKey("shop", 8)
SEEDED = {"seed": {"command": ["seed"], "inputs": ["seed.txt"]}, "migrate": ["migrate"]}
SEED = {"seed.txt": "rows"}


@pytest.fixture
async def own(tmp_path):
    """Each preview has a PostgreSQL of its own."""
    async with KubernetesWorld(tmp_path, "namespace") as world:
        yield world


@pytest.fixture
async def server(tmp_path):
    """One for all."""
    async with KubernetesWorld(tmp_path, "server") as world:
        yield world


def shop(version="one", **postgres):
    return a_spec(a_service(version=version), postgres=SEEDED | postgres)


def lose_the_server(world):
    [pod] = [name for name in names_of(world, "Pod") if name.startswith("postgres-")]
    world.cluster.delete("Pod", pod, world.namespace())


def pods(world, number=7):
    return {obj["metadata"]["uid"] for obj in world.cluster.all("Pod", world.namespace(number))}


class Gate:
    """A seed that takes until it is told to go on; `begun` counts how often it ran."""

    def __init__(self, world, status=0):
        self.begun, self.go, self.status = 0, asyncio.Event(), status
        world.cluster.programs.add(self.run, command="slow seed*")

    async def run(self, run):
        self.begun += 1
        await self.go.wait()
        return self.status

    @property
    def spec(self):
        return shop(seed={"command": ["slow", "seed"], "inputs": ["seed.txt"]}, migrate=["true"])


async def steps(world, key=KEY):
    preview = await world.platform.preview(key)
    return {step.name: step for step in preview.steps}


class TestNone:
    async def test_a_preview_without_one_has_no_server_and_no_url(self, own):
        await deployed(own, a_spec())
        assert names_of(own, "Deployment") == {"web"}
        assert "DATABASE_URL" not in str(the(own, "Deployment", "web"))

    async def test_one_that_a_later_revision_has_not_is_removed(self, world):
        await deployed(world, shop(), SEED)
        order, preview = await deployed(world, a_spec(a_service(version="two")))
        assert preview.database is None
        assert names_of(world, "Deployment") == {"web"}
        assert [name for name in names_of(world, "Secret") if "database" in name] == []
        assert await world.databases.names() == frozenset()
        assert await world.ask(order.host) == "two"

    async def test_one_that_comes_back_is_made_from_its_seed(self, world):
        await deployed(world, shop(on_push="keep"), SEED)
        await deployed(world, a_spec())
        order, _ = await deployed(world, shop("three", on_push="keep"), SEED)
        assert await world.ask(order.host) == "three seeded,migrated"


class TestItsOwnServer:
    async def test_a_server_whose_pod_was_replaced_is_filled_again(self, own):
        order, _ = await deployed(own, shop(), SEED)
        await own.enter_data(order.host, "entered")
        own.cluster.faults.slow(0.5, "patch", "networkpolicies")
        lose_the_server(own)
        why = "the pod of its database was replaced, and the data went with it"
        preview = await until(own.platform, lambda now: why in now.reason)
        assert (preview.phase, preview.revision) == (Phase.STARTING, order.revision)
        assert (await settled(own.platform, Phase.READY)).reason == ""
        assert await own.ask(order.host) == "one seeded,migrated"

    async def test_one_that_was_replaced_while_nobody_looked_too(self, own):
        order, _ = await deployed(own, shop(), SEED)
        before = pods(own)
        await own.close()
        lose_the_server(own)
        await eventually(lambda: len(pods(own) - before) == 1)
        await own.open()
        await until(own.platform, lambda now: now.phase is Phase.STARTING)
        await settled(own.platform, Phase.READY)
        assert await own.ask(order.host) == "one seeded,migrated"

    async def test_one_that_was_replaced_while_the_preview_slept_is_filled_as_it_wakes(self, own):
        order, preview = await deployed(own, shop(), SEED)
        await own.platform.sleep(KEY, preview.uid, 1)
        await settled(own.platform, Phase.SLEEPING)
        before = pods(own)
        lose_the_server(own)
        await eventually(lambda: bool(the(own, "Deployment", "postgres")["status"].get("availableReplicas")))
        await eventually(lambda: len(pods(own) - before) == 1)
        await own.platform.wake(KEY, preview.uid, 2)
        await settled(own.platform, Phase.READY)
        assert await own.ask(order.host) == "one seeded,migrated"

    async def test_a_volume_keeps_the_data_when_the_pod_is_replaced(self, own):
        await with_policy(own, databases={"isolation": "namespace", "storage_class": "fast"})
        order, _ = await deployed(own, shop(), SEED)
        await own.enter_data(order.host, "entered")
        before = pods(own)
        lose_the_server(own)
        await eventually(lambda: len(pods(own) - before) == 1)
        await until(own.platform, lambda now: now.phase is Phase.READY)
        again, _ = await deployed(own, shop("two", on_push="keep"), {"app.txt": "two"})
        assert await own.ask(again.host) == "two seeded,migrated,entered,migrated"

    async def test_an_image_that_has_its_data_is_not_seeded(self, own):
        order, preview = await deployed(own, shop(image="registry.test/seeded:1"), SEED)
        image = the(own, "Deployment", "postgres")["spec"]["template"]["spec"]["containers"][0]["image"]
        assert image == "registry.test/seeded:1"
        assert "seed" not in {step.name for step in preview.steps}
        assert await own.ask(order.host) == "one seeded,migrated"

    async def test_the_same_seed_is_loaded_once_for_all_pushes(self, own):
        await deployed(own, shop(), SEED)
        _, preview = await deployed(own, shop("two"))
        assert (await steps(own))["seed"].state is StepState.REUSED
        assert preview.database.seeded_in is None

    async def test_another_seed_takes_the_place_of_the_first(self, own):
        _, before = await deployed(own, shop(), SEED)
        _, after = await deployed(own, shop(), {"seed.txt": "others"})
        assert after.database.seed != before.database.seed
        assert (await steps(own))["seed"].state is StepState.DONE

    async def test_files_are_loaded_in_their_order(self, own):
        files = {"b.sql": "second", "a.sql": "first"}
        order, _ = await deployed(own, shop(seed=["b.sql", "a.sql"]), files)
        assert await own.ask(order.host) == "one second+first,migrated"

    async def test_a_service_of_its_name_is_refused(self, own):
        await deploy(own, a_spec(services={"web": a_service(), "postgres": a_service()}, postgres={}))
        assert "a service cannot be called `postgres` here" in (await settled(own.platform, Phase.FAILED)).reason

    async def test_it_goes_on_while_the_services_sleep(self, own):
        _, preview = await deployed(own, shop(), SEED)
        await own.platform.sleep(KEY, preview.uid, 1)
        await settled(own.platform, Phase.SLEEPING)
        assert the(own, "Deployment", "postgres")["spec"]["replicas"] == 1


class TestOneServer:
    async def test_two_previews_at_once_seed_once(self, server):
        gate = Gate(server)
        one = server.order(server.commit(SEED), gate.spec)
        two = server.order(one.revision, gate.spec, number=8)
        await server.platform.deploy(one)
        await eventually(lambda: gate.begun == 1)
        await server.platform.deploy(two)
        await until(server.platform, lambda now: bool(now and now.steps and now.steps[-1].name == "seed"), OTHER)
        gate.go.set()
        await settled(server.platform, Phase.READY)
        await settled(server.platform, Phase.READY, key=OTHER)
        assert (gate.begun, len(server.databases.seeded)) == (1, 1)
        assert (await steps(server, OTHER))["seed"].state is StepState.REUSED

    async def test_a_seed_that_fails_leaves_no_template_and_the_next_push_seeds_anew(self, server):
        await deploy(server, shop(seed={"command": ["fail"], "inputs": ["seed.txt"]}), SEED)
        preview = await settled(server.platform, Phase.FAILED)
        assert preview.reason == 'seed: column "email" contains null values'
        assert await server.databases.templates() == {}
        order, _ = await deployed(server, shop())
        assert await server.ask(order.host) == "one seeded,migrated"

    async def test_where_the_first_fails_the_other_preview_seeds_itself(self, server):
        gate = Gate(server, status=1)
        one = server.order(server.commit(SEED), gate.spec)
        await server.platform.deploy(one)
        await eventually(lambda: gate.begun == 1)
        await server.platform.deploy(server.order(one.revision, gate.spec, number=8))
        await until(server.platform, lambda now: bool(now and now.steps and now.steps[-1].name == "seed"), OTHER)
        gate.go.set()
        await settled(server.platform, Phase.FAILED)
        await settled(server.platform, Phase.FAILED, key=OTHER)
        assert gate.begun == 2

    async def test_a_job_that_another_controller_began_is_waited_for(self, server):
        gate = Gate(server)
        one = server.order(server.commit(SEED), gate.spec)
        await server.platform.deploy(one)
        await eventually(lambda: gate.begun == 1)
        await server.reopen()
        await server.platform.deploy(server.order(one.revision, gate.spec, number=8))
        await until(server.platform, lambda now: bool(now and now.steps and now.steps[-1].name == "seed"), OTHER)
        gate.go.set()
        await settled(server.platform, Phase.READY)
        await settled(server.platform, Phase.READY, key=OTHER)
        assert len(server.databases.seeded) == 1

    async def test_the_password_is_in_no_reason_and_no_log(self, server):
        await deploy(server, shop(migrate=["fail"]), SEED)
        preview = await settled(server.platform, Phase.FAILED)
        assert "postgresql://" in preview.logs
        assert "hunter2-xyzzy" not in preview.logs + preview.reason

    async def test_a_server_that_does_not_answer_is_waited_for_and_said_so(self, server):
        server.databases.down = True
        await deploy(server, shop(), SEED)
        preview = await until(server.platform, lambda now: bool(now and "does not answer" in now.reason))
        assert preview.phase is Phase.STARTING
        server.databases.down = False
        await settled(server.platform, Phase.READY)
