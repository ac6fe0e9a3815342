"""A fork's preview, where real admission, quotas and service accounts have their say in what it gets."""

import base64
import json
import secrets
from dataclasses import replace

import pytest

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.api import POD
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.kinds import INGRESS, NETWORK_POLICY, SECRET, SERVICE_ACCOUNT
from controller.common.nouns import Phase
from controller.common.spec import Spec
from controller.errors import Unavailable
from tests.adapters.kubernetes.manifests import an_ingress, an_object
from tests.adapters.kubernetes.test_strangers import run
from tests.cluster.world import ClusterWorld
from tests.contracts.platform import KEY, settled

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SERVES_ALL = ["python", "-m", "http.server", "8000", "--directory", "/"]
WEB = {"command": SERVES_ALL, "port": 8000, "health": "/"}
TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount/"


@pytest.fixture
async def world(image, patience, tmp_path):
    """Its policy has a pull secret for previews."""
    world = ClusterWorld(tmp_path, image, "namespace")
    pull = _a_pull_secret(world.policy.kubernetes.namespace)
    given = world.policy.kubernetes.model_copy(update={"pull_secrets": [pull["metadata"]["name"]]})
    world.policy = world.policy.model_copy(update={"kubernetes": given})
    operator = await connect(given)
    await operator.create(pull)
    await world.open()
    yield world
    await world.end()
    await operator.delete(SECRET, pull["metadata"]["name"], given.namespace)
    await operator.close()


def _a_pull_secret(namespace):
    logins = base64.b64encode(json.dumps({"auths": {}}).encode()).decode()
    made = an_object("Secret", "v1", f"pull-{secrets.token_hex(4)}", data={".dockerconfigjson": logins})
    made["metadata"]["namespace"] = namespace
    return made | {"type": "kubernetes.io/dockerconfigjson"}


def an_order(world, web=WEB, **more):
    """Of what strangers wrote."""
    spec = Spec.model_validate({"services": {"web": web}} | more)
    return replace(world.push(), spec=spec, fork=True)


def namespace(world):
    return names.namespace(world.policy.kubernetes.prefix, KEY)


async def pull_secrets(world):
    """Those in the namespace, those of the account, and those that its pods were given: where the policy's one is."""
    [name], where = world.policy.kubernetes.pull_secrets, namespace(world)
    copied = await world.api.get(SECRET, name, where)
    account = await world.api.get(SERVICE_ACCOUNT, "preview", where)
    pods, _ = await world.api.list(POD, where)
    assert pods
    given = [account, *(pod["spec"] for pod in pods)]
    return [copied is not None, *({"name": name} in one.get("imagePullSecrets", []) for one in given)]


async def test_strangers_get_no_pull_secret_and_their_pods_no_token(world):
    order = an_order(world)
    await run(world, order)
    assert await pull_secrets(world) == [False, False, False]
    assert "etc" in await world.ask(order.host)
    assert "404" in await world.ask(order.host, TOKENS)
    [pod], _ = await world.api.list(POD, namespace(world))
    assert not [volume for volume in pod["spec"].get("volumes", []) if "projected" in volume]


async def test_what_is_over_the_quota_of_strangers_does_not_start(world):
    await world.platform.deploy(an_order(world, WEB | {"resources": {"memory": "5Gi"}}))
    preview = await settled(world.platform, Phase.FAILED)
    assert preview.reason == "start web: the preview's quota is used up: it needs 5Gi of memory, and 0 of 4Gi are taken"
    pods, _ = await world.api.list(POD, namespace(world))
    assert pods == []


async def test_what_becomes_ours_is_made_anew_with_all_that_others_have(world):
    order = an_order(world)
    before = await run(world, order)
    with pytest.raises(Unavailable, match="fenced otherwise"):
        await world.platform.deploy(replace(order, fork=False, order=1))
    after = await run(world, replace(order, fork=False, order=1))
    assert after.uid != before.uid
    assert await pull_secrets(world) == [True, True, True]


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (an_ingress(), "a fork brings no way in of its own"),
        (an_object("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {}, "egress": [{}]}), "not allowed"),
    ],
    ids=["Ingress", "NetworkPolicy"],
)
async def test_strangers_open_no_way_in_or_out_by_manifests_of_their_own(world, obj, why):
    (world.checkout / "deploy").mkdir()
    (world.checkout / "deploy" / "way.yaml").write_text(json.dumps(obj))
    await world.platform.deploy(an_order(world, {"port": 80}, deploy={"manifests": "deploy"}))
    preview = await settled(world.platform, Phase.FAILED)
    assert preview.reason.startswith(f"deploy/way.yaml: {obj['kind']} web: ")
    assert why in preview.reason
    ways, _ = await world.api.list(INGRESS, namespace(world))
    fences, _ = await world.api.list(NETWORK_POLICY, namespace(world))
    assert [one["metadata"]["name"] for one in (*ways, *fences)] == ["preview"]
