"""StatefulSets on the fake cluster: one pod after the other, each with its own name, as the real controller has them.

A pod that never became ready is in the way of its successor, there as here.
"""

from tests.fakes.cluster.conditions import holds
from tests.fakes.cluster.deployments import _digest, _owner
from tests.fakes.cluster.objects import STATUS
from tests.fakes.cluster.resources import BY_PATH, POD

SET = BY_PATH["apps/v1", "statefulsets"]
REVISION = "controller-revision-hash"


class StatefulSets:
    def __init__(self, cluster):
        self._objects, self._store, self._work = cluster.objects, cluster.store, cluster._work
        self._store.listen(self._hear)

    def _hear(self, event):
        metadata = event.object["metadata"]
        if event.resource is SET:
            self._work.soon(self._look, metadata["namespace"], metadata["name"])
        for owner in metadata.get("ownerReferences") or ():
            if owner["kind"] == "StatefulSet":
                self._work.soon(self._look, metadata["namespace"], owner["name"])

    def _look(self, namespace, name):
        live = self._store.get(SET, name, namespace)
        if live is None or "deletionTimestamp" in live["metadata"]:
            return
        pods = {pod["metadata"]["name"]: pod for kind, pod in self._owned(live) if kind is POD}
        self._step(live, pods)
        self._report(live)

    def _owned(self, live):
        return self._store.owned_by(live["metadata"]["uid"])

    def _step(self, live, pods):
        """At most one change: the lowest that is missing is made, the highest that is not wanted goes."""
        name, revision, wanted = (
            live["metadata"]["name"],
            _digest(live["spec"]["template"]),
            live["spec"].get("replicas", 1),
        )
        for number in range(wanted):
            pod = pods.get(f"{name}-{number}")
            if pod is None:
                self._make(live, f"{name}-{number}", revision)
            if pod is None or not holds(pod, "Ready"):
                return
        old = [pod for pod in pods.values() if pod["metadata"]["labels"][REVISION] != revision]
        surplus = [pod for each, pod in pods.items() if int(each.rpartition("-")[2]) >= wanted]
        for pod in (surplus or old)[-1:]:
            if "deletionTimestamp" not in pod["metadata"]:
                self._objects.delete(POD, pod["metadata"]["name"], pod["metadata"]["namespace"])

    def _make(self, live, name, revision):
        template = live["spec"]["template"]
        about = {"name": name, "ownerReferences": [_owner(live)]}
        about |= {"labels": template["metadata"]["labels"] | {REVISION: revision}}
        about |= {"annotations": template["metadata"].get("annotations") or {}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": template["spec"]}
        self._objects.create(POD, pod, live["metadata"]["namespace"])

    def _report(self, live):
        revision = _digest(live["spec"]["template"])
        pods = [pod for kind, pod in self._owned(live) if kind is POD and "deletionTimestamp" not in pod["metadata"]]
        ready = sum(holds(pod, "Ready") for pod in pods)
        updated = sum(pod["metadata"]["labels"][REVISION] == revision for pod in pods)
        status = {"replicas": len(pods), "observedGeneration": live["metadata"]["generation"]}
        counts = {"readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": updated}
        status |= {name: count for name, count in counts.items() if count}
        metadata = live["metadata"]
        self._objects.patch(SET, lambda obj: obj | {"status": status}, metadata["name"], metadata["namespace"], STATUS)
