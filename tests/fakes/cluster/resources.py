"""Which resources there are, and how the paths of the API name them."""

from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """`spec` says that the server counts its generations, `status` that it has a subresource of that name."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    spec: bool = False
    status: bool = False

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def qualified(self) -> str:
        """`deployments.apps`, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def prefix(self) -> str:
        return f"/apis/{self.api_version}" if self.group else "/api/v1"


NAMESPACE = Resource("v1", "Namespace", "namespaces", namespaced=False, status=True)
POD = Resource("v1", "Pod", "pods", spec=True, status=True)
SECRET = Resource("v1", "Secret", "secrets")
CONFIG_MAP = Resource("v1", "ConfigMap", "configmaps")
SERVICE = Resource("v1", "Service", "services", status=True)
QUOTA = Resource("v1", "ResourceQuota", "resourcequotas", status=True)
LIMIT_RANGE = Resource("v1", "LimitRange", "limitranges")
EVENT = Resource("v1", "Event", "events")
CLAIM = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims", status=True)
DEPLOYMENT = Resource("apps/v1", "Deployment", "deployments", spec=True, status=True)
REPLICA_SET = Resource("apps/v1", "ReplicaSet", "replicasets", spec=True, status=True)
JOB = Resource("batch/v1", "Job", "jobs", spec=True, status=True)
LEASE = Resource("coordination.k8s.io/v1", "Lease", "leases")
NETWORK_POLICY = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", spec=True)
ACCOUNT = Resource("v1", "ServiceAccount", "serviceaccounts")

ALL = (
    NAMESPACE,
    POD,
    SECRET,
    CONFIG_MAP,
    SERVICE,
    QUOTA,
    LIMIT_RANGE,
    EVENT,
    CLAIM,
    DEPLOYMENT,
    REPLICA_SET,
    JOB,
    LEASE,
    NETWORK_POLICY,
    ACCOUNT,
    Resource("v1", "Node", "nodes", namespaced=False, status=True),
    Resource("apps/v1", "StatefulSet", "statefulsets", spec=True, status=True),
    Resource("apps/v1", "DaemonSet", "daemonsets", spec=True, status=True),
    Resource("batch/v1", "CronJob", "cronjobs", spec=True, status=True),
    Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", status=True),
    Resource("networking.k8s.io/v1", "Ingress", "ingresses", spec=True, status=True),
    Resource("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", spec=True, status=True),
    Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", spec=True, status=True),
    Resource("rbac.authorization.k8s.io/v1", "Role", "roles"),
    Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
)
SHORT = {"namespaces": "ns", "pods": "po", "configmaps": "cm", "services": "svc", "deployments": "deploy"}
BY_PATH = {(resource.api_version, resource.plural): resource for resource in ALL}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path of the API means: a collection where `name` is empty."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse(path: str) -> Target | None:
    """`/apis/apps/v1/namespaces/shop/deployments/web/status`; None where it names no resource."""
    words = path.strip("/").split("/")
    if words[:2] == ["api", "v1"]:
        version, rest = "v1", words[2:]
    elif words[0] == "apis" and len(words) > 3:
        version, rest = "/".join(words[1:3]), words[3:]
    else:
        return None
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    resource = BY_PATH.get((version, rest[0])) if rest else None
    if resource is None:
        return None
    name, subresource = [*rest[1:3], "", ""][:2]
    return Target(resource, namespace, name, subresource)


def discovery(path: str) -> Obj | None:
    """What kubectl asks for first."""
    groups = sorted({resource.api_version for resource in ALL if resource.group})
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(version) for version in groups]}
    version = "v1" if path == "/api/v1" else path.removeprefix("/apis/")
    found = [_listed(resource) for resource in ALL if resource.api_version == version]
    if not found:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": found}


def _group(version: str) -> Obj:
    choice = {"groupVersion": version, "version": version.rpartition("/")[2]}
    return {"name": version.rpartition("/")[0], "versions": [choice], "preferredVersion": choice}


def _listed(resource: Resource) -> Obj:
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    named: Obj = {"name": resource.plural, "singularName": resource.kind.lower(), "kind": resource.kind}
    named["shortNames"] = [SHORT[resource.plural]] if resource.plural in SHORT else []
    return named | {"namespaced": resource.namespaced, "verbs": verbs}
