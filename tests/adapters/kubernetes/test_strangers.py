"""Strangers' code on the fake cluster: what it gets, what it does not, and that nothing is handed over."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.adapters.kubernetes import names, record, strangers
from controller.adapters.kubernetes.allowed import why_not_all
from controller.adapters.kubernetes.own_placing import placed
from controller.adapters.kubernetes.shapes import Place
from controller.common.nouns import Phase, PreviewKey
from controller.common.spec import Spec
from controller.errors import Unavailable
from controller.previews.model import DeployOrder
from controller.settings import Egress, KubernetesDatabases, Quota
from tests.adapters.kubernetes.manifests import (
    HOST,
    INGRESS_POLICY,
    NAMESPACE,
    POLICY,
    ROUTE_POLICY,
    a_cron_job,
    a_deployment,
    a_pod_spec,
    a_route,
    an_ingress,
    an_object,
)
from tests.adapters.kubernetes.shop import a_service, a_spec, names_of, the, with_policy
from tests.adapters.kubernetes.test_bring import a_deployment as a_shop
from tests.adapters.kubernetes.test_bring import a_pod, a_spec_of, files
from tests.adapters.kubernetes.test_bring import a_service as a_shop_service
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.adapters.registry.world import MANIFEST, a_registry
from tests.contracts.platform import KEY, eventually, settled, until

pytestmark = pytest.mark.processes

PLACE = Place(NAMESPACE, PreviewKey("shop", 7), "mayfly")
PULL = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eyJhdXRocyI6IHt9fQ=="}}
ELSEWHERE = Egress(cidr="10.0.0.0/8")


async def ground(world, **more):
    """A policy that gives previews much."""
    world.cluster.create(an_object("Secret", name="acme-pull", **PULL) | {"metadata": _of_the_operator(world)})
    known = {"pull_secrets": ["acme-pull"], "egress": [ELSEWHERE], "quota": Quota(pods=40)}
    await with_policy(world, **(known | more))


def _of_the_operator(world):
    return {"name": "acme-pull", "namespace": world.policy.kubernetes.namespace}


def strangers_order(world, spec=None, files=None):
    return replace(world.order(world.commit(files or {}), spec or a_spec()), fork=True)


async def run(world, order):
    """As the rounds do: again, where it cannot be now."""

    async def ordered():
        while True:
            try:
                return await world.platform.deploy(order)
            except Unavailable:
                await until(world.platform, lambda now: now is None, order.key)

    await ordered()
    return await settled(world.platform, Phase.READY, order.revision, order.key)


def given(world):
    """What a namespace has of what the policy gives: pull secrets, the account's, ways out, pods."""
    egress = the(world, "NetworkPolicy", "preview")["spec"]["egress"]
    return (
        "acme-pull" in names_of(world, "Secret"),
        "imagePullSecrets" in the(world, "ServiceAccount", "preview"),
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]} in egress,
        the(world, "ResourceQuota", "preview")["spec"]["hard"]["pods"],
    )


@pytest.fixture
async def server(tmp_path):
    """The world where one PostgreSQL is for all."""
    async with KubernetesWorld(tmp_path, "server") as world:
        yield world


ALL, NOTHING = (True, True, True, "40"), (False, False, False, "15")


async def test_a_forks_preview_runs_and_gets_nothing_of_what_others_get(world):
    await ground(world)
    await run(world, strangers_order(world))
    assert given(world) == NOTHING
    assert await world.ask("pr-7-shop") == "one"


async def test_its_checks_are_fenced_alike(world):
    await ground(world)
    order = world.push()
    await run(world, replace(order, fork=True))
    preview = await world.platform.preview(KEY)
    await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 1)
    await eventually(lambda: any(job.startswith("check-") for job in names_of(world, "Job")))
    for job in world.cluster.all("Job", world.namespace()):
        pod = job["spec"]["template"]["spec"]
        assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("preview", False)
        assert "imagePullSecrets" not in pod
    assert given(world) == NOTHING


async def test_what_it_is_survives_a_restart(world):
    await ground(world)
    order = strangers_order(world)
    await run(world, order)
    before = await world.platform.preview(KEY)
    await world.reopen()
    await run(world, replace(order, order=1))
    assert (await world.platform.preview(KEY)).uid == before.uid
    assert given(world) == NOTHING


