"""What depends on the rest of the cluster: the namespace, its quota, its policies."""

from tests.fakes.cluster import quota, security
from tests.fakes.cluster.problems import forbidden, not_found
from tests.fakes.cluster.resources import ACCOUNT, LIMIT_RANGE, NAMESPACE, POD, QUOTA, Obj, Resource
from tests.fakes.cluster.store import Store


def admit(store: Store, resource: Resource, new: Obj) -> Obj:
    """What is made of a new object. Raises ApiError where it may not be."""
    if not resource.namespaced:
        return new
    name, namespace = new["metadata"]["name"], new["metadata"]["namespace"]
    _into(store, resource, name, namespace)
    if resource is POD:
        new = _pod(store, new, namespace)
    objects = store.within(namespace) if store.all(QUOTA, namespace) else []
    for limit in store.all(QUOTA, namespace):
        quota.check(limit, resource, new, objects)
    return new


def _into(store: Store, resource: Resource, name: str, namespace: str) -> None:
    space = store.get(NAMESPACE, namespace)
    if space is None:
        raise not_found(NAMESPACE, namespace)
    if "deletionTimestamp" in space["metadata"]:
        told = f"namespace {namespace} is being terminated"
        cause = ("NamespaceTerminating", told, "metadata.namespace")
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise forbidden(resource, name, why, [cause])


def _pod(store: Store, pod: Obj, namespace: str) -> Obj:
    name = pod["metadata"]["name"]
    account = pod["spec"].get("serviceAccountName") or "default"
    if store.get(ACCOUNT, account, namespace) is None:
        why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise forbidden(POD, name, why)
    pod = quota.with_defaults(pod, store.all(LIMIT_RANGE, namespace))
    labels = (store.get(NAMESPACE, namespace) or {})["metadata"].get("labels") or {}
    if why := security.violation(labels, pod["spec"]):
        raise forbidden(POD, name, why)
    return pod | {"spec": pod["spec"] | {"serviceAccountName": account}, "status": {"phase": "Pending"}}
