"""The verbs of the API, without HTTP: every write of anybody goes through here, the cluster's own parts included."""

import copy
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.fakes.cluster import defaults, managers, problems, rules
from tests.fakes.cluster.admission import admit
from tests.fakes.cluster.managers import Manager, Owners
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.resources import DEPLOYMENT, JOB, NAMESPACE, POD, Obj, Resource
from tests.fakes.cluster.store import Store

LETTERS = string.ascii_lowercase + string.digits
KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
FOREGROUND = "foregroundDeletion"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class How:
    """Who writes, to which part of the object, and whether really."""

    manager: str = "cluster"
    subresource: str = ""
    dry_run: bool = False
    force: bool = False


SELF = How()
STATUS = How(subresource="status")


class Objects:
    def __init__(self, store: Store) -> None:
        self.store = store

    def read(self, resource: Resource, name: str, namespace: str = "") -> Obj:
        found = self.store.get(resource, name, namespace)
        if found is None:
            raise problems.not_found(resource, name)
        return found

    def create(self, resource: Resource, obj: Obj, namespace: str = "", how: How = SELF) -> Obj:
        new = self._addressed(resource, obj, namespace)
        metadata = new["metadata"]
        if self.store.get(resource, metadata["name"], namespace) is not None:
            raise problems.already_exists(resource, metadata["name"])
        if metadata.get("resourceVersion"):
            raise ApiError(500, "resourceVersion should not be set on objects to be created")
        new = self._begun(resource, new)
        owners = managers.after_update(None, new, Manager(how.manager))
        return self._made(resource, new, owners, how)

    def update(self, resource: Resource, obj: Obj, name: str, namespace: str = "", how: How = SELF) -> Obj:
        live = self.read(resource, name, namespace)
        new = self._addressed(resource, obj, namespace)
        if new["metadata"]["name"] != name:
            raise ApiError(
                400, f"the name of the object ({new['metadata']['name']}) does not match the name on the URL"
            )
        if resource in rules.NEEDS_VERSION and not new["metadata"].get("resourceVersion"):
            why = "0x0: must be specified for an update"
            raise problems.invalid(resource, name, "metadata.resourceVersion", "Invalid value", why)
        return self._changed(resource, live, new, how)

    def patch(
        self, resource: Resource, change: Callable[[Obj], Obj], name: str, namespace: str = "", how: How = SELF
    ) -> Obj:
        live = self.read(resource, name, namespace)
        return self._changed(resource, live, change(live), how)

    def apply(self, resource: Resource, obj: Obj, name: str, namespace: str = "", how: How = SELF) -> tuple[Obj, bool]:
        """The object, and whether it is new."""
        config = self._config(resource, obj, name, namespace, how)
        live = self.store.get(resource, name, namespace)
        manager = Manager(how.manager, "Apply", how.subresource)
        if live is None:
            if how.subresource:
                raise problems.not_found(resource, name)
            return self._applied_anew(resource, config, namespace, manager, how), True
        _unmoved(resource, live, config["metadata"])
        config = config | {
            "metadata": {key: value for key, value in config["metadata"].items() if key != "resourceVersion"}
        }
        new, owners = managers.apply(live, config, manager, force=how.force)
        return self._written(resource, live, new, owners, how), False

    def _applied_anew(self, resource: Resource, config: Obj, namespace: str, manager: Manager, how: How) -> Obj:
        if config["metadata"].get("uid"):
            told = f"the provided object specified uid {config['metadata']['uid']}, and no existing object was found"
            raise problems.conflict(resource, config["metadata"]["name"], f"uid mismatch: {told}")
        new, owners = managers.apply(None, config, manager, force=True)
        new = self._begun(resource, self._addressed(resource, new, namespace))
        return self._made(resource, new, owners, how)

    def _config(self, resource: Resource, obj: Obj, name: str, namespace: str, how: How) -> Obj:
        if obj.get("metadata", {}).get("managedFields"):
            raise ApiError(400, "metadata.managedFields must be nil")
        config = _without_nulls(copy.deepcopy(obj))
        config.setdefault("metadata", {}).setdefault("name", name)
        config = self._addressed(resource, config, namespace)
        if config["metadata"]["name"] != name:
            raise ApiError(
                400, f"the name of the object ({config['metadata']['name']}) does not match the name on the URL"
            )
        if how.subresource == "status":
            return {key: value for key, value in config.items() if key in {"apiVersion", "kind", "metadata", "status"}}
        if resource.status:
            config.pop("status", None)
        return defaults.filled(resource, config) if "stringData" in config else config

    def _addressed(self, resource: Resource, obj: Obj, namespace: str) -> Obj:
        """With a name, and the address that the path says. Raises where they differ."""
        told = (obj.get("apiVersion"), obj.get("kind"))
        if told != (resource.api_version, resource.kind):
            raise ApiError(400, f"the API version and kind in the data {told} do not match the expected")
        metadata = dict(obj.get("metadata") or {})
        if metadata.get("namespace", namespace) != namespace:
            raise ApiError(400, "the namespace of the provided object does not match the namespace sent on the request")
        if namespace:
            metadata["namespace"] = namespace
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(secrets.choice(LETTERS) for _ in range(5))
        if not metadata.get("name"):
            raise problems.invalid(resource, "", "metadata.name", "Required value", "name or generateName is required")
        return obj | {"metadata": metadata}

    def _begun(self, resource: Resource, new: Obj) -> Obj:
        own = {"uid": defaults.new_uid(), "creationTimestamp": now()} | ({"generation": 1} if resource.spec else {})
        new = new | {"metadata": {key: value for key, value in new["metadata"].items() if key not in KEPT} | own}
        if resource.status:
            new.pop("status", None)
        new = defaults.filled(resource, new)
        return defaults.job_labels(new) if resource is JOB else new

    def _made(self, resource: Resource, new: Obj, owners: Owners, how: How) -> Obj:
        rules.check(resource, None, new)
        new = admit(self.store, resource, new)
        managed = managers.entries(owners, None, resource.api_version, now())
        new = new | {"metadata": new["metadata"] | {"managedFields": managed}}
        return new if how.dry_run else self.store.put(resource, new)

    def _changed(self, resource: Resource, live: Obj, new: Obj, how: How) -> Obj:
        _unmoved(resource, live, new["metadata"])
        new = _scoped(resource, live, new, how.subresource)
        owners = managers.after_update(live, new, Manager(how.manager, "Update", how.subresource))
        return self._written(resource, live, new, owners, how)

    def _written(self, resource: Resource, live: Obj, new: Obj, owners: Owners, how: How) -> Obj:
        metadata = {key: value for key, value in new["metadata"].items() if key not in KEPT}
        kept = {key: live["metadata"][key] for key in KEPT if key in live["metadata"]}
        managed = managers.entries(owners, live, resource.api_version, now())
        versioned = {"resourceVersion": live["metadata"]["resourceVersion"], "managedFields": managed}
        new = defaults.filled(resource, new | {"metadata": metadata | kept | versioned})
        if new == live:
            return live
        rules.check(resource, live, new)
        if resource.spec and _aims(resource, new) != _aims(resource, live):
            new["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
        if how.dry_run:
            return new
        return self.store.drop(resource, new) if finished(resource, new) else self.store.put(resource, new)

    def delete(
        self, resource: Resource, name: str, namespace: str = "", options: Obj | None = None, *, dry_run: bool = False
    ) -> tuple[Obj, bool]:
        """The object, and whether it is gone already."""
        live, options = self.read(resource, name, namespace), options or {}
        _meant(resource, live, options.get("preconditions") or {})
        if dry_run:
            return live, True
        policy = options.get("propagationPolicy") or ("Orphan" if resource is JOB else "Background")
        if policy == "Orphan":
            self._orphan(live)
        new = live | {"metadata": live["metadata"] | _ending(resource, live, options, policy)}
        new = defaults.filled(resource, new)
        if finished(resource, new):
            return self.store.drop(resource, live), True
        return (live if new == live else self.store.put(resource, new)), False

    def _orphan(self, owner: Obj) -> None:
        uid = owner["metadata"]["uid"]
        for resource, obj in self.store.owned_by(uid):
            left = [reference for reference in obj["metadata"]["ownerReferences"] if reference["uid"] != uid]
            self.store.put(resource, obj | {"metadata": obj["metadata"] | {"ownerReferences": left}})


def _aims(resource: Resource, obj: Obj) -> object:
    """What a generation counts the changes of: annotations too, for Deployments."""
    return obj.get("spec"), obj["metadata"].get("annotations") if resource is DEPLOYMENT else None


def finished(resource: Resource, obj: Obj) -> bool:
    """Whether nothing keeps an object that is being deleted."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if resource is NAMESPACE:
        return not obj["spec"].get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")


def _ending(resource: Resource, live: Obj, options: Obj, policy: str) -> Obj:
    metadata = live["metadata"]
    change: Obj = {"deletionTimestamp": metadata.get("deletionTimestamp") or now()}
    if policy == "Foreground":
        change["finalizers"] = sorted({*(metadata.get("finalizers") or ()), FOREGROUND})
    if resource is POD:
        grace = options.get("gracePeriodSeconds")
        grace = live["spec"]["terminationGracePeriodSeconds"] if grace is None else grace
        over = live.get("status", {}).get("phase") in {"Succeeded", "Failed"} or not live["spec"].get("nodeName")
        change["deletionGracePeriodSeconds"] = 0 if over else grace
    return change


def _unmoved(resource: Resource, live: Obj, wanted: Obj) -> None:
    """Raises where a write carries another version or uid than there is."""
    name, metadata = live["metadata"]["name"], live["metadata"]
    if wanted.get("uid") not in {None, "", metadata["uid"]}:
        why = f'"{wanted["uid"]}": field is immutable'
        raise problems.invalid(resource, name, "metadata.uid", "Invalid value", why)
    if wanted.get("resourceVersion") not in {None, "", metadata["resourceVersion"]}:
        raise problems.modified(resource, name)


def _meant(resource: Resource, live: Obj, wanted: Obj) -> None:
    """Raises where another object, or another version of it, is to be deleted."""
    for key, told in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(key) not in {None, "", live["metadata"][key]}:
            raise problems.precondition(resource, live["metadata"]["name"], told, wanted[key], live["metadata"][key])


def _scoped(resource: Resource, live: Obj, new: Obj, subresource: str) -> Obj:
    if subresource == "status":
        return live | {"status": new.get("status") or {}}
    if not resource.status:
        return new
    rest = {key: value for key, value in new.items() if key != "status"}
    return rest | ({"status": live["status"]} if "status" in live else {})


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
