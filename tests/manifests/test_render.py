"""What is rendered means what was wanted, whatever was written in it."""

import base64
import copy
import re

import pytest

from controller.adapters.kubernetes import names, render
from controller.adapters.kubernetes.shapes import Container, Place, SecretKey, Server, Workload
from controller.common.nouns import PreviewKey
from controller.errors import Refused
from tests.examples import ABC, KEY
from tests.manifests.wanted import (
    EVERYTHING,
    HOST,
    HOSTILE,
    PLACE,
    a_check_task,
    a_container,
    a_policy,
    a_task,
    a_workload,
    deployment,
    everything,
    pod_of,
    simple,
)


def expanded(text, variables):
    """What the kubelet makes of a command or a variable: `$$` is `$`, `$(NAME)` a known variable's value."""
    found = re.compile(r"\$\$|\$\((\w+)\)")
    return found.sub(lambda match: "$" if match[0] == "$$" else variables.get(match[1], match[0]), text)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_person_wrote_stays_text(text):
    made = deployment(command=("run", text), env={"A": text}, health=f"/{text}", image=text)
    container = pod_of(made)["containers"][0]
    assert [expanded(word, {"HOME": "/root"}) for word in container["command"]] == ["run", text]
    assert container["env"] == [{"name": "A", "value": text.replace("$", "$$")}]
    assert container["startupProbe"]["httpGet"]["path"] == f"/{text}"
    assert container["image"] == text
    assert made.keys() == deployment().keys()


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_machine_wrote_stays_text(text):
    made = render.workload(PLACE, Workload(a_container(), revision=text, deploy=1), a_policy())[0]
    assert made["metadata"]["annotations"] == {render.REVISION: text, names.DEPLOY: "1"}
    assert render.namespace(PLACE, {"a": text})["metadata"]["annotations"] == {"a": text}
    assert render.config(PLACE, "config", {"key": text})["data"] == {"key": text}
    assert base64.b64decode(render.secret(PLACE, "s", {"key": text})["data"]["key"]).decode() == text
    assert render.check_task(PLACE, a_check_task(annotations={"a": text}), a_policy())["metadata"]["annotations"] == {
        "a": text
    }


def test_everything_is_labelled_as_ours_and_in_its_place():
    for obj in (*simple(), *everything()):
        metadata = obj["metadata"]
        assert names.labels(PLACE).items() <= metadata["labels"].items(), names.identity(obj)
        assert metadata.get("namespace", metadata["name"]) == PLACE.namespace


def pods():
    seeded = render.server(PLACE, Server("acme/data:1", "database", seeded=True), EVERYTHING)
    every = (*simple(), *everything(), *seeded)
    return [pytest.param(pod_of(obj), id=names.identity(obj)) for obj in every if "template" in obj.get("spec", {})]


@pytest.mark.parametrize("pod", pods())
def test_every_pod_is_restricted_and_knows_no_token(pod):
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("preview", False)
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["terminationGracePeriodSeconds"] == 5
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context.get("runAsUser") != 0
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]


@pytest.mark.parametrize("pod", pods())
def test_every_mount_has_its_volume_and_every_folder_a_limit(pod):
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert len(volumes) == len(pod["volumes"])
    containers = (*pod.get("initContainers", []), *pod["containers"])
    assert {mount["name"] for container in containers for mount in container["volumeMounts"]} == volumes.keys()
    assert all("sizeLimit" in volume["emptyDir"] for volume in volumes.values() if "emptyDir" in volume)


def test_where_pods_run_is_the_policys_to_say():
    pod = pod_of(render.workload(PLACE, a_workload(), EVERYTHING)[0])
    assert (pod["nodeSelector"], pod["runtimeClassName"]) == ({"pool": "previews"}, "gvisor")
    assert not {"nodeSelector", "runtimeClassName"} & pod_of(deployment()).keys()


@pytest.mark.parametrize("pull_policy", ["Always", "Never"])
def test_every_image_is_pulled_as_the_policy_says(pull_policy):
    policy = a_policy(images={"pull_policy": pull_policy})
    made = render.workload(PLACE, a_workload(source="s", build=("make",)), policy)[0]
    pod = pod_of(made)
    assert {one["imagePullPolicy"] for one in (*pod["initContainers"], *pod["containers"])} == {pull_policy}


def test_only_smoke_has_nowhere_else_to_write():
    task = a_check_task(beside=(Container("e2e", "acme/e2e:1"),))
    containers = pod_of(render.check_task(PLACE, task, a_policy()))["containers"]
    read_only = {one["name"]: one["securityContext"]["readOnlyRootFilesystem"] for one in containers}
    assert read_only == {"smoke": True, "e2e": False}


