"""Every object that is rendered is what the API server expects, in old and new versions, with no field it ignores."""

import kubernetes_validate
import pytest

from controller.adapters.kubernetes import render
from controller.adapters.kubernetes.shapes import Container, SecretKey, Server
from tests.manifests.wanted import (
    EVERYTHING,
    HOST,
    PLACE,
    a_check_task,
    a_container,
    a_policy,
    a_task,
    a_workload,
    everything,
    simple,
)

POLICY = a_policy()
SECRET = {"A": SecretKey("database", "url")}
TABLE = {
    "a simple preview": simple(),
    "a preview with everything": everything(),
    "no annotations": (render.namespace(PLACE, {}),),
    "an empty config": (render.config(PLACE, "empty", {}),),
    "a database outside": render.fences(PLACE, POLICY, 5432),
    "a service without a port": render.workload(PLACE, a_workload(port=None), POLICY),
    "a service with only secrets": render.workload(PLACE, a_workload(secrets=SECRET), POLICY),
    "a checkout without a build": render.workload(PLACE, a_workload(source="source-1"), POLICY),
    "an ingress of the default class": render.entrance(PLACE, "web", 80, HOST, a_policy(entrance={"kind": "ingress"})),
    "a task with nothing": (render.task(PLACE, a_task(a_container(port=None)), POLICY),),
    "a server whose data goes": render.server(PLACE, Server("postgres:18", "database"), POLICY),
    "a seeded server": render.server(PLACE, Server("acme/data:1", "database", seeded=True), EVERYTHING),
    "checks with images": (
        render.check_task(PLACE, a_check_task(beside=(Container("a", "b"), Container("c", "d"))), EVERYTHING),
    ),
}
OBJECTS = [
    pytest.param(obj, id=f"{case}: {obj['kind']} {obj['metadata']['name']}")
    for case, all_ in TABLE.items()
    for obj in all_
]


@pytest.mark.parametrize("version", ["1.31", "1.37"])
@pytest.mark.parametrize("obj", OBJECTS)
def test_a_manifest_keeps_to_the_schema(obj, version):
    kubernetes_validate.validate(obj, version, strict=True)


def test_the_table_has_everything_that_a_schema_knows():
    kinds = {case.values[0]["kind"] for case in OBJECTS}
    assert kinds == {
        "ConfigMap",
        "Deployment",
        "Ingress",
        "Job",
        "LimitRange",
        "Namespace",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "ResourceQuota",
        "Secret",
        "Service",
        "ServiceAccount",
    }


def test_an_http_route_attaches_to_the_gateway_of_the_policy():
    policy = a_policy(entrance={"kind": "httproute", "gateway": "public", "gateway_namespace": "edge"})
    route, _ = render.entrance(PLACE, "web", 8000, HOST, policy)
    assert (route["apiVersion"], route["kind"]) == ("gateway.networking.k8s.io/v1", "HTTPRoute")
    assert route["metadata"]["namespace"] == PLACE.namespace
    assert route["spec"] == {
        "parentRefs": [{"name": "public", "namespace": "edge"}],
        "hostnames": [HOST],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": "web", "port": 8000}],
            }
        ],
    }
