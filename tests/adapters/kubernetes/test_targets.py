"""What only a cluster does for targets: how releases are kept, and how people are led from one to the next."""

import random
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.adapters.kubernetes.main import state
from controller.adapters.kubernetes.shapes import Place
from controller.common.nouns import PreviewKey
from controller.deploys.model import MakingState, RolloutState
from controller.errors import Refused
from tests.adapters.kubernetes import programs
from tests.adapters.kubernetes.target_world import NAMESPACE, PORT, TargetWorld
from tests.contracts.targets import TARGET, deploy, eventually, go_live, make, roll_back, rolled_out

PLACE = Place(NAMESPACE, PreviewKey("shop", 7), "mayfly", TARGET)
MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{greeting: {greeting}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: {port}, targetPort: {port}}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: {image}
          command: [shop, {story}, {version}]
          env: [{{name: GREETING, valueFrom: {{configMapKeyRef: {{name: settings, key: greeting}}}}}}]
          ports: [{{containerPort: {port}}}]
          readinessProbe: {{httpGet: {{path: /, port: {port}}}, periodSeconds: 1}}
"""
ONLY_IN_THE_SECOND = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {more: "yes"}
"""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[TargetWorld]:
    async with TargetWorld(tmp_path) as world:
        yield world


def a_kept(size=10):
    noise = random.Random(1).randbytes(size).hex()
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "noise"}, "data": {"noise": noise}}
    return state.Kept(7, (made,), "abc", images={"web:1": "web@sha256:1"})


@pytest.mark.parametrize(("size", "parts"), [(10, 1), (2_000_000, 3)])
def test_a_release_is_split_into_secrets_that_a_cluster_takes(size, parts):
    kept = a_kept(size)
    secrets = state.of_release(PLACE, kept)
    assert len(secrets) == parts
    assert all(len(b64decode(secret["data"]["content"])) <= state.MAX_PART for secret in secrets)
    assert secrets[-1]["metadata"]["name"] == "mayfly-release-7", "the head is the last one that is written"
    assert {secret["type"] for secret in secrets} == {"mayfly.dev/release"}
    assert state.parts(secrets[-1]) == parts
    assert state.release(list(reversed(secrets))) == kept


def test_a_release_that_somebody_changed_is_refused():
    [secret] = state.of_release(PLACE, a_kept())
    with pytest.raises(Refused, match="cannot be read"):
        state.release([secret | {"data": {"content": "bm9uc2Vuc2U="}}])


@pytest.mark.processes
async def test_its_namespace_is_restricted_and_is_no_preview(world):
    await make(world, world.release(1))
    labels = world.cluster.get("Namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["mayfly.dev/target"] == TARGET
    assert "mayfly.dev/instance" not in labels


@pytest.mark.processes
async def test_people_are_led_to_a_release_once_it_is_available(world):
    def selected():
        return world.cluster.get("Service", "web", NAMESPACE)["spec"]["selector"]["mayfly.dev/release"]

    await deploy(world, world.release(1, "plain"))
    await make(world, world.release(2, "slow", version="two"))
    await go_live(world, 2)
    await eventually(lambda: (2, "web") in world.running())
    assert selected() == "1"
    await roll_back(world, bad=2, to=1)
    await rolled_out(world, 1)
    assert selected() == "1"
    await eventually(lambda: world.objects("Deployment") == {"web-r1"})


@pytest.mark.processes
async def test_a_rollback_needs_no_repository(world):
    await deploy(world, world.release(1, "plain"))
    await deploy(world, world.release(2, "plain", version="two"))
    (world.checkout / ".git").rename(world.root / "gone")
    await world.reopen()
    await roll_back(world, bad=2, to=1)
    await rolled_out(world, 1)
    assert (await world.ask()).startswith("one")


@pytest.mark.processes
async def test_a_database_that_the_target_did_not_make_is_left_alone(world):
    await world.databases.clone("target-production", None)
    (world.databases.folder("target-production") / "rows").write_text("precious")
    seen = await make(world, world.release(1), state=MakingState.FAILED)
    assert "did not make" in seen.makings[1].reason
    assert (world.databases.folder("target-production") / "rows").read_text() == "precious"


def own(world, number, greeting, *, story="good", version="one", extra=False):
    """A release of the repository's own manifests."""
    text = MANIFESTS.format(greeting=greeting, port=PORT, image=programs.SHOP, story=story, version=version)
    revision = world.commit({"deploy/all.yaml": text + ("---\n" + ONLY_IN_THE_SECOND if extra else "")})
    spec = {"services": {"web": {"port": PORT}}, "deploy": {"manifests": "deploy"}}
    return world.release_of(number, revision, spec)


@pytest.mark.processes
async def test_own_manifests_are_rolled_back_in_place_with_what_only_the_bad_release_had(world):
    await deploy(world, own(world, 1, "good day"))
    assert await world.variable("GREETING") == "good day"
    await deploy(world, own(world, 2, "oops", version="two", extra=True))
    assert await world.variable("GREETING") == "oops"
    assert "extra" in world.objects("ConfigMap")
    await roll_back(world, bad=2, to=1)
    await rolled_out(world, 1)
    assert await world.variable("GREETING") == "good day"
    await eventually(lambda: "extra" not in world.objects("ConfigMap"))


@pytest.mark.processes
async def test_own_manifests_whose_pods_crash_are_a_failed_rollout(world):
    await make(world, own(world, 1, "good day", story="crashing"))
    await go_live(world, 1)
    rollout = (await rolled_out(world, 1, RolloutState.FAILED)).rollout
    assert rollout is not None
    assert "no such table: users" in rollout.logs
