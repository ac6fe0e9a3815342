"""Deployments and their ReplicaSets: as many pods as are wanted; the old ones go when the new are ready."""

import hashlib
import json
import math

from tests.fakes.cluster.conditions import condition, holds, told
from tests.fakes.cluster.objects import STATUS, Objects
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.resources import DEPLOYMENT, POD, REPLICA_SET, Obj, Resource
from tests.fakes.cluster.work import Work

HASH = "pod-template-hash"
BACKGROUND = {"propagationPolicy": "Background"}


class Deployments:
    def __init__(self, objects: Objects, work: Work) -> None:
        self._objects, self._store, self._work = objects, objects.store, work

    def deployment(self, namespace: str, name: str) -> None:
        live = self._store.get(DEPLOYMENT, name, namespace)
        if live is None or "deletionTimestamp" in live["metadata"]:
            return
        sets = [obj for resource, obj in self._store.owned_by(live["metadata"]["uid"]) if resource is REPLICA_SET]
        digest = _digest(live["spec"]["template"])
        current = next((one for one in sets if one["metadata"]["labels"][HASH] == digest), None)
        old = [one for one in sets if one is not current]
        if current is None:
            current = self._new_set(live, digest)
        if current is None:
            return
        self._scale(live, current, old)
        self._forget(live, old)
        self._report(live, current, old)

    def _new_set(self, live: Obj, digest: str) -> Obj | None:
        metadata, template = live["metadata"], live["spec"]["template"]
        labels = (template.get("metadata", {}).get("labels") or {}) | {HASH: digest}
        inner = template | {"metadata": (template.get("metadata") or {}) | {"labels": labels}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": inner}
        about = {"name": f"{metadata['name']}-{digest}", "labels": labels, "ownerReferences": [_owner(live)]}
        new = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": about, "spec": spec}
        try:
            return self._objects.create(REPLICA_SET, new, metadata["namespace"])
        except ApiError:
            return None  # the namespace is going

    def _scale(self, live: Obj, current: Obj, old: list[Obj]) -> None:
        wanted = live["spec"]["replicas"]
        left = sum(one["spec"]["replicas"] + len(self._running(one)) for one in old)
        ready = current.get("status", {}).get("availableReplicas", 0) >= wanted
        at_once = _surge(live, wanted) > 0
        if live["spec"].get("paused"):
            return
        if not at_once or ready or not wanted:
            for one in old:
                self._set(one, 0)
        self._set(current, wanted if at_once or not left else 0)

    def _running(self, replica_set: Obj) -> list[Obj]:
        """Those that are ending included."""
        owned = self._store.owned_by(replica_set["metadata"]["uid"])
        return [obj for resource, obj in owned if resource is POD and not _over(obj)]

    def _set(self, replica_set: Obj, replicas: int) -> None:
        if replica_set["spec"]["replicas"] != replicas:
            metadata = replica_set["metadata"]
            self._objects.patch(
                REPLICA_SET,
                lambda obj: obj | {"spec": obj["spec"] | {"replicas": replicas}},
                metadata["name"],
                metadata["namespace"],
            )

    def _forget(self, live: Obj, old: list[Obj]) -> None:
        done = [one for one in old if not one["spec"]["replicas"] and not one.get("status", {}).get("replicas")]
        done.sort(key=lambda one: int(one["metadata"]["resourceVersion"]))
        for one in done[: max(0, len(done) - live["spec"]["revisionHistoryLimit"])]:
            self._objects.delete(REPLICA_SET, one["metadata"]["name"], one["metadata"]["namespace"], BACKGROUND)

    def _report(self, live: Obj, current: Obj, old: list[Obj]) -> None:
        counts = {
            name: sum(one.get("status", {}).get(name, 0) for one in (current, *old))
            for name in ("replicas", "readyReplicas", "availableReplicas")
        }
        wanted, available = live["spec"]["replicas"], counts["availableReplicas"]
        counts["updatedReplicas"] = current.get("status", {}).get("replicas", 0)
        counts["unavailableReplicas"] = max(0, max(wanted, counts["replicas"]) - available)
        complete = wanted == counts["updatedReplicas"] == available == counts["replicas"]
        status = {name: count for name, count in counts.items() if count}
        status |= {"observedGeneration": live["metadata"]["generation"]}
        status["conditions"] = self._conditions(live, current, complete=complete, available=available)
        _write(self._objects, DEPLOYMENT, live, status)

    def _conditions(self, live: Obj, current: Obj, *, complete: bool, available: int) -> list[Obj]:
        enough = available >= live["spec"]["replicas"] - _unavailable(live, live["spec"]["replicas"])
        minimum = ("MinimumReplicasAvailable", "Deployment has minimum availability.")
        if not enough:
            minimum = ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        found = [self._progress(live, current, complete=complete), told(live, "Available", enough, *minimum)]
        failure = condition(current, "ReplicaFailure")
        if failure is not None:
            found.append(told(live, "ReplicaFailure", True, failure["reason"], failure["message"]))
        return found

    def _progress(self, live: Obj, current: Obj, *, complete: bool) -> Obj:
        name = f'ReplicaSet "{current["metadata"]["name"]}"'
        if complete:
            done = f"{name} has successfully progressed."
            return told(live, "Progressing", True, "NewReplicaSetAvailable", done)
        known = condition(live, "Progressing")
        if known and known["reason"] == "ProgressDeadlineExceeded" and name in known["message"]:
            return known
        if known is None or known["reason"] != "ReplicaSetUpdated" or name not in known["message"]:
            metadata = live["metadata"]
            late = (metadata["namespace"], metadata["name"], name)
            self._work.later(live["spec"]["progressDeadlineSeconds"], self._too_late, *late)
        return told(live, "Progressing", True, "ReplicaSetUpdated", f"{name} is progressing.")

    def _too_late(self, namespace: str, name: str, replica_set: str) -> None:
        live = self._store.get(DEPLOYMENT, name, namespace)
        known = condition(live or {}, "Progressing")
        if (
            live is None
            or known is None
            or known["reason"] != "ReplicaSetUpdated"
            or replica_set not in known["message"]
        ):
            return
        late = told(live, "Progressing", False, "ProgressDeadlineExceeded", f"{replica_set} has timed out progressing.")
        others = [one for one in live["status"]["conditions"] if one["type"] != "Progressing"]
        _write(self._objects, DEPLOYMENT, live, live["status"] | {"conditions": [late, *others]})

    def replica_set(self, namespace: str, name: str) -> None:
        live = self._store.get(REPLICA_SET, name, namespace)
        if live is None or "deletionTimestamp" in live["metadata"]:
            return
        pods = [
            obj for resource, obj in self._store.owned_by(live["metadata"]["uid"]) if resource is POD and _alive(obj)
        ]
        surplus, failure = len(pods) - live["spec"]["replicas"], ""
        pods.sort(key=lambda pod: (holds(pod, "Ready"), -int(pod["metadata"]["resourceVersion"])))
        for pod in pods[: max(0, surplus)]:
            self._objects.delete(POD, pod["metadata"]["name"], namespace)
        for _ in range(-surplus):
            failure = self._new_pod(live)
            if failure:
                break
        self._count(live, failure)

    def _new_pod(self, owner: Obj) -> str:
        """Why there is none; empty where it was made."""
        template, metadata = owner["spec"]["template"], owner["metadata"]
        about = {"generateName": f"{metadata['name']}-", "ownerReferences": [_owner(owner)]}
        about |= {key: value for key, value in template["metadata"].items() if key in {"labels", "annotations"}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": template["spec"]}
        try:
            self._objects.create(POD, pod, metadata["namespace"])
        except ApiError as error:
            return error.message
        return ""

    def _count(self, live: Obj, failure: str) -> None:
        owned = self._store.owned_by(live["metadata"]["uid"])
        pods = [obj for resource, obj in owned if resource is POD and _alive(obj)]
        ready = sum(holds(pod, "Ready") for pod in pods)
        counts = {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        status: Obj = {"replicas": len(pods), "observedGeneration": live["metadata"]["generation"]}
        status |= {name: count for name, count in counts.items() if count}
        if failure:
            status["conditions"] = [told(live, "ReplicaFailure", True, "FailedCreate", failure)]
        _write(self._objects, REPLICA_SET, live, status)


def _write(objects: Objects, resource: Resource, live: Obj, status: Obj) -> None:
    metadata = live["metadata"]
    objects.patch(resource, lambda obj: obj | {"status": status}, metadata["name"], metadata["namespace"], STATUS)


def _owner(obj: Obj) -> Obj:
    about = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"]}
    return about | {"uid": obj["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}


def _digest(template: Obj) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _alive(pod: Obj) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and not _over(pod)


def _over(pod: Obj) -> bool:
    return pod["status"].get("phase") in {"Succeeded", "Failed"}


def _surge(live: Obj, wanted: int) -> int:
    return 0 if live["spec"]["strategy"].get("type") == "Recreate" else _share(live, "maxSurge", wanted, math.ceil)


def _unavailable(live: Obj, wanted: int) -> int:
    return (
        0 if live["spec"]["strategy"].get("type") == "Recreate" else _share(live, "maxUnavailable", wanted, math.floor)
    )


def _share(live: Obj, name: str, wanted: int, rounded: object) -> int:
    value = (live["spec"]["strategy"].get("rollingUpdate") or {}).get(name, "25%")
    if isinstance(value, int):
        return value
    part = wanted * int(value.rstrip("%")) / 100
    return math.ceil(part) if rounded is math.ceil else math.floor(part)
