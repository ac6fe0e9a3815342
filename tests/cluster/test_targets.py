"""The promises of targets, kept by real pods; and what only a real cluster can show of them."""

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.deploys.model import Release, RolloutState
from tests.cluster.target_world import FILES, TARGET, ClusterTargetWorld
from tests.contracts import targets as contract
from tests.contracts.targets import TargetsContract, deploy, eventually, go_live, make, roll_back, rolled_out, write

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

VERSION = "app.kubernetes.io/version"
SERVER = """
import http.server, os, sys

if "crashing" in sys.argv:
    sys.exit("no such table: users")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{sys.argv[1]} {os.environ['GREETING']}".encode())

http.server.HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


def web(image: str, version: str, revision: str = "") -> list[dict[str, object]]:
    """Somebody's own manifests: a ConfigMap under a name that stays, a Service and a Deployment."""
    mine, word = {"app": "web"}, "oops" if version == "two" else "good day"
    told = {VERSION: revision} if revision else {}
    greeting = {"name": "GREETING", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "greeting"}}}
    ready = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}
    container = {"name": "web", "image": image, "command": ["python", "-c", SERVER, version], "env": [greeting]}
    container |= {"ports": [{"containerPort": 8000}], "readinessProbe": ready, "imagePullPolicy": "IfNotPresent"}
    pods = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    template = {"metadata": {"labels": mine | told}, "spec": pods}
    deployment = {"selector": {"matchLabels": mine}, "template": template}
    service = {"selector": mine, "ports": [{"port": 8000, "targetPort": 8000}]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"greeting": word}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": service},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": deployment},
    ]


Start = Callable[..., Awaitable[ClusterTargetWorld]]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real pods take longer than processes."""
    monkeypatch.setattr(contract, "SOON", 240.0)


def needs_kubectl() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")


class TestOnACluster(TargetsContract):
    @pytest.fixture(params=["namespace", "server"])
    async def world(
        self, request: pytest.FixtureRequest, image: str, patience: None, tmp_path: Path
    ) -> AsyncIterator[ClusterTargetWorld]:
        needs_kubectl()
        if request.param == "server" and not os.environ.get("MAYFLY_TEST_DATABASES_URL"):
            pytest.skip("needs a PostgreSQL that the cluster and this machine reach in MAYFLY_TEST_DATABASES_URL")
        world = ClusterTargetWorld(tmp_path, image, request.param)
        await world.open()
        yield world
        await world.end()


@pytest.fixture
async def started(image: str, patience: None, tmp_path: Path) -> AsyncIterator[Start]:
    """Makes worlds without a database server, and ends them."""
    needs_kubectl()
    worlds: list[ClusterTargetWorld] = []

    async def start(**target: object) -> ClusterTargetWorld:
        world = ClusterTargetWorld(tmp_path / str(len(worlds)), image, "namespace", **target)
        await world.open()
        worlds.append(world)
        return world

    yield start
    for world in worlds:
        await world.end()


def own(world: ClusterTargetWorld, number: int, version: str, *, extra: bool = False) -> Release:
    """A release of the repository's own manifests."""
    more = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}, "data": {"more": "yes"}}
    objects = [*web(world.image, version), *([more] if extra else [])]
    revision = world.commit({"deploy/all.yaml": json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})})
    spec = {"services": {"web": {"port": 8000}}, "deploy": {"manifests": "deploy"}}
    return world.release_of(number, revision, spec)


def simple(world: ClusterTargetWorld, number: int, version: str, *, word: str = "good") -> Release:
    """One without a database, that has its configuration from the operator."""
    revision = world.commit(FILES | {"version": version})
    spec = {"services": {"web": {"command": ["python", "app.py", word], "port": 8000, "health": "/"}}}
    return world.release_of(number, revision, spec, greeting=version, secret=f"the secret of {version}")