@pytest.mark.parametrize("first", [True, False], ids=["from strangers to us", "from us to strangers"])
async def test_nothing_is_handed_over_between_strangers_and_us(world, first):
    await ground(world)
    order = world.push("keeping")
    await run(world, replace(order, fork=first))
    assert given(world) == (NOTHING if first else ALL)
    await world.enter_data(order.host, "secret")
    before = await world.platform.preview(KEY)
    with pytest.raises(Unavailable, match="fenced otherwise"):
        await world.platform.deploy(replace(order, order=1, fork=not first))
    after = await run(world, replace(order, order=1, fork=not first))
    assert after.uid != before.uid
    assert given(world) == (ALL if first else NOTHING)
    assert "secret" not in await world.ask(order.host)


class TestOneServerForAll:
    @pytest.fixture
    def world(self, server):
        return server

    async def test_without_an_address_it_waits_for_one(self, world):
        await ground(world, databases=KubernetesDatabases(isolation="server", host="nowhere.invalid:5432"))
        await world.platform.deploy(strangers_order(world))
        preview = await until(world.platform, lambda now: bool(now and "nowhere.invalid" in now.reason))
        assert preview.phase is Phase.STARTING

    async def test_it_is_reached_at_its_own_address_and_port(self, world):
        await ground(world, databases=KubernetesDatabases(isolation="server", host="127.0.0.9:6543"))
        await run(world, replace(world.push(), fork=True))
        egress = the(world, "NetworkPolicy", "preview")["spec"]["egress"]
        ports = [{"protocol": "TCP", "port": 6543}]
        assert egress[2:] == [{"to": [{"ipBlock": {"cidr": "127.0.0.9/32"}}], "ports": ports}]

    async def test_what_strangers_seed_is_cloned_by_nobody_else_and_goes_with_them(self, world):
        await ground(world)
        theirs = replace(world.push(number=8), fork=True)
        await run(world, theirs)
        [seed] = await world.databases.templates()
        await run(world, world.push(number=7))
        assert len(await world.databases.templates()) == 2
        preview = await world.platform.preview(theirs.key)
        await world.platform.remove(theirs.key, preview.uid)
        await until(world.platform, lambda now: now is None, theirs.key)
        assert seed not in await world.databases.templates()
        assert len(await world.databases.templates()) == 1

    async def test_their_next_push_begins_from_the_same_seed(self, world):
        await run(world, replace(world.push(), fork=True))
        await run(world, replace(world.push(version="two"), fork=True))
        assert len(await world.databases.templates()) == 1


class TestImages:
    @pytest.fixture
    async def registry(self):
        async with a_registry() as registry:
            registry.wants = "basic"
            yield registry

    async def test_one_that_only_we_may_read_is_refused_before_a_pod_is_made(self, server, registry):
        await ground(server, wait_for_image="1m")
        server.platform._means.registry.login({registry.host: registry.login})
        registry.images["shop", "1"] = MANIFEST
        order = strangers_order(server, a_spec(a_service(image=f"{registry.host}/shop:1")))
        await server.platform.deploy(order)
        failed = await settled(server.platform, Phase.FAILED)
        assert failed.reason == (
            f"no permission to read {registry.host}/shop, or there is no such repository: "
            "a fork's preview has no pull secrets: what it runs has to be public"
        )
        assert server.cluster.all("Deployment", server.namespace()) == []

    @pytest.mark.parametrize(
        ("reason", "fork", "words"),
        [
            ("start web: ErrImagePull: no permission to pull a:1, or it does not exist", True, "no pull secrets"),
            ("start web: ErrImagePull: no permission to pull a:1, or it does not exist", False, ""),
            ("start web: ErrImagePull: a:1 not found", True, ""),
        ],
    )
    def test_who_cannot_pull_is_told_why(self, reason, fork, words):
        said = strangers.explained(reason, fork=fork)
        assert said.startswith(reason)
        assert (words in said) is bool(words) or said == reason


