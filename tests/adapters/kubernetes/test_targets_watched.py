"""A target that another tool deploys: what it has is told, and it is told to roll back once."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.deploys.model import MakingState, RolloutState, Verdict
from controller.errors import Refused, Unavailable
from smoke.model import Outcome
from tests.adapters.kubernetes.target_world import NAMESPACE, PORT, TargetWorld, a_spec
from tests.contracts.targets import TARGET, eventually, roll_back, until, write

pytestmark = pytest.mark.processes
VERSION = "app.kubernetes.io/version"
WATCH = {"workloads": ["deployment/web"], "rollback_webhook": "https://argo.example/rollback"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TargetWorld]:
    async with TargetWorld(tmp_path, watch=WATCH, url=f"http://web:{PORT}") as world:
        world.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        yield world


def deployed(world, revision, story="good", version="one", pods=""):
    """By another tool. `pods`: the revision that they tell, where they tell one."""
    labels, name = {"app": "web"}, {"name": "web", "namespace": NAMESPACE}
    command = a_spec(story, version)["services"]["web"]["command"]
    container = {"name": "web", "image": "registry.test/shop:1", "command": command}
    container |= {"ports": [{"containerPort": PORT}]}
    container |= {"readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}}
    told = {VERSION: pods} if pods else {}
    template = {"metadata": {"labels": labels | told}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    service = {"selector": labels, "ports": [{"port": PORT, "targetPort": PORT}]}
    about = {**name, "labels": {VERSION: revision}}
    if world.cluster.get("Deployment", "web", NAMESPACE) is not None:
        world.cluster.delete("Deployment", "web", NAMESPACE)
    world.cluster.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about, "spec": spec})
    if world.cluster.get("Service", "web", NAMESPACE) is None:
        world.cluster.create({"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": service})


async def live(world, *releases, number):
    await write(world, *releases, live=number, live_since=datetime.now(UTC))


async def rolled_out(world, number):
    return await until(world, lambda seen: seen.rollout is not None and seen.rollout.state is RolloutState.COMPLETE)


async def test_nothing_is_known_of_one_that_is_not_there(world):
    seen = await world.targets.seen(TARGET)
    assert (seen.version, seen.deployed, seen.rollout) == ("", "", None)


async def test_it_tells_the_revision_that_is_deployed_and_that_it_is_rolled_out(world):
    release = world.release(1)
    deployed(world, release.revision)
    await live(world, release, number=1)
    seen = await rolled_out(world, 1)
    assert seen.deployed == release.revision
    assert seen.makings[1].state is MakingState.DONE
    assert world.objects("Deployment") == {"web"}, "nothing is applied"


async def test_what_its_pods_tell_goes_before_what_the_workload_tells(world):
    deployed(world, "f" * 40, pods="a" * 40)
    assert (await world.targets.seen(TARGET)).deployed == "a" * 40


async def test_while_another_revision_is_there_it_is_not_rolled_out(world):
    release = world.release(1)
    deployed(world, "f" * 40)
    await live(world, release, number=1)
    seen = await world.targets.seen(TARGET)
    assert seen.rollout is not None
    assert (seen.rollout.state, seen.rollout.message) == (RolloutState.PROGRESSING, "ffffffffffff is deployed there")


async def test_its_checks_run_against_its_url(world):
    release = world.release(1)
    deployed(world, release.revision)
    await live(world, release, number=1)
    await rolled_out(world, 1)
    await world.targets.run_checks(TARGET, 1, 3)
    [job] = (await until(world, lambda seen: bool(seen.jobs and seen.jobs[-1].run))).jobs
    assert job.run is not None
    assert (job.revision, job.run.outcome) == (release.revision, Outcome.PASSED)


async def test_checks_wait_until_it_is_rolled_out(world):
    await live(world, world.release(1), number=1)
    with pytest.raises(Unavailable):
        await world.targets.run_checks(TARGET, 1, 3)


async def test_the_other_tool_is_told_of_a_rollback_once(world):
    first, second = world.release(1), world.release(2, version="two")
    deployed(world, second.revision, version="two")
    await live(world, first, second, number=2)
    await rolled_out(world, 2)
    await roll_back(world, bad=2, to=1)
    await eventually(lambda: bool(world.told))
    seen = await world.targets.seen(TARGET)
    assert seen.rollout is not None
    assert seen.rollout.state is RolloutState.PROGRESSING
    deployed(world, first.revision)
    await rolled_out(world, 1)
    await world.reopen()
    await write(world, order=9)
    assert (await rolled_out(world, 1)).record.release(2).verdict is Verdict.REJECTED
    [(url, body)] = world.told
    assert url == WATCH["rollback_webhook"]
    told = {"target": TARGET, "to": first.revision, "bad": second.revision, "because": "smoke failed"}
    assert json.loads(body) == told


async def test_its_logs_are_not_ours(world):
    with pytest.raises(Refused, match="only watched"):
        await anext(world.targets.logs(TARGET, None, 10, follow=False))


@pytest.mark.parametrize(("command", "state"), [(["true"], "progressing"), (["false"], "failed")])
async def test_a_command_that_fails_is_a_failed_rollback(tmp_path, command, state):
    watch = {"workloads": ["deployment/web"], "rollback": command}
    async with TargetWorld(tmp_path, watch=watch) as world:
        first, second = world.release(1), world.release(2)
        await live(world, first, second, number=2)
        await roll_back(world, bad=2, to=1)
        await eventually(lambda: bool(world.targets._watchers[TARGET].main.state.done))
        rollout = (await world.targets.seen(TARGET)).rollout
        assert rollout is not None
        assert rollout.state == state
