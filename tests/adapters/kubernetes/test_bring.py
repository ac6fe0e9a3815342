"""Manifests that a repository brings itself: applied, waited for, replaced, refused, put to sleep and woken."""

import json
import shutil

import pytest

from controller.common.nouns import Phase, ServiceState, StepState
from tests.adapters.kubernetes import programs
from tests.adapters.kubernetes.shop import a_spec, deploy, deployed, names_of, the
from tests.adapters.kubernetes.stateful import StatefulSets
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.contracts.platform import KEY, eventually, settled, until

pytestmark = pytest.mark.processes

APP = {"app": "shop"}


@pytest.fixture
async def world(tmp_path):
    async with KubernetesWorld(tmp_path) as world:
        StatefulSets(world.cluster)
        yield world


def a_spec_of(way=None, /, **services):
    """Of a repository that brings its own; `web` on port 80 where no other services are named."""
    named = services or {"web": {"port": 80}}
    return a_spec(services=named, deploy=way or {"manifests": "deploy"})


def a_pod(*command, **more):
    container = {"name": "app", "image": programs.SHOP, "command": list(command)}
    container |= {"ports": [{"name": "http", "containerPort": 8000}], "readinessProbe": _PROBE}
    return {"metadata": {"labels": APP}, "spec": {"containers": [container]} | more}


_PROBE = {"httpGet": {"path": "/", "port": 8000}}


def an_object(kind, name, spec, version="apps/v1", **metadata):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name} | metadata, "spec": spec}


def a_deployment(*command, name="shop-web", **spec):
    words = command or ("serve", "good", "one")
    return an_object("Deployment", name, {"selector": {"matchLabels": APP}, "template": a_pod(*words)} | spec)


def a_stateful_set(*command, name="shop-web", **spec):
    words = command or ("serve", "good", "one")
    known = {"serviceName": "web", "selector": {"matchLabels": APP}, "template": a_pod(*words)}
    return an_object("StatefulSet", name, known | spec)


def a_service(name="web", target="http"):
    ports = [{"port": 80, "targetPort": target}]
    return an_object("Service", name, {"selector": APP, "ports": ports}, "v1")