def test_an_order_from_before_there_were_forks_is_nobody_strange():
    known = record.first(DeployOrder(KEY, "a" * 40, Spec.model_validate(a_spec()), "pr-7-shop"), datetime.now(UTC))
    written = record.write(known)
    assert "fork" not in written
    namespace = {"metadata": {"annotations": {names.RECORD: written}}}
    assert record.read(namespace) == known
    assert known.order.fork is False


class TestOwnManifests:
    async def test_what_strangers_bring_runs_without_what_they_ask_for(self, server):
        await ground(server)
        pod = a_pod("serve", "good", "one", imagePullSecrets=[{"name": "acme-pull"}])
        order = strangers_order(server, a_spec_of(), files(a_shop(template=pod), a_shop_service()))
        await run(server, order)
        assert "imagePullSecrets" not in the(server, "Deployment", "shop-web")["spec"]["template"]["spec"]
        assert given(server) == NOTHING
        assert await server.ask(order.host) == "one"

    @pytest.mark.parametrize(
        ("obj", "policy", "words"),
        [
            (an_ingress(ingressClassName="nginx"), INGRESS_POLICY, "brings no way in of its own"),
            (a_route(), ROUTE_POLICY, "brings no way in of its own"),
            (
                a_deployment(a_pod_spec(volumes=[{"name": "a", "image": {"reference": "ghcr.io/acme/web:1"}}])),
                POLICY,
                "is not allowed in a fork's preview",
            ),
        ],
        ids=["Ingress", "HTTPRoute", "a volume of an image"],
    )
    def test_strangers_may_not_bring_what_others_may(self, obj, policy, words):
        assert why_not_all([obj], NAMESPACE, policy, [HOST]) == ""
        assert words in why_not_all([obj], NAMESPACE, policy, [HOST], fork=True)

    @pytest.mark.parametrize(
        "obj",
        [
            an_object("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {}, "egress": [{}]}),
            an_object("Role", "rbac.authorization.k8s.io/v1", rules=[]),
            an_object("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={}),
            an_object("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", roleRef={}),
            an_object("ResourceQuota", spec={"hard": {"pods": "1000"}}),
            an_object("CiliumNetworkPolicy", "cilium.io/v2", spec={}),
            an_object("Service", spec={"type": "ExternalName", "externalName": "db.internal"}),
            an_object("Service", spec={"type": "LoadBalancer"}),
            an_object("Secret", type="kubernetes.io/service-account-token"),
            an_object("Secret", name="acme-pull"),
            an_object("ServiceAccount", name="mine", automountServiceAccountToken=True),
            an_object("ServiceAccount", name="preview"),
            an_object("ConfigMap") | {"metadata": {"name": "a", "namespace": "kube-system"}},
            a_deployment(a_pod_spec(automountServiceAccountToken=True)),
            a_deployment(a_pod_spec(hostNetwork=True)),
            a_deployment(a_pod_spec(volumes=[{"name": "a", "secret": {"secretName": "acme-pull"}}])),
            a_deployment(
                a_pod_spec(
                    volumes=[{"name": "a", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
                )
            ),
        ],
        ids=lambda obj: f"{obj['kind']} {obj['metadata']['name']}",
    )
    def test_nobody_may_widen_what_they_reach(self, obj):
        for fork in (True, False):
            assert why_not_all([obj], NAMESPACE, POLICY, [HOST], fork=fork) != ""

    @pytest.mark.parametrize("make", [a_deployment, a_cron_job])
    def test_the_pods_of_strangers_name_no_pull_secrets(self, make):
        spec = a_pod_spec(imagePullSecrets=[{"name": "acme-pull"}])
        assert "acme-pull" in str(placed(make(spec), PLACE, 1, POLICY))
        assert "imagePullSecrets" not in str(placed(make(spec), PLACE, 1, POLICY, fork=True))

    def test_nor_do_their_accounts(self):
        account = an_object("ServiceAccount", name="mine", imagePullSecrets=[{"name": "acme-pull"}])
        assert placed(account, PLACE, 1, POLICY)["imagePullSecrets"]
        made = placed(account, PLACE, 1, POLICY, fork=True)
        assert "imagePullSecrets" not in made
        assert made["automountServiceAccountToken"] is False
