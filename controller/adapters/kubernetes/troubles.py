"""What a cluster says about Deployments, Jobs and namespaces, as the reason that a person needs. Pure.

Fatal is what will not get better until somebody changes something; the rest may pass, and is only shown. Of pods:
`pod_troubles`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.adapters.kubernetes import pod_troubles
from controller.adapters.kubernetes.pod_troubles import Trouble, condition, pod_ready, pod_trouble, restarts
from controller.adapters.kubernetes.shapes import Obj
from smoke.documents import format_duration

__all__ = [
    "JobState",
    "Trouble",
    "deployment_ready",
    "deployment_trouble",
    "job_state",
    "pod_ready",
    "pod_trouble",
    "restarts",
    "terminating",
]
MAKING_ROOM = timedelta(seconds=15)
"""Pods that end still count towards the quota, for as long as they have to say goodbye."""
_QUOTA = re.compile(r"exceeded quota: \S+, requested: (\S+), used: (\S+), limited: (\S+)")
_RESOURCES = {
    "limits.memory": "memory",
    "requests.memory": "memory",
    "limits.cpu": "CPU",
    "requests.cpu": "CPU",
    "requests.storage": "storage",
    "persistentvolumeclaims": "volumes",
}
_UNEXPECTED = re.compile(r"unexpected items still remain in namespace: \S+ for gvr: [^,]*, Resource=(\w+)")
_REMAINING = re.compile(r"(\S+?)\.? (?:has|in) (\d+) resource instances")


@dataclass(frozen=True, slots=True)
class JobState:
    """Neither ended nor succeeded: it goes on. `reason` says why it failed."""

    ended: bool
    succeeded: bool
    reason: str = ""
    timed_out: bool = False


def deployment_ready(deployment: Obj) -> bool:
    """As many pods of the present template as wanted are available, and none of an older one is left."""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return False
    counted = ("replicas", "updatedReplicas", "availableReplicas")
    return all(status.get(count, 0) == wanted for count in counted)


def deployment_trouble(deployment: Obj, pods: Sequence[Obj], now: datetime | None = None) -> Trouble | None:
    """Why it is not ready: the pods' own reason where there is one, fatal ones first.

    `pods` are its own, newest first. With `now`, a quota that was exceeded only just now is not fatal: pods that end
    may still count.
    """
    found = [trouble for pod in pods if (trouble := pod_trouble(pod))]
    if refused := _refusal(deployment, now):
        found.append(refused)
    return next((trouble for trouble in found if trouble.fatal), found[0] if found else None)


def _refusal(deployment: Obj, now: datetime | None) -> Trouble | None:
    """Pods that the API server does not even take."""
    failure = condition(deployment, "ReplicaFailure")
    if failure.get("status") != "True":
        return None
    message = str(failure.get("message", ""))
    said = re.sub(r'^.*?(pods "[^"]*" is (forbidden|invalid): )', "", message)
    if quota := _QUOTA.search(message):
        return Trouble(_over(quota), fatal=not _recent(failure, now))
    if "is forbidden: violates PodSecurity" in message:
        return Trouble(f"the cluster does not take its pods: {said}", fatal=True)
    fatal = said != message and "error looking up service account" not in message
    return Trouble(f"its pods cannot be made: {said}", fatal)


def _recent(failure: Obj, now: datetime | None) -> bool:
    since = failure.get("lastTransitionTime")
    return now is not None and since is not None and now - datetime.fromisoformat(since) < MAKING_ROOM


def _over(quota: re.Match[str]) -> str:
    """`the preview's quota is used up: it needs 2Gi of memory, and 7Gi of 8Gi are taken`"""
    requested, used, limited = (dict(pair.split("=", 1) for pair in part.split(",")) for part in quota.groups())
    needs = (
        f"it needs {amount}{_of(resource)}, and {used.get(resource, '?')} of {limited.get(resource, '?')} are taken"
        for resource, amount in requested.items()
    )
    return f"the preview's quota is used up: {'; '.join(needs)}"


def _of(resource: str) -> str:
    name = _RESOURCES.get(resource, resource)
    return f" of {name}" if name in {"memory", "storage"} else f" {name}"


def job_state(job: Obj, pods: Iterable[Obj] = ()) -> JobState:
    """Whether it ended, and how. With its `pods`, the reason is how the container that failed ended."""
    if condition(job, "Complete").get("status") == "True":
        return JobState(ended=True, succeeded=True)
    failure = condition(job, "Failed")
    if failure.get("status") != "True":
        return JobState(ended=False, succeeded=False)
    if failure.get("reason") == "DeadlineExceeded":
        limit = format_duration(timedelta(seconds=job["spec"].get("activeDeadlineSeconds", 0)))
        return JobState(ended=True, succeeded=False, reason=f"it took longer than {limit}", timed_out=True)
    how = next((reason for pod in pods if (reason := pod_troubles.why_failed(pod))), "")
    return JobState(ended=True, succeeded=False, reason=how or _why(failure))


def _why(failure: Obj) -> str:
    """The usual message only says that it was tried as often as we wanted: once."""
    if failure.get("reason") == "BackoffLimitExceeded":
        return "it failed"
    return str(failure.get("message") or failure.get("reason") or "it failed")


def terminating(namespace: Obj) -> str:
    """What a namespace that is to go still waits for; empty where nothing is known to hold it. Never a reason to force
    it: whoever put a finalizer there has something to tidy up."""
    if "deletionTimestamp" not in namespace["metadata"]:
        return ""
    return "; ".join([*_dead_apis(namespace), *_finalizers(namespace), *_left(namespace)])


def _dead_apis(namespace: Obj) -> list[str]:
    """An API service that does not answer could have objects here: nothing is removed before it does."""
    said = _told(namespace, "NamespaceDeletionDiscoveryFailure")
    found = re.findall(r"([\w.-]+/v\w+): ([^,]+)", said)
    if said and not found:
        return [said]
    return [f"the API service {name} does not answer ({why.strip()})" for name, why in found]


def _finalizers(namespace: Obj) -> list[str]:
    said = _REMAINING.findall(_told(namespace, "NamespaceFinalizersRemaining"))
    own = namespace["metadata"].get("finalizers") or []
    others = [name for name in namespace.get("spec", {}).get("finalizers") or [] if name != "kubernetes"]
    on_objects = [f"the finalizer {name} on {_count(number, 'object')}" for name, number in said]
    return [*on_objects, *(f"the finalizer {name} on the namespace itself" for name in (*own, *others))]


def _left(namespace: Obj) -> list[str]:
    """Objects that take their time, like pods that say goodbye, or that cannot be deleted at all."""
    if counted := _REMAINING.findall(_told(namespace, "NamespaceContentRemaining")):
        return ["still there: " + ", ".join(f"{number} {name}" for name, number in counted)]
    said = _told(namespace, "NamespaceDeletionContentFailure")
    if kinds := _UNEXPECTED.findall(said):
        return ["still there: " + ", ".join(kinds)]
    return [f"objects cannot be deleted: {said}"] if said else []


def _told(namespace: Obj, kind: str) -> str:
    found = condition(namespace, kind)
    return str(found.get("message", "")) if found.get("status") == "True" else ""


def _count(number: str, noun: str) -> str:
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"
