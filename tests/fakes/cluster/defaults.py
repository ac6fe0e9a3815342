"""What the server fills in where an object does not say, as far as anybody here looks at it. Pure."""

import base64
import uuid

from tests.fakes.cluster.resources import DEPLOYMENT, JOB, NAMESPACE, POD, REPLICA_SET, SECRET, SERVICE, Obj, Resource

JOB_LABEL = "batch.kubernetes.io/job-name"
CONTROLLER = "batch.kubernetes.io/controller-uid"


def filled(resource: Resource, obj: Obj) -> Obj:
    """`obj` with defaults; it is a new one where something is added."""
    spec = obj.get("spec") or {}
    if resource is SECRET:
        return _secret(obj)
    if resource is NAMESPACE:
        return _namespace(obj)
    if resource is POD:
        return obj | {"spec": {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30} | spec}
    if resource in {DEPLOYMENT, REPLICA_SET}:
        return obj | {"spec": {"replicas": 1} | _rolling(resource) | spec}
    if resource is JOB:
        return obj | {"spec": {"backoffLimit": 6, "completions": 1, "parallelism": 1, "suspend": False} | spec}
    if resource is SERVICE:
        return obj | {"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1"} | spec}
    return obj


def _rolling(resource: Resource) -> Obj:
    if resource is not DEPLOYMENT:
        return {}
    return {"progressDeadlineSeconds": 600, "revisionHistoryLimit": 10, "strategy": {"type": "RollingUpdate"}}


def _secret(obj: Obj) -> Obj:
    plain = obj.get("stringData") or {}
    data = (obj.get("data") or {}) | {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}
    rest = {name: value for name, value in obj.items() if name != "stringData"}
    return {"type": "Opaque"} | rest | ({"data": data} if data else {})


def _namespace(obj: Obj) -> Obj:
    metadata = obj["metadata"]
    labels = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata["name"]}
    deleting = "deletionTimestamp" in metadata
    status = {"phase": "Terminating" if deleting else "Active"}
    spec = {"finalizers": ["kubernetes"]} | (obj.get("spec") or {})
    return obj | {"metadata": metadata | {"labels": labels}, "spec": spec, "status": (obj.get("status") or {}) | status}


def job_labels(job: Obj) -> Obj:
    """The selector and the labels of pods that every Job gets when it is made."""
    metadata = job["metadata"]
    labels = {CONTROLLER: metadata["uid"], JOB_LABEL: metadata["name"]}
    labels |= {"controller-uid": metadata["uid"], "job-name": metadata["name"]}
    template = job["spec"]["template"]
    within = template.get("metadata") or {}
    within = within | {"labels": (within.get("labels") or {}) | labels}
    spec = {"selector": {"matchLabels": {CONTROLLER: metadata["uid"]}}} | job["spec"]
    return job | {"spec": spec | {"template": template | {"metadata": within}}}


def new_uid() -> str:
    return str(uuid.uuid4())
