"""What `allowed` lets through and `own` places, as a real API server takes it: strictly, under Pod Security."""

import json
import os
import shutil
import subprocess
import uuid

import pytest

from controller.adapters.kubernetes import own_placing, render
from controller.adapters.kubernetes.allowed import why_not_all
from controller.adapters.kubernetes.shapes import Place
from controller.common.nouns import PreviewKey
from controller.settings import Entrance, Kubernetes
from tests.adapters.kubernetes.manifests import a_deployment, a_pod_spec, an_ingress, an_object
from tests.adapters.kubernetes.test_allowed import FINE, HOST, POLICY

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="needs a cluster: KUBECONFIG is not set"),
    pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl on PATH"),
]


def _kubectl(*words, given=None):
    done = subprocess.run(["kubectl", *words], input=given, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def place():
    place = Place(f"own-test-{uuid.uuid4().hex[:8]}", PreviewKey("shop", 7), "own-test")
    fences = render.fences(place, POLICY, None)
    objects = [render.namespace(place, {}), *(obj for obj in fences if obj["kind"] in {"ServiceAccount", "LimitRange"})]
    for obj in objects:
        status, said = _kubectl("apply", "--server-side", "-f", "-", given=json.dumps(obj))
        assert status == 0, said
    yield place
    _kubectl("delete", "namespace", place.namespace, "--wait=false")


def _tried(obj, place, policy=POLICY):
    made = own_placing.placed(obj, place, 3, policy)
    words = ("--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    return _kubectl("apply", *words, given=json.dumps(made))


def _whole(obj):
    """With what a server needs of an example that is there for one field."""
    spec = obj.get("spec", {})
    if obj["kind"] == "StatefulSet":
        spec |= {"selector": {"matchLabels": {"app": "web"}}, "serviceName": "web"}
        spec["volumeClaimTemplates"][0]["spec"] = _claim()
    if obj["kind"] == "PersistentVolumeClaim":
        spec |= _claim()
    if obj["kind"] == "HorizontalPodAutoscaler":
        spec["scaleTargetRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    for pod in own_placing._pods(obj):
        if obj["kind"] in {"Job", "CronJob"}:
            pod["restartPolicy"] = "Never"
        for volume in pod.get("volumes", ()):
            pod["containers"][0]["volumeMounts"] = [{"name": volume["name"], "mountPath": "/v"}]
    return obj


def _claim():
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@pytest.mark.parametrize("name", FINE)
def test_what_is_allowed_is_taken_strictly_and_without_a_warning(place, name):
    obj = _whole(json.loads(json.dumps(FINE[name]).replace("preview-pr-7-shop", place.namespace)))
    if name == "one with an account of the set":
        assert _tried(an_object("ServiceAccount"), place)[0] == 0
        account = own_placing.placed(an_object("ServiceAccount"), place, 3, POLICY)
        assert _kubectl("apply", "--server-side", "-f", "-", given=json.dumps(account))[0] == 0
    status, said = _tried(obj, place)
    assert (status, "Warning" in said) == (0, False), said


def test_an_ingress_to_our_own_host_is_taken(place):
    policy = Kubernetes(entrance=Entrance(kind="ingress", ingress_class="nginx"))
    ingress = an_ingress(ingressClassName="nginx")
    assert why_not_all([ingress], place.namespace, policy, hosts={HOST}) == ""
    status, said = _tried(ingress, place, policy)
    assert status == 0, said


def test_a_deployment_runs(place):
    """The pod is made: neither Pod Security nor the account stands in its way."""
    spec = a_pod_spec(securityContext={"runAsUser": 1000})
    made = own_placing.placed(a_deployment(spec, name="runs"), place, 3, POLICY)
    status, said = _kubectl("apply", "--server-side", "-f", "-", given=json.dumps(made))
    assert status == 0, said
    words = ("--for=create", "--timeout=30s", "-l", "app=web", "-n", place.namespace)
    status, said = _kubectl("wait", "pod", *words)
    assert status == 0, said
    _, shown = _kubectl("get", "pod", "-l", "app=web", "-n", place.namespace, "-o", "json")
    (pod,) = json.loads(shown)["items"]
    assert pod["spec"]["serviceAccountName"] == "preview"
    assert not any("kube-api-access" in volume["name"] for volume in pod["spec"].get("volumes", ()))
