"""The kinds that are read or written, and where the API has each of them. Pure.

The table is all there is: nothing is asked of the server's discovery, so that a kind nobody thought of is refused.
"""

from dataclasses import dataclass
from urllib.parse import quote

from controller.adapters.kubernetes.shapes import Obj
from controller.errors import Refused


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource of the API: `Kind("apps/v1", "Deployment", "deployments")`."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True


NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
EVENT = Kind("v1", "Event", "events")
LIMIT_RANGE = Kind("v1", "LimitRange", "limitranges")
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
POD = Kind("v1", "Pod", "pods")
QUOTA = Kind("v1", "ResourceQuota", "resourcequotas")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
JOB = Kind("batch/v1", "Job", "jobs")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")

KINDS = (
    *(NAMESPACE, CONFIG_MAP, EVENT, LIMIT_RANGE, CLAIM, POD, QUOTA, SECRET, SERVICE, SERVICE_ACCOUNT),
    *(DAEMON_SET, DEPLOYMENT, STATEFUL_SET, AUTOSCALER, CRON_JOB, JOB, LEASE, HTTP_ROUTE, INGRESS, NETWORK_POLICY),
    *(DISRUPTION_BUDGET, ROLE, ROLE_BINDING),
)
_BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}


def kind_of(obj: Obj) -> Kind:
    """Raises Refused for one that is not in the table."""
    api_version, name = obj.get("apiVersion", ""), obj.get("kind", "")
    kind = _BY_NAME.get((api_version, name))
    if kind is None:
        raise Refused(f"objects of the kind {name or '(none)'} ({api_version or 'no apiVersion'}) are not supported")
    return kind


def path(kind: Kind, namespace: str = "", name: str = "") -> str:
    """Where the API has it: `/apis/apps/v1/namespaces/a/deployments/web`; without a name all of them."""
    group = f"apis/{kind.api_version}" if "/" in kind.api_version else f"api/{kind.api_version}"
    within = f"/namespaces/{quote(namespace, safe='')}" if kind.namespaced and namespace else ""
    return f"/{group}{within}/{kind.plural}" + (f"/{quote(name, safe='')}" if name else "")


def whereabouts(obj: Obj) -> tuple[Kind, str, str]:
    """Its kind, namespace and name. Raises Refused where one that it needs is missing."""
    kind, metadata = kind_of(obj), obj.get("metadata") or {}
    name, namespace = metadata.get("name", ""), metadata.get("namespace", "") if kind.namespaced else ""
    if not name or (kind.namespaced and not namespace):
        raise Refused(f"a {kind.kind} needs metadata.{'namespace' if name else 'name'}")
    return kind, namespace, name
