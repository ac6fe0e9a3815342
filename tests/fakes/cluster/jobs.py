"""Jobs: pods until one has worked, too many have failed, or the time is over."""

import time
from collections import defaultdict

from tests.fakes.cluster.conditions import holds, told
from tests.fakes.cluster.objects import STATUS, Objects, now
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.resources import JOB, POD, Obj
from tests.fakes.cluster.work import Work

LATE = ("DeadlineExceeded", "Job was active longer than specified deadline")
TOO_OFTEN = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
DONE = ("CompletionsReached", "Reached expected number of succeeded pods")


class Jobs:
    def __init__(self, objects: Objects, work: Work) -> None:
        self._objects, self._store, self._work = objects, objects.store, work
        self._ends: dict[str, float] = {}
        self._seen: dict[str, dict[str, bool]] = defaultdict(dict)
        """How each pod of a Job ended; one that was deleted before it ended has failed."""
        self._made: dict[str, set[str]] = defaultdict(set)

    def job(self, namespace: str, name: str) -> None:
        live = self._store.get(JOB, name, namespace)
        if live is None or "deletionTimestamp" in live["metadata"] or _over(live) or live["spec"].get("suspend"):
            return
        pods = [obj for resource, obj in self._store.owned_by(live["metadata"]["uid"]) if resource is POD]
        seen = self._count(live["metadata"]["uid"], pods)
        active = [pod for pod in pods if not _ended(pod)]
        self._begin(live)
        verdict = self._verdict(live, seen)
        if verdict is None and not active:
            self._new_pod(live)
            return
        if verdict is not None and not verdict[0]:
            for pod in active:
                self._stop(pod)
        self._report(live, seen, active, verdict)

    def _count(self, uid: str, pods: list[Obj]) -> dict[str, bool]:
        seen = self._seen[uid]
        seen |= {pod["metadata"]["uid"]: _phase(pod) == "Succeeded" for pod in pods if _ended(pod)}
        there = {pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
        for gone in self._made[uid] - there:
            seen.setdefault(gone, False)
        return seen

    def _begin(self, live: Obj) -> None:
        uid, limit, metadata = live["metadata"]["uid"], live["spec"].get("activeDeadlineSeconds"), live["metadata"]
        if limit is not None and uid not in self._ends:
            self._ends[uid] = time.monotonic() + limit
            self._work.later(limit + 0.001, self.job, metadata["namespace"], metadata["name"])

    def _verdict(self, live: Obj, seen: dict[str, bool]) -> tuple[bool, str, str] | None:
        """Whether it worked, with reason and message; None as long as it goes on."""
        if sum(seen.values()) >= live["spec"]["completions"]:
            return (True, *DONE)
        if time.monotonic() >= self._ends.get(live["metadata"]["uid"], float("inf")):
            return (False, *LATE)
        if sum(not worked for worked in seen.values()) > live["spec"]["backoffLimit"]:
            return (False, *TOO_OFTEN)
        return None

    def _stop(self, pod: Obj) -> None:
        if "deletionTimestamp" not in pod["metadata"]:
            self._objects.delete(POD, pod["metadata"]["name"], pod["metadata"]["namespace"])

    def _new_pod(self, live: Obj) -> None:
        metadata, template = live["metadata"], live["spec"]["template"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
        about = {"generateName": f"{metadata['name']}-", "ownerReferences": [owner | {"controller": True}]}
        about |= {key: value for key, value in template["metadata"].items() if key in {"labels", "annotations"}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": template["spec"]}
        try:
            made = self._objects.create(POD, pod, metadata["namespace"])
            self._made[metadata["uid"]].add(made["metadata"]["uid"])
        except ApiError:
            self._work.later(1.0, self.job, metadata["namespace"], metadata["name"])
            return
        self._report(live, self._seen[metadata["uid"]], [made], None)

    def _report(
        self, live: Obj, seen: dict[str, bool], active: list[Obj], verdict: tuple[bool, str, str] | None
    ) -> None:
        before = live.get("status") or {}
        worked = sum(seen.values())
        going = [pod for pod in active if "deletionTimestamp" not in pod["metadata"]]
        counts = {"active": len(going), "succeeded": worked, "failed": len(seen) - worked}
        counts["terminating"] = len(active) - len(going)
        counts["ready"] = sum(holds(pod, "Ready") for pod in active)
        status: Obj = {"startTime": before.get("startTime") or now(), "uncountedTerminatedPods": {}}
        status |= {name: count for name, count in counts.items() if count or name in {"ready", "terminating"}}
        status["conditions"] = _conditions(live, verdict, ended=not active)
        if verdict and verdict[0]:
            status["completionTime"] = before.get("completionTime") or now()
        metadata = live["metadata"]
        self._objects.patch(JOB, lambda obj: obj | {"status": status}, metadata["name"], metadata["namespace"], STATUS)
        limit = live["spec"].get("ttlSecondsAfterFinished")
        if verdict and limit is not None:
            self._work.later(limit, self._expire, metadata)

    def _expire(self, metadata: Obj) -> None:
        live = self._store.get(JOB, metadata["name"], metadata["namespace"])
        if live is not None and live["metadata"]["uid"] == metadata["uid"]:
            options = {"propagationPolicy": "Background"}
            self._objects.delete(JOB, metadata["name"], metadata["namespace"], options)


def _conditions(live: Obj, verdict: tuple[bool, str, str] | None, *, ended: bool) -> list[Obj]:
    """First that it is going to end, then (when no pod runs any more) that it has."""
    if verdict is None:
        return []
    worked, *words = verdict
    found = [told(live, "SuccessCriteriaMet" if worked else "FailureTarget", True, *words)]
    return [*found, told(live, "Complete" if worked else "Failed", True, *words)] if ended else found


def _over(live: Obj) -> bool:
    return holds(live, "Complete") or holds(live, "Failed")


def _ended(pod: Obj) -> bool:
    return _phase(pod) in {"Succeeded", "Failed"}


def _phase(pod: Obj) -> str:
    return str(pod.get("status", {}).get("phase", ""))
