"""What a cluster really says about Deployments, Jobs and namespaces, and what a person reads."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.adapters.kubernetes import troubles
from controller.adapters.kubernetes.troubles import JobState, Trouble
from tests.adapters.kubernetes.pods import READY, a_pod, crashing, pull


def a_deployment(*, replicas=1, generation=2, conditions=(), **status):
    counted = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    return {
        "metadata": {"name": "web", "generation": generation},
        "spec": {"replicas": replicas},
        "status": counted | status | {"conditions": list(conditions)},
    }


@pytest.mark.parametrize(
    ("deployment", "ready"),
    [
        pytest.param(a_deployment(), True, id="all there"),
        pytest.param(a_deployment(generation=3), False, id="not looked at yet"),
        pytest.param(a_deployment(updatedReplicas=0), False, id="old pods only"),
        pytest.param(a_deployment(availableReplicas=0), False, id="none works"),
        pytest.param(a_deployment(replicas=2), False, id="too few"),
        pytest.param(
            a_deployment(replicas=2, updatedReplicas=2, availableReplicas=2, replicas_=3), False, id="too many"
        ),
        pytest.param({"metadata": {"generation": 1}, "spec": {"replicas": 1}}, False, id="just made"),
        pytest.param(
            {"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}},
            True,
            id="asleep",
        ),
    ],
)
def test_a_deployment_is_ready_once_all_its_pods_are_new_and_work(deployment, ready):
    if "replicas_" in deployment.get("status", {}):
        deployment["status"]["replicas"] = deployment["status"].pop("replicas_")
    assert troubles.deployment_ready(deployment) is ready


SINCE = datetime(2026, 11, 21, 7, 53, 9, tzinfo=UTC)


def refused(message):
    return a_deployment(
        availableReplicas=0,
        conditions=[
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetCreated", "message": "x"},
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": message,
                "lastTransitionTime": "2026-11-21T07:53:09Z",
            },
        ],
    )


OVER = (
    'pods "web-6f9c5d-x2x9p" is forbidden: exceeded quota: preview, requested: limits.memory=2Gi,pods=1, '
    "used: limits.memory=7Gi,pods=30, limited: limits.memory=8Gi,pods=30"
)


OVER_IN_WORDS = (
    "the preview's quota is used up: it needs 2Gi of memory, and 7Gi of 8Gi are taken; "
    "it needs 1 pods, and 30 of 30 are taken"
)
SECURITY = (
    'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
    '(container "web" must set securityContext.allowPrivilegeEscalation=false)'
)
NO_ACCOUNT = 'error looking up service account preview-x/preview: serviceaccount "preview" not found'
NO_LIMIT = "failed quota: preview: must specify limits.memory for: web"
WEBHOOK = 'Internal error occurred: failed calling webhook "x.example.com": connection refused'


def forbidden(why):
    return f'pods "web-6f9c5d-x2x9p" is forbidden: {why}'


@pytest.mark.parametrize(
    ("message", "reason", "is_fatal"),
    [
        (OVER, OVER_IN_WORDS, True),
        (forbidden(NO_LIMIT), f"its pods cannot be made: {NO_LIMIT}", True),
        (forbidden(SECURITY), f"the cluster does not take its pods: {SECURITY}", True),
        (forbidden(NO_ACCOUNT), f"its pods cannot be made: {NO_ACCOUNT}", False),
        (WEBHOOK, f"its pods cannot be made: {WEBHOOK}", False),
    ],
)
def test_pods_that_the_cluster_does_not_take(message, reason, is_fatal):
    assert troubles.deployment_trouble(refused(message), []) == Trouble(reason, is_fatal)


def test_a_quota_that_may_still_count_pods_that_end_is_not_fatal_at_once():
    soon, later = SINCE + timedelta(seconds=5), SINCE + timedelta(minutes=1)
    assert not troubles.deployment_trouble(refused(OVER), [], soon).fatal
    assert troubles.deployment_trouble(refused(OVER), [], later).fatal


def test_what_is_fatal_is_told_before_what_may_pass():
    pods = [pull("something new"), crashing(exitCode=3)]
    assert troubles.deployment_trouble(a_deployment(), pods).reason == "it exited with status 3"
    assert troubles.deployment_trouble(a_deployment(), pods[:1]).reason.startswith("ImagePullBackOff: ")
    assert troubles.deployment_trouble(a_deployment(), [a_pod(status={"conditions": READY})]) is None


def a_job(*conditions, limit=600):
    return {
        "metadata": {"name": "seed-3"},
        "spec": {"activeDeadlineSeconds": limit},
        "status": {"conditions": conditions},
    }


def failed(reason, message):
    return {"type": "Failed", "status": "True", "reason": reason, "message": message}


BACKOFF = failed("BackoffLimitExceeded", "Job has reached the specified backoff limit")
ENDED = a_pod({"terminated": {"exitCode": 3, "reason": "Error"}}, restartPolicy="Never", status={"phase": "Failed"})


@pytest.mark.parametrize(
    ("job", "pods", "state"),
    [
        pytest.param({"metadata": {}, "spec": {}}, [], JobState(ended=False, succeeded=False), id="just made"),
        pytest.param(
            a_job({"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}),
            [],
            JobState(ended=False, succeeded=False),
            id="its pods still end",
        ),
        pytest.param(
            a_job({"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}),
            [],
            JobState(ended=True, succeeded=True),
            id="done",
        ),
        pytest.param(
            a_job(failed("DeadlineExceeded", "Job was active longer than specified deadline")),
            [ENDED],
            JobState(ended=True, succeeded=False, reason="it took longer than 10 min", timed_out=True),
            id="too slow",
        ),
        pytest.param(a_job(BACKOFF), [], JobState(ended=True, succeeded=False, reason="it failed"), id="failed"),
        pytest.param(
            a_job(BACKOFF),
            [ENDED],
            JobState(ended=True, succeeded=False, reason="it exited with status 3"),
            id="failed, and its pod is there",
        ),
        pytest.param(
            a_job(failed("PodFailurePolicy", "Container web for pod x failed with exit code 3")),
            [],
            JobState(ended=True, succeeded=False, reason="Container web for pod x failed with exit code 3"),
            id="another reason",
        ),
    ],
)
def test_how_a_job_stands(job, pods, state):
    assert troubles.job_state(job, pods) == state


def a_namespace(*conditions, finalizers=(), **spec):
    return {
        "metadata": {"name": "preview", "deletionTimestamp": "2026-11-21T07:53:09Z", "finalizers": list(finalizers)},
        "spec": {"finalizers": ["kubernetes"]} | spec,
        "status": {"phase": "Terminating", "conditions": list(conditions)},
    }


def told(kind, message, status="True"):
    return {"type": f"Namespace{kind}", "status": status, "message": message}


FINE = told("DeletionDiscoveryFailure", "All resources successfully discovered", "False")
DEAD = told(
    "DeletionDiscoveryFailure",
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "metrics.k8s.io/v1beta1: the server is currently unable to handle the request",
)
STALE = told(
    "DeletionDiscoveryFailure",
    "Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: "
    "custom.metrics.k8s.io/v1beta1: stale GroupVersion discovery: custom.metrics.k8s.io/v1beta1, metrics.k8s.io/v1: "
    "the server is currently unable to handle the request",
)
LEFT = told(
    "ContentRemaining",
    "Some resources are remaining: persistentvolumeclaims. has 1 resource instances, "
    "widgets.acme.io has 2 resource instances",
)
COUNTED = "1 persistentvolumeclaims, 2 widgets.acme.io"
UNEXPECTED = (
    "Failed to delete all resource types, 1 remaining: unexpected items still remain in namespace: preview for gvr: "
    "/v1, Resource=pods"
)
HELD = told(
    "FinalizersRemaining",
    "Some content in the namespace has finalizers remaining: acme.io/cleanup in 2 resource instances, "
    "kubernetes.io/pvc-protection in 1 resource instances",
)


@pytest.mark.parametrize(
    ("namespace", "words"),
    [
        pytest.param({"metadata": {"name": "preview"}, "status": {"phase": "Active"}}, "", id="stays"),
        pytest.param(a_namespace(), "", id="just begun"),
        pytest.param(a_namespace(FINE), "", id="nothing holds it"),
        pytest.param(
            a_namespace(FINE, LEFT, HELD),
            "the finalizer acme.io/cleanup on 2 objects; the finalizer kubernetes.io/pvc-protection on 1 object; "
            f"still there: {COUNTED}",
            id="finalizers on objects",
        ),
        pytest.param(
            a_namespace(DEAD),
            "the API service metrics.k8s.io/v1beta1 does not answer "
            "(the server is currently unable to handle the request)",
            id="a dead API service",
        ),
        pytest.param(
            a_namespace(STALE),
            "the API service custom.metrics.k8s.io/v1beta1 does not answer (stale GroupVersion discovery: "
            "custom.metrics.k8s.io/v1beta1); the API service metrics.k8s.io/v1 does not answer "
            "(the server is currently unable to handle the request)",
            id="two",
        ),
        pytest.param(
            a_namespace(told("DeletionContentFailure", UNEXPECTED)), "still there: pods", id="pods say goodbye"
        ),
        pytest.param(
            a_namespace(told("DeletionContentFailure", UNEXPECTED), LEFT), f"still there: {COUNTED}", id="counted"
        ),
        pytest.param(
            a_namespace(told("DeletionContentFailure", "Failed to delete all resource types, 1 remaining: forbidden")),
            "objects cannot be deleted: Failed to delete all resource types, 1 remaining: forbidden",
            id="not deletable",
        ),
        pytest.param(
            a_namespace(finalizers=["controller.cattle.io/namespace-auth"]),
            "the finalizer controller.cattle.io/namespace-auth on the namespace itself",
            id="a finalizer of the namespace",
        ),
    ],
)
def test_what_a_namespace_that_does_not_go_waits_for(namespace, words):
    assert troubles.terminating(namespace) == words
