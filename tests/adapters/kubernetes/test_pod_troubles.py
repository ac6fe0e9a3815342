"""What a pod really says, and what a person reads."""

import pytest

from controller.adapters.kubernetes import troubles
from controller.adapters.kubernetes.pod_troubles import why_failed
from controller.adapters.kubernetes.troubles import Trouble
from tests.adapters.kubernetes.pods import IMAGE, READY, a_pod, crashing, pull, unpack, waiting

PROBE = {"httpGet": {"path": "/healthz", "port": 8000}, "periodSeconds": 10}
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)
FULL = (
    "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: "
    "3 No preemption victims found for incoming pod."
)
ELSEWHERE = (
    "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are "
    "available: 1 Preemption is not helpful for scheduling."
)
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
POD = 'pod: "web-6f9c5d-x2x9p_preview(94123)", container: web'


def unschedulable(message):
    return a_pod(status={"containerStatuses": None, "conditions": [UNSCHEDULABLE | {"message": message}]})


def fatal(reason, **more):
    return Trouble(reason, fatal=True, **({"container": "web"} | more))


def passing(reason, container="web"):
    return Trouble(reason, fatal=False, container=container)


CRASHES = [
    ({"exitCode": 3}, "it exited with status 3"),
    ({"exitCode": 127}, "it exited with status 127: a command was not found"),
    ({"exitCode": 137, "reason": "OOMKilled"}, "it was killed: out of memory (limit 512Mi)"),
    ({"exitCode": 137}, "it was ended by signal 9 (SIGKILL)"),
    ({"exitCode": 139}, "it was ended by signal 11 (SIGSEGV)"),
    ({"exitCode": 255}, "it exited with status 255"),
    ({"exitCode": 0, "reason": "Completed"}, "it ended by itself, with status 0"),
    (
        {
            "exitCode": 128,
            "reason": "StartError",
            "message": f'{RUNC}exec: "serve": executable file not found in $PATH: unknown',
        },
        'it cannot be started: exec: "serve": executable file not found in $PATH',
    ),
]


@pytest.mark.parametrize(("ended", "reason"), CRASHES)
def test_a_container_that_crashes_says_how_it_ended(ended, reason):
    assert troubles.pod_trouble(crashing(**ended)) == fatal(reason, previous_logs=True)


@pytest.mark.parametrize(
    ("pod", "trouble"),
    [
        pytest.param(
            waiting("RunContainerError", f'{RUNC}exec: "serve": permission denied: unknown'),
            fatal('it cannot be started: exec: "serve": permission denied'),
            id="not startable",
        ),
        pytest.param(
            waiting("InvalidImageName", f'Failed to apply default image tag "{IMAGE}": invalid reference format'),
            fatal(f"`{IMAGE}` is no name of an image"),
            id="no image name",
        ),
        pytest.param(
            waiting("ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy of Never'),
            fatal(f"{IMAGE} is not on the node, and the policy forbids to pull it"),
            id="never pulled",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", f"container has runAsNonRoot and image will run as root ({POD})"),
            fatal("its image runs as root: set `USER` in its Dockerfile to a number, like `USER 1000`"),
            id="root",
        ),
        pytest.param(
            waiting(
                "CreateContainerConfigError",
                "container has runAsNonRoot and image has non-numeric user (node), cannot verify user is non-root",
            ),
            fatal(
                "its image runs as the user `node`, which has no number: "
                "set `USER` in its Dockerfile to a number, like `USER 1000`"
            ),
            id="a user's name",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'secret "database-1" not found'),
            fatal('it cannot be made: secret "database-1" not found'),
            id="no secret",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"),
            passing("it cannot be made: failed to sync secret cache: timed out waiting for the condition"),
            id="no secret yet",
        ),
        pytest.param(
            waiting(
                "CreateContainerError",
                "failed to generate container spec: failed to generate spec: no command specified",
            ),
            fatal(
                "it cannot be made: failed to generate container spec: failed to generate spec: no command specified"
            ),
            id="no command",
        ),
        pytest.param(waiting("PostStartHookError"), passing("PostStartHookError"), id="something else"),
        pytest.param(
            a_pod({"terminated": {"exitCode": 1, "reason": "Error"}}, restarts=0),
            passing("it exited with status 1"),
            id="just ended",
        ),
        pytest.param(
            a_pod({"terminated": {"exitCode": 1, "reason": "Error"}}),
            fatal("it exited with status 1"),
            id="ended again",
        ),
        pytest.param(
            a_pod({"terminated": {"exitCode": 128, "reason": "StartError", "message": f"{RUNC}exec: x"}}, restarts=0),
            fatal("it cannot be started: exec: x"),
            id="just not started",
        ),
        pytest.param(
            a_pod(
                {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                {"terminated": {"exitCode": 2, "reason": "Error"}},
                name="build",
                init=True,
            ),
            fatal("build: it exited with status 2", container="build", previous_logs=True),
            id="a build fails",
        ),
    ],
)
def test_what_keeps_a_container_from_running(pod, trouble):
    assert troubles.pod_trouble(pod) == trouble


RESOLVE = f'failed to resolve reference "{IMAGE}": '


@pytest.mark.parametrize(
    ("pod", "cause"),
    [
        (unpack(f"{RESOLVE}{IMAGE}: not found"), f"{IMAGE} not found"),
        (
            pull(f"Error response from daemon: manifest for {IMAGE} not found: manifest unknown: manifest unknown"),
            f"{IMAGE} not found",
        ),
        (
            unpack(
                f"{RESOLVE}pull access denied, repository does not exist or may require authorization: server message: "
                "insufficient_scope: authorization failed"
            ),
            f"no permission to pull {IMAGE}, or it does not exist",
        ),
        (
            unpack(
                f"{RESOLVE}failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
                "https://ghcr.io/token?scope=repository%3Aacme%2Fweb%3Apull&service=ghcr.io: 401 Unauthorized"
            ),
            f"no permission to pull {IMAGE}, or it does not exist",
        ),
        (
            unpack(
                f'{RESOLVE}failed to do request: Head "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host'
            ),
            f"the registry of {IMAGE} has no address",
        ),
        (
            unpack(f'{RESOLVE}failed to do request: Head "https://ghcr.io/v2/": dial tcp 10.0.0.1:443: i/o timeout'),
            f"the registry of {IMAGE} does not answer: i/o timeout",
        ),
        (
            unpack(
                f'{RESOLVE}failed to do request: Head "https://ghcr.io/v2/": tls: failed to verify certificate: x509: '
                "certificate signed by unknown authority"
            ),
            f"the registry of {IMAGE} is not trusted: certificate signed by unknown authority",
        ),
        (
            pull("rpc error: code = NotFound desc = no match for platform in manifest: not found"),
            f"{IMAGE} is not built for the processors of this cluster",
        ),
        (
            unpack(f"{RESOLVE}unexpected status from HEAD request: 429 Too Many Requests"),
            f"the registry takes no more requests for now: {IMAGE}",
        ),
        (pull("something new"), f"{IMAGE}: something new"),
        (waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'), IMAGE),
    ],
)
def test_an_image_that_cannot_be_pulled_may_still_come(pod, cause):
    assert troubles.pod_trouble(pod) == passing(f"ImagePullBackOff: {cause}")


def test_the_name_of_an_image_is_no_cause():
    pod = waiting("ErrImagePull", 'failed to pull "denied/not-found:1": broken')
    pod["spec"]["containers"][0]["image"] = "denied/not-found:1"
    assert (
        troubles.pod_trouble(pod).reason
        == 'ErrImagePull: denied/not-found:1: failed to pull "denied/not-found:1": broken'
    )


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (FULL, "no node has room: 0/3 nodes are available: 3 Insufficient memory"),
        (
            ELSEWHERE,
            "no node takes it: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector",
        ),
    ],
)
def test_a_pod_without_a_node_says_why(message, reason):
    assert troubles.pod_trouble(unschedulable(message)) == passing(reason, container="")


