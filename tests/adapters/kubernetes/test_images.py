"""A revision whose image is not in its registry yet waits for it there, and runs the very one that was found."""

import asyncio
from datetime import datetime, timedelta

import pytest

from controller.adapters.kubernetes import prepare
from controller.common.nouns import Phase, StepState
from tests.adapters.kubernetes.shop import a_service, a_spec, deploy, deployed, the, with_policy
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.adapters.registry.world import DIGEST, MANIFEST, a_registry
from tests.contracts.platform import settled, until

pytestmark = pytest.mark.processes

WAIT = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(prepare, "FIRST_ASK", 0.02)


@pytest.fixture
async def registry():
    async with a_registry() as registry:
        registry.images = {}
        yield registry


@pytest.fixture
async def world(tmp_path):
    async with KubernetesWorld(tmp_path) as world:
        await with_policy(world, wait_for_image=WAIT)
        yield world


def at(registry, name="shop", tag="{sha}", **more):
    return a_spec(a_service(image=f"{registry.host}/{name}:{tag}", **more))


def arrives(registry, order, name="shop"):
    registry.images[name, order.revision] = MANIFEST


def running(world, name="web"):
    return the(world, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"]


async def waiting(world, words):
    return await until(world.platform, lambda now: bool(now and words in now.reason))


async def test_it_waits_visibly_and_nothing_runs_meanwhile(world, registry):
    order = await deploy(world, at(registry))
    preview = await waiting(world, f"waiting for {registry.host}/shop:{order.revision}")
    assert preview.phase is Phase.STARTING
    assert (preview.steps[-1].name, preview.steps[-1].state) == ("image", StepState.RUNNING)
    assert world.cluster.all("Deployment", world.namespace()) == []


async def test_it_goes_on_once_the_image_is_there_and_runs_what_was_found(world, registry):
    order = await deploy(world, at(registry))
    await waiting(world, "waiting for")
    arrives(registry, order)
    preview = await settled(world.platform, Phase.READY)
    assert running(world) == f"{registry.host}/shop@{DIGEST}"
    [step] = [step for step in preview.steps if step.name == "image"]
    assert (step.state, step.detail) == (StepState.DONE, DIGEST[:19])
    assert preview.reason == ""


async def test_it_waits_for_all_of_them(world, registry):
    spec = at(registry)
    spec["services"]["api"] = a_service(image=f"{registry.host}/api:{{sha}}")
    order = await deploy(world, spec)
    await waiting(world, f"{registry.host}/shop:{order.revision} and {registry.host}/api:{order.revision}")
    arrives(registry, order, "api")
    await waiting(world, f"waiting for {registry.host}/shop:{order.revision} to appear in the registry")
    arrives(registry, order)
    await settled(world.platform, Phase.READY)
    assert running(world, "api") == f"{registry.host}/api@{DIGEST}"


async def test_an_image_that_does_not_come_in_time_fails_the_deploy_with_its_name(world, registry):
    await with_policy(world, wait_for_image=timedelta(milliseconds=300))
    order = await deploy(world, at(registry))
    preview = await settled(world.platform, Phase.FAILED)
    assert preview.reason == f"image: {registry.host}/shop:{order.revision} was not in its registry within 300 ms"
    assert preview.steps[-1].state is StepState.FAILED


async def test_a_restart_does_not_begin_the_wait_anew(world, registry, monkeypatch):
    await deploy(world, at(registry))
    await waiting(world, "waiting for")

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + 2 * WAIT

    monkeypatch.setattr(prepare, "datetime", Later)
    await world.reopen()
    preview = await settled(world.platform, Phase.FAILED)
    assert preview.reason.endswith("was not in its registry within 1 min")


async def test_nobody_asks_where_the_policy_does_not_wait(world, registry):
    await with_policy(world, wait_for_image=timedelta(0))
    order, _ = await deployed(world, at(registry))
    assert registry.seen == []
    assert running(world) == f"{registry.host}/shop:{order.revision}"


async def test_a_registry_that_wants_us_to_wait_is_asked_again(world, registry):
    registry.answer = {"status": 429, "headers": {"Retry-After": "0"}}
    order = await deploy(world, at(registry))
    preview = await waiting(world, "wants us to wait (429)")
    assert preview.phase is Phase.STARTING
    arrives(registry, order)
    registry.answer = None
    await settled(world.platform, Phase.READY)


async def test_an_image_that_is_another_one_fails_the_deploy_and_ends_the_wait_for_the_others(world, registry):
    spec = at(registry)
    spec["services"]["api"] = a_service(image=f"{registry.host}/api@sha256:{'0' * 64}")
    await deploy(world, spec)
    await waiting(world, f"waiting for {registry.host}/shop")
    registry.images["api", f"sha256:{'0' * 64}"] = MANIFEST
    preview = await settled(world.platform, Phase.FAILED)
    assert f"the registry has {DIGEST}" in preview.reason
    assert preview.steps[-1].state is StepState.FAILED
    assert [task for task in asyncio.all_tasks() if "prepare" in repr(task)] == []


async def test_a_registry_that_forbids_us_to_read_says_so(world, registry):
    registry.answer = {"status": 403}
    await deploy(world, at(registry))
    assert "no permission to read" in (await settled(world.platform, Phase.FAILED)).reason


async def test_another_push_waits_for_its_own_image(world, registry):
    first = await deploy(world, at(registry))
    await waiting(world, first.revision)
    second = await deploy(world, at(registry, version="two"), {"app.txt": "two"})
    await waiting(world, second.revision)
    arrives(registry, second)
    preview = await settled(world.platform, Phase.READY)
    assert preview.revision == second.revision


async def test_a_digest_is_left_as_it_is(world, registry):
    registry.images["shop", DIGEST] = MANIFEST
    await deployed(world, a_spec(a_service(image=f"{registry.host}/shop@{DIGEST}")))
    assert running(world) == f"{registry.host}/shop@{DIGEST}"


async def test_the_image_of_a_check_is_pinned_too(world, registry):
    check = {"name": "e", "command": {"run": ["go"], "image": f"{registry.host}/shop:{{sha}}"}}
    order = await deploy(world, a_spec(a_service(image=f"{registry.host}/shop:{{sha}}"), checks={"e2e": [check]}))
    arrives(registry, order)
    preview = await settled(world.platform, Phase.READY)
    await world.platform.run_checks(preview.key, preview.uid, order.revision, "e2e", 1)
    [job] = world.cluster.all("Job", world.namespace())
    images = {one["name"]: one["image"] for one in job["spec"]["template"]["spec"]["containers"]}
    assert images["check-1"] == f"{registry.host}/shop@{DIGEST}"
