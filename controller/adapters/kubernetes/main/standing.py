"""What the cluster says of workloads, in the words of `controller.deploys.rollout`. Pure."""

from typing import Any

from controller.adapters.kubernetes.pod_troubles import condition
from controller.adapters.kubernetes.shapes import Obj
from controller.deploys.rollout import DaemonSet, Deployment, StatefulSet, Workload
from controller.errors import Refused


def observed(obj: Obj) -> Workload:
    """Raises Refused where it is none that is rolled out."""
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    name, generation = metadata["name"], metadata.get("generation", 0)
    seen = status.get("observedGeneration", 0)
    match obj["kind"]:
        case "Deployment":
            return _deployment(name, generation, seen, spec, status, str(condition(obj, "Progressing").get("reason")))
        case "StatefulSet":
            return _stateful_set(name, generation, seen, spec, status)
        case "DaemonSet":
            return _daemon_set(name, generation, seen, spec, status)
        case other:
            raise Refused(f"a {other} is not rolled out")


def _deployment(
    name: str, generation: int, seen: int, spec: dict[str, Any], status: dict[str, Any], progressing: str
) -> Deployment:
    return Deployment(
        name,
        generation,
        seen,
        wanted=spec.get("replicas"),
        replicas=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        progressing=progressing,
    )


def _stateful_set(name: str, generation: int, seen: int, spec: dict[str, Any], status: dict[str, Any]) -> StatefulSet:
    strategy = spec.get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate")
    return StatefulSet(
        name,
        generation,
        seen,
        wanted=spec.get("replicas"),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
        strategy=strategy.get("type", ""),
        rolling=rolling is not None,
        partition=(rolling or {}).get("partition"),
        current_revision=status.get("currentRevision", ""),
        update_revision=status.get("updateRevision", ""),
    )


def _daemon_set(name: str, generation: int, seen: int, spec: dict[str, Any], status: dict[str, Any]) -> DaemonSet:
    return DaemonSet(
        name,
        generation,
        seen,
        wanted=status.get("desiredNumberScheduled", 0),
        updated=status.get("updatedNumberScheduled", 0),
        available=status.get("numberAvailable", 0),
        strategy=(spec.get("updateStrategy") or {}).get("type", ""),
    )