def test_containers_of_a_check_share_their_config_and_results_and_nothing_else():
    task = a_check_task(beside=(Container("e2e", "acme/e2e:1"), Container("load", "acme/load:1")))
    pod = pod_of(render.check_task(PLACE, task, a_policy()))
    mounted = [{mount["mountPath"]: mount["name"] for mount in one["volumeMounts"]} for one in pod["containers"]]
    assert {"/mayfly/config": "config", "/mayfly/run": "run"}.items() <= mounted[0].items()
    assert len({mount["/tmp"] for mount in mounted}) == 3
    for mount in mounted:
        del mount["/tmp"]
    assert mounted[0] == mounted[1] == mounted[2]
    assert {"name": "config", "configMap": {"name": "checks-1"}} in pod["volumes"]


def test_a_container_beside_smoke_may_be_the_one_that_wants_a_checkout():
    beside = (Container("load", "acme/load:1"), Container("e2e", "acme/e2e:1", source="source-1"))
    pod = pod_of(render.check_task(PLACE, a_check_task(beside=beside), a_policy()))
    assert [one["image"] for one in pod["initContainers"]] == ["acme/e2e:1"]
    mounts = [[mount["mountPath"] for mount in one["volumeMounts"]] for one in pod["containers"]]
    assert ["/workspace" in paths for paths in mounts] == [False, False, True]
    assert {"name": "source", "configMap": {"name": "source-1"}} in pod["volumes"]


def test_a_service_is_found_by_its_name_and_its_pods_by_theirs():
    made, service = render.workload(PLACE, a_workload(name="api", port=9000), a_policy())
    selector = {names.PREVIEW: names.labels(PLACE)[names.PREVIEW], names.SERVICE: "api"}
    assert service["metadata"]["name"] == made["metadata"]["name"] == "api"
    assert service["spec"]["selector"] == made["spec"]["selector"]["matchLabels"] == selector
    assert selector.items() <= made["spec"]["template"]["metadata"]["labels"].items()
    assert service["spec"]["ports"] == [{"name": "main", "port": 9000, "targetPort": 9000, "protocol": "TCP"}]


def test_another_deploy_rolls_the_pods_of_the_same_container():
    first, second = (render.workload(PLACE, Workload(a_container(), ABC, n), a_policy())[0] for n in (1, 2))
    assert first["spec"]["template"] != second["spec"]["template"]
    assert first["spec"]["selector"] == second["spec"]["selector"]


def test_an_old_revision_never_runs_beside_a_new_one():
    assert deployment()["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "100%"}


def test_a_preview_that_sleeps_has_no_pods():
    made = render.workload(PLACE, Workload(a_container(), ABC, 3, replicas=0), a_policy())[0]
    assert made["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("changes", "probe"),
    [
        (
            {"health": "/up?x=1"},
            {
                "httpGet": {
                    "path": "/up?x=1",
                    "port": 8000,
                    "httpHeaders": [{"name": "Host", "value": "localhost:8000"}],
                }
            },
        ),
        ({}, {"tcpSocket": {"port": 8000}}),
    ],
)
def test_readiness_is_noticed_within_a_second_and_nothing_is_restarted_for_being_slow(changes, probe):
    container = pod_of(deployment(**changes))["containers"][0]
    assert probe.items() <= container["startupProbe"].items()
    assert probe.items() <= container["readinessProbe"].items()
    assert container["startupProbe"]["periodSeconds"] == 1
    assert container["startupProbe"]["failureThreshold"] >= 3600
    assert "livenessProbe" not in container


def test_a_worker_has_neither_probes_nor_a_service():
    (made,) = render.workload(PLACE, a_workload(port=None), a_policy())
    assert not {"ports", "startupProbe", "readinessProbe"} & pod_of(made)["containers"][0].keys()


def test_the_source_is_unpacked_and_built_before_anything_runs():
    values = {"A": "b"}
    pod = pod_of(
        deployment(
            source="source-1", build=("make", "$(all)"), user=1000, env=values, secrets={"S": SecretKey("s", "k")}
        )
    )
    source, build = pod["initContainers"]
    assert source["command"][-2:] == ["-C", "/workspace"]
    assert {"name": "source", "configMap": {"name": "source-1"}} in pod["volumes"]
    assert (build["command"], build["workingDir"]) == (["make", "$$(all)"], "/workspace")
    assert build["env"] == [{"name": "A", "value": "b"}]
    assert pod["containers"][0]["workingDir"] == "/workspace"
    for container in (source, build, pod["containers"][0]):
        assert container["image"] == "ghcr.io/acme/web:1"
        assert container["securityContext"]["runAsUser"] == 1000
        assert {"name": "workspace", "mountPath": "/workspace"} in container["volumeMounts"]


def test_a_value_from_a_secret_is_no_value_in_the_manifest():
    made = deployment(env={"A": "b", "DATABASE_URL": "plain"}, secrets={"DATABASE_URL": SecretKey("database", "url")})
    assert pod_of(made)["containers"][0]["env"] == [
        {"name": "A", "value": "b"},
        {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "database", "key": "url"}}},
    ]


