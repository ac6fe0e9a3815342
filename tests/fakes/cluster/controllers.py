"""The controllers: which of them looks at what when something has changed."""

from tests.fakes.cluster import quota
from tests.fakes.cluster.deployments import Deployments
from tests.fakes.cluster.jobs import Jobs
from tests.fakes.cluster.objects import STATUS, Objects
from tests.fakes.cluster.quantities import written
from tests.fakes.cluster.resources import ACCOUNT, DEPLOYMENT, JOB, POD, QUOTA, REPLICA_SET, Obj
from tests.fakes.cluster.store import Event
from tests.fakes.cluster.work import Work


class Controllers:
    def __init__(self, objects: Objects, work: Work) -> None:
        self._objects, self._store, self._work = objects, objects.store, work
        deployments, jobs = Deployments(objects, work), Jobs(objects, work)
        self._by_kind = {
            "Deployment": deployments.deployment,
            "ReplicaSet": deployments.replica_set,
            "Job": jobs.job,
            "ResourceQuota": self._count,
        }
        self._store.listen(self._hear)

    def _hear(self, event: Event) -> None:
        metadata = event.object["metadata"]
        namespace = metadata.get("namespace", "")
        if event.resource in {DEPLOYMENT, REPLICA_SET, JOB, QUOTA}:
            self._look(event.resource.kind, namespace, metadata["name"])
        for owner in metadata.get("ownerReferences") or ():
            self._look(owner["kind"], namespace, owner["name"])
            if event.type == "DELETED" and owner["kind"] == "ReplicaSet":
                self._look_above(namespace, owner["name"])
        if event.resource in {ACCOUNT, QUOTA} or (event.resource is POD and self._matters(event)):
            self._all(namespace)

    def _look(self, kind: str, namespace: str, name: str) -> None:
        if kind in self._by_kind:
            self._work.soon(self._by_kind[kind], namespace, name)

    def _look_above(self, namespace: str, replica_set: str) -> None:
        """A Deployment may wait for the last pod of its old ReplicaSet."""
        found = self._store.get(REPLICA_SET, replica_set, namespace) or {"metadata": {}}
        for owner in found["metadata"].get("ownerReferences") or ():
            self._look(owner["kind"], namespace, owner["name"])

    def _matters(self, event: Event) -> bool:
        """Whether there may be room for another pod now, or none any more."""
        phases = [(obj or {}).get("status", {}).get("phase") for obj in (event.before, event.object)]
        changed = event.type != "MODIFIED" or phases[0] != phases[1]
        return changed and bool(self._store.all(QUOTA, event.object["metadata"]["namespace"]))

    def _all(self, namespace: str) -> None:
        for resource in (QUOTA, REPLICA_SET, JOB):
            for obj in self._store.all(resource, namespace):
                self._look(resource.kind, namespace, obj["metadata"]["name"])

    def _count(self, namespace: str, name: str) -> None:
        live = self._store.get(QUOTA, name, namespace)
        if live is None:
            return
        hard: Obj = live["spec"].get("hard") or {}
        used = quota.used(hard, self._store.within(namespace))
        status = {"hard": hard, "used": {key: written(amount) for key, amount in used.items()}}
        self._objects.patch(QUOTA, lambda obj: obj | {"status": status}, name, namespace, STATUS)
