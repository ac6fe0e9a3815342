"""What a pull request's own manifests may be: a table of what is let through, one of what is not, and anything else."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.adapters.kubernetes import allowed
from controller.adapters.kubernetes.allowed import why_not, why_not_all
from controller.settings import Kubernetes
from tests.adapters.kubernetes.manifests import (
    HOST,
    IMAGE,
    INGRESS_POLICY,
    NAMESPACE,
    POLICY,
    ROUTE_POLICY,
    a_container,
    a_cron_job,
    a_deployment,
    a_pod_spec,
    a_route,
    a_service,
    a_template,
    an_ingress,
    an_object,
)


def _why(obj, policy=POLICY, accounts=("web",)):
    return why_not(obj, NAMESPACE, policy, hosts={HOST}, accounts=accounts)


def _volume(**volume):
    return a_deployment(a_pod_spec(volumes=[{"name": "v", **volume}]))


def _context(**context):
    return a_deployment(a_pod_spec(containers=[a_container(securityContext=context)]))


HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    "privileged": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
FINE = {
    "a config": an_object(data={"a": "b"}),
    "a secret": an_object("Secret", type="Opaque", stringData={"a": "b"}),
    "an account": an_object("ServiceAccount", automountServiceAccountToken=False),
    "a claim": an_object("PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"], "storageClassName": "fast"}),
    "a pod": an_object("Pod", spec=a_pod_spec()),
    "a deployment": a_deployment(),
    "one that names our namespace": a_deployment(namespace=NAMESPACE),
    "one with an account of the set": a_deployment(a_pod_spec(serviceAccountName="web")),
    "one with words of a chart": a_deployment(
        labels={"helm.sh/chart": "web-1", "app.kubernetes.io/managed-by": "Helm", "tier": "front"},
        annotations={"checksum/config": "abc", "note": "plain"},
        creationTimestamp=None,
    ),
    "a hardened one": _context(**HARDENED),
    "one with what charts leave empty": a_deployment(
        a_pod_spec(hostNetwork=False, tolerations=[], nodeSelector={}, affinity={}, priorityClassName="")
    ),
    "an empty folder": _volume(emptyDir={}),
    "a file of a config": _volume(configMap={"name": "web"}),
    "a secret of its own": _volume(secret={"secretName": "web"}),
    "a volume of its own": _volume(persistentVolumeClaim={"claimName": "web"}),
    "an image as a volume": _volume(image={"reference": IMAGE}),
    "an account's words without its token": _volume(projected={"sources": [{"configMap": {"name": "a"}}]}),
    "a stateful set": an_object(
        "StatefulSet",
        "apps/v1",
        spec={"template": a_template(), "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]},
    ),
    "a job": an_object("Job", "batch/v1", spec={"template": a_template()}),
    "a cron job": a_cron_job(),
    "a service": a_service(),
    "a headless service": a_service(clusterIP="None", type="ClusterIP"),
    "a budget": an_object("PodDisruptionBudget", "policy/v1", spec={"maxUnavailable": 1}),
    "an autoscaler": an_object("HorizontalPodAutoscaler", "autoscaling/v2", spec={"maxReplicas": 3}),
}


@pytest.mark.parametrize("obj", [pytest.param(obj, id=name) for name, obj in FINE.items()])
def test_this_is_fine(obj):
    assert _why(obj) == ""


@pytest.mark.parametrize(
    ("kind", "api_version"),
    [
        ("Namespace", "v1"),
        ("Node", "v1"),
        ("PersistentVolume", "v1"),
        ("ResourceQuota", "v1"),
        ("LimitRange", "v1"),
        ("Endpoints", "v1"),
        ("NetworkPolicy", "networking.k8s.io/v1"),
        ("Role", "rbac.authorization.k8s.io/v1"),
        ("RoleBinding", "rbac.authorization.k8s.io/v1"),
        ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1"),
        ("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
        ("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
        ("EndpointSlice", "discovery.k8s.io/v1"),
        ("DaemonSet", "apps/v1"),
        ("Deployment", "extensions/v1beta1"),
        ("Lease", "coordination.k8s.io/v1"),
        ("Certificate", "cert-manager.io/v1"),
        ("deployment", "apps/v1"),
    ],
)
def test_a_kind_that_is_not_in_the_list_is_refused(kind, api_version):
    words = f"{kind} web: a {kind} of {api_version} is not allowed in a preview"
    assert _why(an_object(kind, api_version, spec={})) == words


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"hostPID": True}, "hostPID"),
        ({"hostIPC": True}, "hostIPC"),
        ({"hostNetwork": "yes"}, "hostNetwork"),
        ({"nodeName": "node-1"}, "nodeName"),
        ({"tolerations": [{"operator": "Exists"}]}, "tolerations"),
        ({"priorityClassName": "system-node-critical"}, "priorityClassName"),
        ({"schedulerName": "mine"}, "schedulerName"),
        ({"runtimeClassName": "fast"}, "runtimeClassName"),
        ({"resourceClaims": [{"name": "gpu"}]}, "resourceClaims"),
        ({"serviceAccountName": "admin"}, "`spec.template.spec.serviceAccountName: admin` is not among these"),
        ({"serviceAccount": "admin"}, "`spec.template.spec.serviceAccount: admin` is not among these"),
        ({"automountServiceAccountToken": True}, "automountServiceAccountToken"),
        ({"terminationGracePeriodSeconds": 86400}, "may be 120 at most"),
        ({"terminationGracePeriodSeconds": "1"}, "may be 120 at most"),
        ({"somethingNew": {"a": 1}}, "somethingNew"),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}, "sysctls"),
        ({"securityContext": {"runAsUser": 0}}, "may not be root"),
        ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, "windowsOptions"),
        ({"containers": []}, "has no containers"),
        ({"containers": None}, "has no containers"),
        ({"containers": [], "initContainers": [a_container()]}, "containers"),
        ({"containers": [a_container()] * 30}, "too many containers"),
        ({"containers": [a_container(image="evil.example/x")]}, "is not from a registry"),
        ({"containers": [a_container(image="ghcr.io/acme-evil/x")]}, "is not from a registry"),
        ({"containers": [a_container(image=None)]}, "is not the name of an image"),
        ({"containers": [a_container(image=3)]}, "is not text"),
        ({"initContainers": [a_container(image="evil.example/x")]}, "initContainers[0].image"),
        ({"ephemeralContainers": [a_container(image="evil.example/x")]}, "ephemeralContainers[0].image"),
        ({"containers": [a_container(ports=[{"containerPort": 80, "hostPort": 80}])]}, "hostPort"),
        ({"containers": [a_container(ports=[{"containerPort": 80, "hostIP": "0.0.0.0"}])]}, "hostIP"),
        ({"containers": [a_container(volumeDevices=[{"name": "v"}])]}, "volumeDevices"),
        ({"containers": [a_container(livenessProbe={"httpGet": {"host": "10.0.0.1"}})]}, "livenessProbe.httpGet.host"),
        ({"containers": [a_container(lifecycle={"preStop": {"tcpSocket": {"host": "a"}}})]}, "preStop.tcpSocket.host"),
        ({"containers": [a_container(envFrom=[{"secretRef": {"name": "acme-pull"}}])]}, "which is the operator's"),
        (
            {"containers": [a_container(env=[{"valueFrom": {"secretKeyRef": {"name": "acme-pull"}}}])]},
            "which is the operator's",
        ),
    ],
)
@pytest.mark.parametrize("place", [a_deployment, a_cron_job, lambda spec: an_object("Pod", spec=spec)])
def test_a_pod_may_not_have_this_wherever_it_stands(place, spec, words):
    why = _why(place(a_pod_spec(**spec)))
    assert words.replace("spec.template.", "") in why.replace("spec.jobTemplate.", "").replace("spec.template.", "")


@pytest.mark.parametrize(
    "context",
    [
        {"privileged": True},
        {"allowPrivilegeEscalation": True},
        {"runAsNonRoot": False},
        {"runAsUser": 0},
        {"runAsUser": "root"},
        {"procMount": "Unmasked"},
        {"seccompProfile": {"type": "Unconfined"}},
        {"appArmorProfile": {"type": "Unconfined"}},
        {"capabilities": {"add": ["SYS_ADMIN"]}},
        {"capabilities": {"add": "ALL"}},
        {"seLinuxOptions": {"type": "spc_t"}},
    ],
)
def test_a_container_may_not_be_more_than_others(context):
    assert f"securityContext.{next(iter(context))}" in _why(_context(**context))


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"hostPath": {"path": "/"}}, "hostPath"),
        ({"hostPath": {}}, "hostPath"),
        ({"csi": {"driver": "x"}}, "csi"),
        ({"nfs": {"server": "a", "path": "/"}}, "nfs"),
        ({"gitRepo": {"repository": "x"}}, "gitRepo"),
        ({"secret": {"secretName": "acme-pull"}}, "which is the operator's"),
        ({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}, "serviceAccountToken"),
        ({"projected": {"sources": [{"clusterTrustBundle": {}}]}}, "clusterTrustBundle"),
        ({"projected": {"sources": [{"secret": {"name": "acme-pull"}}]}}, "which is the operator's"),
        ({"image": {"reference": "evil.example/x"}}, "is not from a registry"),
        ({"image": {}}, "is not the name of an image"),
        ({"ephemeral": {"volumeClaimTemplate": {"spec": {"volumeName": "pv-1"}}}}, "volumeName"),
    ],
)
def test_a_volume_may_not_be_this(volume, words):
    assert words in _why(_volume(**volume))


@pytest.mark.parametrize("key", ["volumeName", "selector", "dataSource", "dataSourceRef"])
def test_a_claim_takes_no_volume_that_is_there(key):
    assert key in _why(an_object("PersistentVolumeClaim", spec={key: {"name": "other"}}))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"namespace": "kube-system"}, "metadata.namespace: kube-system` is not allowed in a preview; leave it out"),
        ({"finalizers": ["acme.io/stay"]}, "finalizers"),
        ({"ownerReferences": [{"kind": "Node"}]}, "ownerReferences"),
        ({"generateName": "web-"}, "generateName"),
        ({"name": "Web"}, "is not a name"),
        ({"name": ""}, "is not a name"),
        ({"name": None}, "is not a name"),
        ({"name": "../../x"}, "is not a name"),
        ({"labels": {"mayfly.dev/instance": "other"}}, "mayfly.dev/instance"),
        ({"annotations": {"mayfly.dev/record": "{}"}}, "mayfly.dev/record"),
        ({"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}, "pod-security.kubernetes.io/enforce"),
        ({"annotations": {"reflector.v1.k8s.emberstack.com/reflects": "kube-system/x"}}, "reflects"),
        ({"annotations": {"external-dns.alpha.kubernetes.io/hostname": "acme.com"}}, "external-dns"),
        ({"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/admin"}}, "eks.amazonaws.com"),
        ({"annotations": {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}}, "apparmor"),
        ({"annotations": {"k8s.v1.cni.cncf.io/networks": "host"}}, "k8s.v1.cni.cncf.io"),
        ({"annotations": {"helm.sh/hook": "pre-install"}}, "Helm hook"),
        ({"annotations": {"a": 1}}, "is not text"),
        ({"annotations": []}, "is not a mapping"),
    ],
)
def test_an_object_may_not_say_this_of_itself(metadata, words):
    assert words in _why(a_deployment(**metadata))
    if not metadata.keys() & {"name"}:
        inner = a_deployment()
        inner["spec"]["template"]["metadata"] |= metadata
        assert words in _why(inner)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "LoadBalancer"}, "`spec.type: LoadBalancer` is not allowed in a preview; the gateway leads to it"),
        ({"type": "NodePort"}, "NodePort"),
        ({"type": "ExternalName", "externalName": "metadata.google.internal"}, "ExternalName"),
        ({"externalIPs": ["10.0.0.1"]}, "externalIPs"),
        ({"loadBalancerIP": "10.0.0.1"}, "loadBalancerIP"),
        ({"clusterIP": "10.96.0.10"}, "clusterIP"),
        ({"clusterIPs": ["10.96.0.10"]}, "10.96.0.10"),
        ({"ports": [{"port": 80, "nodePort": 30000}]}, "nodePort"),
    ],
)
def test_a_service_stays_within_the_cluster(spec, words):
    assert words in _why(a_service(**spec))


@pytest.mark.parametrize("kind", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"])
def test_a_secret_makes_no_token(kind):
    assert f"`type: {kind}`" in _why(an_object("Secret", type=kind))


def test_an_account_has_no_token():
    assert "automountServiceAccountToken" in _why(an_object("ServiceAccount", automountServiceAccountToken=True))
    assert "secrets" in _why(an_object("ServiceAccount", secrets=[{"name": "a"}]))


NGINX = "nginx.ingress.kubernetes.io"


@pytest.mark.parametrize(
    ("ingress", "words"),
    [
        (an_ingress(), ""),
        (an_ingress(ingressClassName="nginx", tls=[{"hosts": [HOST], "secretName": "tls"}]), ""),
        (an_ingress(annotations={f"{NGINX}/proxy-body-size": "8m"}), ""),
        (an_ingress(annotations={f"{NGINX}/proxy-body-size": "8m;}\nserver {"}), "proxy-body-size"),
        (an_ingress(annotations={f"{NGINX}/configuration-snippet": "x"}), "configuration-snippet"),
        (an_ingress(annotations={f"{NGINX}/server-snippet": "x"}), "server-snippet"),
        (an_ingress(annotations={f"{NGINX}/auth-tls-secret": "kube-system/x"}), "auth-tls-secret"),
        (an_ingress(annotations={f"{NGINX}/auth-url": "http://a"}), "auth-url"),
        (an_ingress(annotations={"cert-manager.io/cluster-issuer": "prod"}), "cert-manager.io"),
        (an_ingress("shop.example"), f"`spec.rules[0].host: shop.example` is not a host of this preview ({HOST})"),
        (an_ingress("*.preview.example"), "is not a host of this preview"),
        (an_ingress(None), "is not a host of this preview"),
        (an_ingress(tls=[{"hosts": ["shop.example"]}]), "tls[0].hosts[0]"),
        (an_ingress(rules=[]), "has no host"),
        (an_ingress(rules=[{"host": HOST, "http": {"paths": [{"path": "/;}"}]}}]), "has letters"),
        (
            an_ingress(rules=[{"host": HOST, "http": {"paths": [{"backend": {"resource": {"kind": "X"}}}]}}]),
            "resource",
        ),
        (an_ingress(defaultBackend={"service": {"name": "web"}}), "defaultBackend"),
        (an_ingress(ingressClassName="internal"), "ingressClassName: internal"),
    ],
)
def test_an_ingress_leads_to_our_own_hosts_only(ingress, words):
    why = _why(ingress, INGRESS_POLICY)
    assert words in why if words else why == ""


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (a_route(), ""),
        (a_route(hostnames=["shop.example"]), "is not a host of this preview"),
        (a_route(hostnames=[]), "has no host"),
        (a_route(parentRefs=[{"name": "other", "namespace": "mayfly"}]), "is not the Gateway mayfly/mayfly"),
        (a_route(parentRefs=[{"name": "mayfly"}]), "is not the Gateway mayfly/mayfly"),
        (a_route(rules=[{"backendRefs": [{"name": "a", "namespace": "kube-system"}]}]), "namespace: kube-system"),
        (a_route(rules=[{"backendRefs": [{"name": "a", "kind": "Secret"}]}]), "kind: Secret"),
        (a_route(rules=[{"filters": [{"type": "RequestMirror"}]}]), "type: RequestMirror"),
        (a_route(rules=[{"filters": [{"type": "ExtensionRef"}]}]), "type: ExtensionRef"),
        (a_route(rules=[{"filters": [{"requestMirror": {}}]}]), "is missing"),
        (a_route(rules=[{"backendRefs": [{"filters": [{"type": "RequestMirror"}]}]}]), "type: RequestMirror"),
    ],
)
def test_a_route_leads_to_our_own_hosts_only(route, words):
    why = _why(route, ROUTE_POLICY)
    assert words in why if words else why == ""


@pytest.mark.parametrize("obj", [an_ingress(), a_route()])
def test_where_the_gateway_is_the_way_in_there_is_no_other(obj):
    assert _why(obj).endswith("previews are reached through the gateway here; leave it out")


def test_a_node_selector_does_not_lead_away_from_where_previews_run():
    policy = Kubernetes(node_selector={"pool": "previews"})
    assert _why(a_deployment(a_pod_spec(nodeSelector={"pool": "previews", "disk": "ssd"})), policy) == ""
    assert "nodeSelector.pool: main" in _why(a_deployment(a_pod_spec(nodeSelector={"pool": "main"})), policy)


def test_any_registry_will_do_where_the_policy_names_none():
    spec = a_pod_spec(containers=[a_container(image="quay.io/any/thing:1")])
    assert _why(a_deployment(spec), Kubernetes()) == ""


def _all(*objects, **more):
    return why_not_all(objects, NAMESPACE, POLICY, **more)


def test_a_set_may_use_the_accounts_it_brings():
    account = an_object("ServiceAccount", name="mine")
    pod = a_deployment(a_pod_spec(serviceAccountName="mine"))
    assert _all(account, pod) == ""
    assert "is not among these manifests" in _all(pod)


def test_a_set_does_not_have_the_same_object_twice():
    assert _all(a_service(), a_deployment(), a_service()) == "Service web: it is there twice"


def test_a_set_does_not_replace_what_is_ours():
    ours = "Service postgres: Mayfly has one of that name in every preview; name it otherwise"
    postgres = an_object("Service", name="postgres", spec={})
    assert _all(postgres, taken={"v1/Service/postgres"}) == ours
    assert "name it otherwise" in _all(an_object("Secret", name="acme-pull", stringData={"a": "b"}))
    assert "name it otherwise" in _all(an_object("ServiceAccount", name="preview"))


def test_a_set_is_bounded():
    assert "these are 101 objects" in _all(*(an_object(name=f"c{number}") for number in range(101)))
    assert "1,048,576 are allowed" in _all(an_object(data={"a": "x" * allowed.MAX_BYTES}))
    large = [an_object(name=f"c{number}", data={"a": "x" * 900_000}) for number in range(10)]
    assert "a preview may have 8,388,608" in _all(*large)


def test_what_nests_without_end_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    obj = an_object()
    obj["data"] = {"a": deep}
    assert _why(obj) == "ConfigMap web: it nests too deeply"
    circle = an_object()
    circle["data"] = circle
    assert _why(circle) == "ConfigMap web: it has a value that JSON does not have"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(ANYTHING)
def test_anything_has_an_answer_and_nothing_that_is_no_object_is_fine(thing):
    assert _why(thing) != ""


def _places(value, path=()):
    """Every place within an object."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from _places(item, (*path, key))


EXAMPLES = [*FINE.values(), an_ingress(ingressClassName="nginx", tls=[{"hosts": [HOST]}]), a_route()]


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_an_object_with_anything_in_any_place_has_an_answer(data):
    obj = copy.deepcopy(data.draw(st.sampled_from(EXAMPLES)))
    place = data.draw(st.sampled_from([place for place in _places(obj) if place]))
    inner = obj
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = data.draw(ANYTHING)
    for policy in (POLICY, INGRESS_POLICY, ROUTE_POLICY):
        if _why(obj, policy) == "":
            assert json.loads(json.dumps(obj, allow_nan=False))["metadata"]["name"] == obj["metadata"]["name"]