@pytest.mark.parametrize(
    ("memory", "cpu", "resources"),
    [
        (
            512 * 2**20,
            1,
            {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1000m", "memory": "512Mi"}},
        ),
        (1000, 0.001, {"requests": {"cpu": "1m", "memory": "500"}, "limits": {"cpu": "1m", "memory": "1000"}}),
    ],
)
def test_what_a_container_may_take_is_its_limit_and_what_it_is_promised_less(memory, cpu, resources):
    assert pod_of(deployment(memory=memory, cpu=cpu))["containers"][0]["resources"] == resources


def test_a_task_is_tried_once_and_ends_in_time():
    made = render.task(PLACE, a_task(labels={names.TASK: "seed"}, config="config-1"), a_policy())
    spec = made["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 600)
    assert pod_of(made)["restartPolicy"] == "Never"
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["template"]["metadata"]["labels"] == made["metadata"]["labels"]
    assert made["metadata"]["labels"][names.TASK] == "seed"
    assert {"name": "config", "mountPath": "/mayfly/config"} in pod_of(made)["containers"][0]["volumeMounts"]


def test_a_config_changes_its_name_with_its_content_and_never_its_content():
    first, same = (render.config(PLACE, "source", {}, {"a": b"1"}) for _ in range(2))
    other = render.config(PLACE, "source", {}, {"a": b"2"})
    assert first == same
    assert first["metadata"]["name"] != other["metadata"]["name"]
    assert (first["immutable"], first["binaryData"]) == (True, {"a": "MQ=="})
    assert first["metadata"]["name"] != render.config(PLACE, "source", {"a": "MQ=="})["metadata"]["name"]


def test_a_config_that_no_cluster_keeps_is_refused_in_words():
    render.config(PLACE, "source", {"a": "x"}, {"b": bytes(2**20 - 1)})
    with pytest.raises(Refused, match=r"`source` has 1\.5 MiB, and a cluster keeps at most 1 MiB"):
        render.config(PLACE, "source", {}, {"b": bytes(3 * 2**19)})
    with pytest.raises(Refused, match="at most 1 MiB"):
        render.secret(PLACE, "secret", {"b": "x" * (2**20 + 1)})


def test_a_servers_password_is_on_no_command_line():
    made, service = render.server(PLACE, Server("postgres:18", "database-1"), a_policy())
    pod = pod_of(made)
    (container,) = pod["containers"]
    assert {"name": "password", "secret": {"secretName": "database-1", "defaultMode": 0o440}} in pod["volumes"]
    assert container["command"][:2] == ["sh", "-ec"]
    assert '--pwfile="$$PASSWORD_FILE"' in container["command"][2]
    assert container["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 999
    assert made["spec"]["strategy"] == {"type": "Recreate"}
    assert (service["metadata"]["name"], service["spec"]["ports"][0]["port"]) == ("postgres", 5432)


def test_a_server_keeps_its_data_where_the_policy_names_a_class():
    *_, claim = render.server(PLACE, Server("postgres:18", "database-1"), EVERYTHING)
    assert (claim["kind"], claim["spec"]["storageClassName"]) == ("PersistentVolumeClaim", "fast")
    assert claim["spec"]["resources"] == {"requests": {"storage": "10240Mi"}}


def test_a_seeded_image_starts_as_it_is():
    made, _ = render.server(PLACE, Server("acme/data:1", "database-1", seeded=True), EVERYTHING)
    (container,) = pod_of(made)["containers"]
    assert "command" not in container
    assert "PGDATA" not in [variable["name"] for variable in container["env"]]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/dev/shm"}


def test_two_previews_of_one_name_are_told_apart():
    other = Place(PLACE.namespace, PreviewKey("shop", 8), "mayfly")
    selectors = [render.workload(place, a_workload(), a_policy())[0]["spec"]["selector"] for place in (PLACE, other)]
    assert selectors[0] != selectors[1]
    assert PLACE.key == KEY


def test_what_is_rendered_is_the_callers_own():
    first = deployment()
    before = copy.deepcopy(first)
    deployment()["metadata"]["labels"]["a"] = "b"
    assert deployment() == first == before


def test_the_gateway_is_the_only_way_in_unless_the_policy_says_otherwise():
    assert render.entrance(PLACE, "web", 8000, HOST, a_policy()) == ()


def test_an_ingress_leads_from_the_host_to_the_service():
    ingress, fence = render.entrance(PLACE, "web", 8000, HOST, EVERYTHING)
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"hosts": [HOST], "secretName": "wildcard"}]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == HOST
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "web", "port": {"number": 8000}}
    assert fence["spec"]["ingress"] == [
        {
            "from": [{"namespaceSelector": {"matchExpressions": [{"key": names.PREVIEW, "operator": "DoesNotExist"}]}}],
            "ports": [{"protocol": "TCP", "port": 8000}],
        }
    ]
    assert fence["spec"]["policyTypes"] == ["Ingress"]