async def test_a_bad_release_is_rolled_back_and_main_answers_all_the_time(started: Start) -> None:
    world = await started()
    await deploy(world, simple(world, 1, "one"))
    answers, over = set[str](), asyncio.Event()

    async def visit() -> None:
        while not over.is_set():
            answers.add(await world.ask())
            await asyncio.sleep(0.05)

    visitor = asyncio.create_task(visit())
    await make(world, simple(world, 2, "two", word="crashing"))
    await go_live(world, 2)
    bad = (await rolled_out(world, 2, RolloutState.FAILED)).rollout
    await roll_back(world, bad=2, to=1)
    await rolled_out(world, 1)
    await eventually(lambda: world.running() == {(1, "web")})
    over.set()
    await visitor
    assert answers == {"one"}
    assert bad is not None
    assert "no such table: users" in bad.logs
    assert "the secret of two" not in bad.logs
    assert (await world.variable("GREETING"), await world.variable("API_KEY")) == ("one", "the secret of one")


async def test_people_are_led_back_to_a_warm_release_without_another_pod(started: Start) -> None:
    world = await started()
    await deploy(world, simple(world, 1, "one"))
    pod = await world.variable("HOSTNAME")
    await deploy(world, simple(world, 2, "two"), warm=1)
    assert await world.variable("HOSTNAME") != pod
    await roll_back(world, bad=2, to=1)
    await rolled_out(world, 1)
    assert (await world.variable("GREETING"), await world.variable("HOSTNAME")) == ("one", pod)


@pytest.mark.parametrize("version", ["two", "crashing"])
async def test_own_manifests_are_rolled_back_with_what_only_the_bad_release_had(started: Start, version: str) -> None:
    world = await started()
    await deploy(world, own(world, 1, "one"))
    assert await world.ask() == "one good day"
    await make(world, own(world, 2, version, extra=True))
    await go_live(world, 2)
    await rolled_out(world, 2, RolloutState.FAILED if version == "crashing" else RolloutState.COMPLETE)
    assert "extra" in world.kubectl("get", "configmaps")
    await roll_back(world, bad=2, to=1)
    await rolled_out(world, 1)
    assert await world.ask() == "one good day"
    await eventually(lambda: "extra" not in world.kubectl("get", "configmaps"))


async def watched(started: Start, **how: object) -> tuple[ClusterTargetWorld, Release]:
    """A world where somebody deploys with kubectl: the second release is live. Returns the first."""
    namespace = f"test-{secrets.token_hex(4)}-watched"
    watch = {"workloads": ["deployment/web"], **{name: _there(said, namespace) for name, said in how.items()}}
    world = await started(namespace=namespace, url="http://web:8000", watch=watch)
    world.kubectl("create", "namespace", namespace)
    first, second = simple(world, 1, "one"), simple(world, 2, "two")
    for release, version in ((first, "one"), (second, "two")):
        everything = {"apiVersion": "v1", "kind": "List", "items": web(world.image, version, release.revision)}
        world.kubectl("apply", "--filename", "-", given=json.dumps(everything))
        world.kubectl("rollout", "status", "deployment/web")
    await write(world, first, second, live=2, live_since=datetime.now(UTC))
    assert (await rolled_out(world, 2)).deployed == second.revision
    return world, first


def _there(said: object, namespace: str) -> object:
    return [word.replace("NAMESPACE", namespace) for word in said] if isinstance(said, list) else said


UNDO = ["kubectl", "--namespace", "NAMESPACE", "rollout", "undo", "deployment/web"]


async def test_a_watched_target_is_rolled_back_by_the_command_that_policy_names(started: Start) -> None:
    world, first = await watched(started, rollback=UNDO)
    await roll_back(world, bad=2, to=1)
    seen = await rolled_out(world, 1)
    assert seen.deployed == first.revision
    history = world.kubectl("rollout", "history", "deployment/web").split()
    assert "3" in history, "it was undone"
    assert "4" not in history, "and not undone again"


async def test_who_deploys_a_watched_target_is_told_to_roll_it_back(started: Start) -> None:
    world, first = await watched(started, rollback_webhook="https://argo.example/rollback")
    await roll_back(world, bad=2, to=1)
    await eventually(lambda: bool(world.told))
    [(_, body)] = world.told
    assert json.loads(body)["to"] == first.revision
    rollout = (await world.targets.seen(TARGET)).rollout
    assert rollout is not None
    assert rollout.state is RolloutState.PROGRESSING
    world.kubectl("rollout", "undo", "deployment/web")
    assert (await rolled_out(world, 1)).deployed == first.revision