def test_a_pod_that_waits_for_its_volumes_tells_the_event():
    pod = waiting("ContainerCreating")
    assert troubles.pod_trouble(pod) is None
    event = 'MountVolume.SetUp failed for volume "config" : configmap "checks-1" not found'
    assert troubles.pod_trouble(pod, event) == passing(f"it is not started yet: {event}", container="")


def test_an_evicted_pod_says_what_it_took():
    message = 'Usage of EmptyDir volume "workspace" exceeds the limit "4Gi". '
    pod = a_pod(status={"phase": "Failed", "reason": "Evicted", "message": message})
    told = 'it was evicted: Usage of EmptyDir volume "workspace" exceeds the limit "4Gi"'
    assert troubles.pod_trouble(pod) == passing(told, container="")
    assert why_failed(pod) == told


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (PROBE, "it runs, but /healthz on port 8000 does not answer with less than 400 yet"),
        ({"tcpSocket": {"port": 8000}}, "it runs, but nothing listens on port 8000 yet"),
        ({"exec": {"command": ["pg_isready"]}}, "it runs, but does not say that it is ready yet"),
    ],
)
def test_a_container_that_runs_and_does_not_answer_says_where(probe, reason):
    pod = a_pod({"running": {"startedAt": "2026-11-21T07:53:09Z"}}, status={"phase": "Running"})
    assert troubles.pod_trouble(pod) is None
    pod["spec"]["containers"][0]["readinessProbe"] = probe
    assert troubles.pod_trouble(pod) == passing(reason)


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(status={"conditions": READY}), id="ready"),
        pytest.param(waiting("PodInitializing"), id="on its way"),
        pytest.param(a_pod(status={"containerStatuses": None}), id="just made"),
        pytest.param({"metadata": {"name": "x"}, "spec": {"containers": []}}, id="not even looked at"),
        pytest.param({**crashing(exitCode=1), "metadata": {"deletionTimestamp": "2026-11-21T07:53:09Z"}}, id="to go"),
        pytest.param(a_pod({"terminated": {"exitCode": 0}}, restartPolicy="Never"), id="done"),
        pytest.param(a_pod({"terminated": {"exitCode": 0}}, name="source", init=True), id="prepared"),
    ],
)
def test_all_is_well(pod):
    assert troubles.pod_trouble(pod) is None


def test_a_pod_is_ready_until_it_is_to_go():
    pod = a_pod(status={"conditions": READY})
    assert troubles.pod_ready(pod)
    pod["metadata"]["deletionTimestamp"] = "2026-11-21T07:53:09Z"
    assert not troubles.pod_ready(pod)
    assert not troubles.pod_ready(waiting("ContainerCreating"))


def test_restarts_are_counted():
    assert troubles.restarts(crashing(exitCode=1)) == 2
    assert troubles.restarts(a_pod(status={"containerStatuses": None})) == 0


def test_a_step_before_the_task_that_failed_is_named():
    pod = a_pod({"terminated": {"exitCode": 2, "reason": "Error"}}, name="build", init=True, restartPolicy="Never")
    assert why_failed(pod) == "build: it exited with status 2"