def a_job(*command, name="once"):
    container = {"name": "once", "image": programs.SHOP, "command": list(command) or ["true"]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    return an_object("Job", name, {"template": {"spec": pod}}, "batch/v1")


def files(*objects, name="all.yaml"):
    """YAML has JSON in it."""
    return {f"deploy/{name}": "\n---\n".join(json.dumps(obj) for obj in objects)}


class TestManifests:
    async def test_they_are_applied_and_answer_at_the_previews_host(self, world):
        order, preview = await deployed(world, a_spec_of(), files(a_deployment(), a_service(), a_job()))
        assert await world.ask(order.host) == "one"
        [service] = preview.services
        assert (service.name, service.state, service.host) == ("web", ServiceState.HEALTHY, order.host)
        assert [step.name for step in preview.steps][-2:] == ["manifests", "start shop-web"]
        assert names_of(world, "Job") == {"once"}

    async def test_the_port_of_a_service_may_lead_to_another_one_of_its_pods(self, world):
        order, _ = await deployed(world, a_spec_of(), files(a_deployment(), a_service(target=8000)))
        assert await world.ask(order.host) == "one"

    async def test_logs_are_those_of_the_pods_behind_the_service(self, world):
        await deployed(world, a_spec_of(), files(a_deployment(), a_service()))
        assert [line async for line in world.platform.logs(KEY, "web", 10, follow=False)] == ["listening"]

    async def test_they_are_found_again_after_a_restart(self, world):
        order, before = await deployed(world, a_spec_of(), files(a_deployment(), a_service()))
        await world.reopen()
        assert await settled(world.platform, Phase.READY) == before
        assert await world.ask(order.host) == "one"

    async def test_the_job_of_an_earlier_deploy_is_replaced_by_that_of_the_next(self, world):
        await deployed(world, a_spec_of(), files(a_deployment(), a_service(), a_job("first")))
        before = the(world, "Job", "once")["metadata"]["uid"]
        await deployed(world, a_spec_of(), files(a_deployment(), a_service(), a_job("second")))
        after = the(world, "Job", "once")
        assert after["metadata"]["uid"] != before
        assert after["spec"]["template"]["spec"]["containers"][0]["command"] == ["second"]

    async def test_a_job_runs_once_for_a_deploy_though_the_controller_ends_in_the_middle(self, world):
        await deploy(world, a_spec_of(), files(a_deployment("slow"), a_service(), a_job()))
        await eventually(lambda: the(world, "Job", "once") is not None)
        before = the(world, "Job", "once")["metadata"]["uid"]
        await world.reopen()
        await settled(world.platform, Phase.READY)
        assert the(world, "Job", "once")["metadata"]["uid"] == before

    async def test_what_the_next_revision_has_not_is_removed(self, world):
        extra = an_object("Service", "old", {"selector": APP, "ports": [{"port": 1}]}, "v1")
        await deployed(world, a_spec_of(), files(a_deployment(name="first"), a_service(), extra, a_job()))
        order, _ = await deployed(world, a_spec_of(), files(a_deployment("serve", "good", "two"), a_service()))
        assert names_of(world, "Deployment") == {"shop-web"}
        assert (names_of(world, "Service"), names_of(world, "Job")) == ({"web"}, set())
        await eventually(lambda: len(world.cluster.all("Pod", world.namespace())) == 1)
        await until(world.platform, lambda now: now.services[0].state is ServiceState.HEALTHY)
        assert await world.ask(order.host) == "two"

    async def test_one_that_is_not_allowed_is_refused_with_its_file_and_nothing_is_applied(self, world):
        host = a_deployment()
        host["spec"]["template"]["spec"]["hostNetwork"] = True
        await deploy(world, a_spec_of(), files(a_service(), name="a.yaml") | files(host, name="b.yaml"))
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason.startswith("deploy/b.yaml: Deployment shop-web: ")
        assert "hostNetwork" in preview.reason
        assert (preview.steps[-1].name, preview.steps[-1].state) == ("manifests", StepState.FAILED)
        assert names_of(world, "Service") == set()

    async def test_a_refused_revision_leaves_what_the_one_before_applied(self, world):
        await deployed(world, a_spec_of(), files(a_deployment(), a_service()))
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": []}
        await deploy(world, a_spec_of(), files(a_deployment(), role))
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason.startswith("deploy/all.yaml: Role r: ")
        assert (names_of(world, "Deployment"), names_of(world, "Service")) == ({"shop-web"}, {"web"})

    async def test_a_service_of_the_spec_that_they_have_not_is_refused(self, world):
        await deploy(world, a_spec_of(admin={"port": 80}), files(a_deployment(), a_service()))
        assert "`services` names `admin`" in (await settled(world.platform, Phase.FAILED)).reason

    async def test_one_that_crashes_says_its_last_lines(self, world):
        await deploy(world, a_spec_of(), files(a_deployment("serve", "crashing", "one"), a_service()))
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason == "start shop-web: it exited with status 3"
        assert "no such table: users" in preview.logs

    async def test_a_template_is_filled_in(self, world):
        text = json.dumps(a_deployment("serve", "good", "SHA")).replace("SHA", "{{ sha }}")
        written = {"deploy/web.yaml.j2": text} | files(a_service())
        order, _ = await deployed(world, a_spec_of(), written)
        assert await world.ask(order.host) == order.revision

    async def test_the_database_is_in_a_secret_whose_name_templates_know(self, world):
        text = json.dumps(a_deployment())
        source = (
            '{"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "{{ database_secret }}", "key": "url"}}}'
        )
        text = text.replace('"name": "app",', f'"name": "app", "env": [{source}],')
        spec = a_spec_of() | {"database": {"postgres": {"seed": {"command": ["seed"], "inputs": ["seed.txt"]}}}}
        spec["services"]["web"]["image"] = programs.SHOP
        order, _ = await deployed(world, spec, {"deploy/web.yaml.j2": text, "seed.txt": "rows"} | files(a_service()))
        assert await world.ask(order.host) == "one seeded"


class TestReplicas:
    async def test_they_sleep_and_wake_with_as_many_as_they_had(self, world):
        order, preview = await deployed(world, a_spec_of(), files(a_deployment(replicas=2), a_service()))
        await world.platform.sleep(KEY, preview.uid, 1)
        await settled(world.platform, Phase.SLEEPING)
        assert the(world, "Deployment", "shop-web")["spec"]["replicas"] == 0
        await world.platform.wake(KEY, preview.uid, 2)
        await settled(world.platform, Phase.READY)
        assert the(world, "Deployment", "shop-web")["spec"]["replicas"] == 2
        assert await world.ask(order.host) == "one"

    async def test_a_push_wakes_one_whose_manifest_says_nothing_of_replicas(self, world):
        _, preview = await deployed(world, a_spec_of(), files(a_deployment(), a_service()))
        await world.platform.sleep(KEY, preview.uid, 1)
        await settled(world.platform, Phase.SLEEPING)
        order, _ = await deployed(world, a_spec_of(), files(a_deployment("serve", "good", "two"), a_service()))
        assert the(world, "Deployment", "shop-web")["spec"]["replicas"] == 1
        assert await world.ask(order.host) == "two"


class TestStatefulSets:
    async def test_they_are_waited_for_and_in_view(self, world):
        order, preview = await deployed(world, a_spec_of(), files(a_stateful_set(replicas=2), a_service()))
        assert the(world, "StatefulSet", "shop-web")["status"]["availableReplicas"] == 2
        assert [service.state for service in preview.services] == [ServiceState.HEALTHY]
        assert preview.steps[-1].name == "start shop-web"
        assert await world.ask(order.host) == "one"

    async def test_one_that_crashes_fails_the_deploy_with_its_last_lines(self, world):
        await deploy(world, a_spec_of(), files(a_stateful_set("serve", "crashing", "one"), a_service()))
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason == "start shop-web: it exited with status 3"
        assert "no such table: users" in preview.logs
        await eventually(lambda: the(world, "StatefulSet", "shop-web")["spec"]["replicas"] == 0)

    async def test_a_revision_is_there_when_every_pod_is_of_it(self, world):
        await deployed(world, a_spec_of(), files(a_stateful_set(replicas=2), a_service()))
        await deployed(world, a_spec_of(), files(a_stateful_set("serve", "good", "two", replicas=2), a_service()))
        pods = world.cluster.all("Pod", world.namespace())
        assert [pod["spec"]["containers"][0]["command"][-1] for pod in pods] == ["two", "two"]

    async def test_a_pod_that_never_became_ready_is_not_in_the_way_of_the_next_push(self, world):
        await deploy(world, a_spec_of(), files(a_stateful_set("serve", "slow", "one"), a_service()))
        await eventually(lambda: bool(names_of(world, "Pod")))
        order, _ = await deployed(world, a_spec_of(), files(a_stateful_set("serve", "good", "two"), a_service()))
        assert await world.ask(order.host) == "two"

    async def test_they_sleep_and_wake_with_the_rest(self, world):
        order, preview = await deployed(world, a_spec_of(), files(a_stateful_set(replicas=2), a_service()))
        await world.platform.sleep(KEY, preview.uid, 1)
        asleep = await settled(world.platform, Phase.SLEEPING)
        assert [service.state for service in asleep.services] == [ServiceState.STOPPED]
        await eventually(lambda: not names_of(world, "Pod"))
        await world.platform.wake(KEY, preview.uid, 2)
        await settled(world.platform, Phase.READY)
        assert the(world, "StatefulSet", "shop-web")["status"]["availableReplicas"] == 2
        assert await world.ask(order.host) == "one"

    async def test_one_that_keeps_crashing_after_it_was_ready_has_failed(self, world):
        runs = []

        async def flaky(run):
            runs.append(run)
            if len(runs) > 1:
                return 5
            await run.serve(lambda _path: (200, "ok"))
            return 0

        world.cluster.programs.add(flaky, command="flaky")
        await deployed(world, a_spec_of(), files(a_stateful_set("flaky"), a_service()))
        world.cluster.delete("Pod", "shop-web-0", world.namespace())
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason == "shop-web keeps crashing: it exited with status 5"

    async def test_one_that_the_next_revision_has_not_is_removed(self, world):
        await deployed(world, a_spec_of(), files(a_stateful_set(name="old"), a_service()))
        await deployed(world, a_spec_of(), files(a_stateful_set(), a_service()))
        assert names_of(world, "StatefulSet") == {"shop-web"}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl on PATH, which builds kustomizations")
async def test_a_kustomization_is_built_and_applied(world):
    kustomization = {"resources": ["all.yaml"], "nameSuffix": "-pr", "namespace": "elsewhere"}
    del kustomization["namespace"]
    written = files(a_deployment(name="web"), a_service()) | {"deploy/kustomization.yaml": json.dumps(kustomization)}
    order, _ = await deployed(world, a_spec_of({"kustomize": "deploy"}, **{"web-pr": {"port": 80}}), written)
    assert (names_of(world, "Deployment"), names_of(world, "Service")) == ({"web-pr"}, {"web-pr"})
    assert await world.ask(order.host) == "one"
