"""What a revision has not any more is removed: once it works, and not before."""

import pytest

from controller.adapters.kubernetes import names
from controller.common.nouns import Phase
from tests.adapters.kubernetes import programs
from tests.adapters.kubernetes.shop import a_service, a_spec, deploy, deployed, names_of, the, with_policy
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.contracts.platform import eventually, settled

pytestmark = pytest.mark.processes

SEEDED = {"seed": {"command": ["seed"], "inputs": ["seed.txt"]}, "migrate": ["migrate"]}
SEED = {"seed.txt": "rows"}


@pytest.fixture
async def single(tmp_path):
    """Where isolation makes no difference."""
    async with KubernetesWorld(tmp_path) as world:
        yield world


def two_services():
    return a_spec(services={"web": a_service(), "api": a_service(port=9000)})


def containers(world, name="web"):
    return the(world, "Deployment", name)["spec"]["template"]["spec"]["containers"]


def sources(world):
    return [name for name in names_of(world, "ConfigMap") if name.startswith("source-")]


async def test_a_service_that_is_no_more_goes_with_all_that_was_made_for_it(single):
    world = single
    await with_policy(world, entrance={"kind": "ingress"})
    await deployed(world, two_services())
    assert names_of(world, "Ingress") == {"web", "api"}
    order, preview = await deployed(world, a_spec(a_service(version="two")))
    for kind in ("Deployment", "Service", "Ingress"):
        assert names_of(world, kind) == {"web"}
    await eventually(lambda: len(names_of(world, "Pod")) == 1)
    assert [service.name for service in preview.services] == ["web"]
    assert world.platform.route(f"{order.host}--api") is None
    assert await world.ask(order.host) == "two"


async def test_a_port_that_is_no_more_takes_its_service_with_it(single):
    world = single
    await deployed(world, two_services())
    worker = {"image": programs.SHOP, "command": ["work"]}
    order, _ = await deployed(world, a_spec(services={"web": a_service(), "api": worker}))
    assert (names_of(world, "Service"), names_of(world, "Deployment")) == ({"web"}, {"web", "api"})
    assert world.platform.route(f"{order.host}--api") is None


async def test_a_variable_that_is_no_more_is_not_in_the_container_any_more(single):
    world = single
    await deployed(world, a_spec(a_service(env={"OLD": "1", "SAME": "1"})))
    await deployed(world, a_spec(a_service(env={"SAME": "2", "NEW": "1"})))
    said = {one["name"]: one.get("value") for one in containers(world)[0]["env"]}
    assert ("OLD" in said, said["SAME"], said["NEW"]) == (False, "2", "1")


async def test_another_host_takes_the_place_of_the_old_one(single):
    world = single
    await with_policy(world, entrance={"kind": "ingress"})
    order, _ = await deployed(world, two_services())
    await deployed(world, a_spec(services={"shop": a_service(), "api": a_service(port=9000)}))
    assert world.platform.route(order.host).service == "shop"
    assert names_of(world, "Ingress") == {"shop", "api"}


async def test_files_of_an_older_revision_go(single):
    world = single
    await with_policy(world, images={"mayfly": "m", "runner": "registry.test/runner:1"})
    from_source = {"command": ["serve", "good", "one"], "port": 8000}
    await deployed(world, a_spec(from_source), {"app.txt": "one"})
    [first] = sources(world)
    await deployed(world, a_spec(from_source), {"app.txt": "two"})
    [second] = sources(world)
    assert second != first
    assert second in str(the(world, "Deployment", "web"))


async def test_an_older_secret_of_the_database_goes(world):
    spec = a_spec(postgres=SEEDED)
    await deployed(world, spec, SEED)
    await deployed(world, spec, {"seed.txt": "others"})
    secrets = [name for name in names_of(world, "Secret") if name.startswith("database")]
    assert len(secrets) == 1
    assert secrets[0] in str(containers(world))


async def test_jobs_of_older_deploys_go_and_those_of_the_latest_stay(world):
    spec = a_spec(postgres=SEEDED)
    for _ in range(3):
        await deployed(world, spec, SEED)
    jobs = world.cluster.all("Job", world.namespace())
    assert {job["metadata"]["labels"][names.DEPLOY] for job in jobs} == {"3"}
    assert "migrate" in {job["metadata"]["labels"][names.TASK] for job in jobs}


async def test_a_revision_that_fails_removes_nothing(single):
    world = single
    await deployed(world, two_services())
    await deploy(world, a_spec(a_service(story="crashing")))
    await settled(world.platform, Phase.FAILED)
    assert names_of(world, "Deployment") == names_of(world, "Service") == {"web", "api"}
    await deployed(world, a_spec())
    assert names_of(world, "Deployment") == names_of(world, "Service") == {"web"}


async def test_nothing_goes_before_the_new_one_works(single):
    world = single
    await deployed(world, two_services())
    await deploy(world, a_spec(a_service(story="slow")))
    await eventually(lambda: "slow" in str(containers(world)[0]["command"]))
    await world.cluster.settled()
    assert names_of(world, "Deployment") == {"web", "api"}


async def test_what_could_not_be_removed_is_removed_by_the_next_controller(single):
    world = single
    await deployed(world, two_services())
    world.cluster.faults.fail(503, times=1000, verb="delete")
    order = await deploy(world, a_spec(a_service(version="two")))
    await eventually(lambda: world.cluster.requests["delete", "deployments"] > 0)
    await world.close()
    world.cluster.faults.clear()
    await world.open()
    await settled(world.platform, Phase.READY, order.revision)
    assert names_of(world, "Deployment") == {"web"}


async def test_what_people_made_in_the_namespace_stays(single):
    world = single
    await deployed(world, two_services())
    theirs = {"metadata": {"name": "notes", "namespace": world.namespace()}, "data": {"a": "b"}}
    world.cluster.create({"apiVersion": "v1", "kind": "ConfigMap"} | theirs)
    await deployed(world, a_spec())
    assert "notes" in names_of(world, "ConfigMap")
