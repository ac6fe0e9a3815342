"""The garbage collector and the namespace controller: what the cluster does by itself when something is deleted."""

from collections.abc import Callable
from contextlib import suppress

from tests.fakes.cluster.objects import FOREGROUND, STATUS, Objects, now
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.resources import ACCOUNT, BY_PATH, CONFIG_MAP, NAMESPACE, POD, Obj, Resource
from tests.fakes.cluster.store import Event, owner_uids

Soon = Callable[..., object]
FIRST = {"kube-root-ca.crt": CONFIG_MAP, "default": ACCOUNT}
"""In every namespace from the beginning."""
TROUBLES = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
)


class Housekeeping:
    """`soon(function, *arguments)` calls later; `dead` names API services that do not answer."""

    def __init__(self, objects: Objects, soon: Soon, dead: set[str]) -> None:
        self._objects, self._soon, self._dead = objects, soon, dead
        objects.store.listen(self._hear)

    def _hear(self, event: Event) -> None:
        metadata = event.object["metadata"]
        if event.resource is NAMESPACE and event.type == "ADDED":
            self._soon(self._furnish, metadata["name"])
        if event.type == "DELETED":
            self._soon(self._collect, metadata["uid"])
            self._soon(self._empty, metadata.get("namespace", ""))
            for uid in owner_uids(event.object):
                self._soon(self._release, event.object, uid)
        elif "deletionTimestamp" in metadata:
            self._soon(self._empty, metadata["name"] if event.resource is NAMESPACE else metadata.get("namespace", ""))
            if FOREGROUND in (metadata.get("finalizers") or ()):
                self._soon(self._dependents_first, event.resource, metadata)

    def _furnish(self, namespace: str) -> None:
        for name, resource in FIRST.items():
            obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}
            with suppress(ApiError):
                self._objects.create(resource, obj, namespace)

    def _collect(self, uid: str) -> None:
        for resource, obj in self._objects.store.owned_by(uid):
            self._delete(resource, obj, {"propagationPolicy": "Background"})

    def _delete(self, resource: Resource, obj: Obj, options: Obj | None = None) -> None:
        metadata = obj["metadata"]
        if "deletionTimestamp" not in metadata:
            self._objects.delete(resource, metadata["name"], metadata.get("namespace", ""), options)

    def _dependents_first(self, resource: Resource, metadata: Obj) -> None:
        left = self._objects.store.owned_by(metadata["uid"])
        for inner, obj in left:
            self._delete(inner, obj, {"propagationPolicy": "Foreground"})
        live = self._objects.store.get(resource, metadata["name"], metadata.get("namespace", ""))
        if live is not None and not self._objects.store.owned_by(metadata["uid"]):
            kept = [name for name in live["metadata"].get("finalizers") or () if name != FOREGROUND]
            self._patch(resource, live, {"metadata": live["metadata"] | {"finalizers": kept}})

    def _release(self, gone: Obj, owner: str) -> None:
        """Whoever waited for this one to go."""
        for reference in gone["metadata"]["ownerReferences"]:
            resource = next(known for known in BY_PATH.values() if known.kind == reference["kind"])
            found = self._objects.store.get(resource, reference["name"], gone["metadata"].get("namespace", ""))
            if (
                found
                and found["metadata"]["uid"] == owner
                and FOREGROUND in (found["metadata"].get("finalizers") or ())
            ):
                self._dependents_first(resource, found["metadata"])

    def _patch(self, resource: Resource, live: Obj, change: Obj) -> None:
        metadata = live["metadata"]
        self._objects.patch(resource, lambda obj: obj | change, metadata["name"], metadata.get("namespace", ""))

    def _empty(self, namespace: str) -> None:
        space = self._objects.store.get(NAMESPACE, namespace)
        if space is None or "deletionTimestamp" not in space["metadata"]:
            return
        for resource, obj in self._objects.store.within(namespace):
            self._delete(resource, obj, {"propagationPolicy": "Background"})
        left = [found for found in self._objects.store.within(namespace) if found[0] is not POD or _stuck(found[1])]
        if self._objects.store.within(namespace) or self._dead:
            self._report(space, left)
            return
        self._patch(NAMESPACE, space, {"spec": space["spec"] | {"finalizers": []}})

    def _report(self, space: Obj, left: list[tuple[Resource, Obj]]) -> None:
        told = dict.fromkeys(TROUBLES, ("False", "ContentDeleted", "All content successfully deleted"))
        if self._dead:
            told[TROUBLES[0]] = ("True", "DiscoveryFailed", _undiscovered(sorted(self._dead)))
        if left:
            told[TROUBLES[3]] = ("True", "SomeResourcesRemain", _remaining(left))
            told[TROUBLES[4]] = ("True", "SomeFinalizersRemain", _finalizers(left))
        known = {found["type"]: found for found in space.get("status", {}).get("conditions") or ()}
        conditions = [_condition(name, *words, known.get(name)) for name, words in told.items()]
        status = {"phase": "Terminating", "conditions": conditions}
        metadata = space["metadata"]
        self._objects.patch(NAMESPACE, lambda obj: obj | {"status": status}, metadata["name"], how=STATUS)

    def again(self) -> None:
        """Looks once more at every namespace that is being deleted: what kept it may be gone."""
        for space in self._objects.store.all(NAMESPACE):
            self._soon(self._empty, space["metadata"]["name"])


def _stuck(pod: Obj) -> bool:
    return bool(pod["metadata"].get("finalizers"))


def _condition(name: str, status: str, reason: str, message: str, known: Obj | None) -> Obj:
    same = known is not None and known["status"] == status
    since = known["lastTransitionTime"] if known is not None and same else now()
    return {"type": name, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


def _undiscovered(dead: list[str]) -> str:
    told = ", ".join(f"{name}: stale GroupVersion discovery: {name}" for name in dead)
    unable = "unable to retrieve the complete list of server APIs"
    return f"Discovery failed for some groups, {len(dead)} failing: {unable}: {told}"


def _counted(names: list[str]) -> list[tuple[str, int]]:
    return sorted((name, names.count(name)) for name in set(names))


def _remaining(left: list[tuple[Resource, Obj]]) -> str:
    found = _counted([f"{resource.plural}.{resource.group}" for resource, _ in left])
    told = ", ".join(f"{name} has {count} resource instances" for name, count in found)
    return f"Some resources are remaining: {told}"


def _finalizers(left: list[tuple[Resource, Obj]]) -> str:
    found = _counted([name for _, obj in left for name in obj["metadata"].get("finalizers") or ()])
    told = ", ".join(f"{name} in {count} resource instances" for name, count in found)
    return f"Some content in the namespace has finalizers remaining: {told}"
