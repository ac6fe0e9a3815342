"""Pods as a cluster tells them, in the states that tests need."""

IMAGE = "ghcr.io/acme/web:abc"
READY = [{"type": "Ready", "status": "True"}]


def a_pod(state=None, last=None, *, name="web", init=False, restarts=2, status=None, **spec):
    """A pod whose container `name` is in this state; the others are fine."""
    container = {"name": name, "image": IMAGE, "resources": {"limits": {"memory": "512Mi"}}}
    about = {"name": name, "ready": False, "restartCount": restarts, "state": state or {}, "lastState": last or {}}
    web = {"name": "web", "image": IMAGE}
    waiting = {"name": "web", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}
    containers = {"initContainers": [container], "containers": [web]} if init else {"containers": [container]}
    statuses = (
        {"initContainerStatuses": [about], "containerStatuses": [waiting]} if init else {"containerStatuses": [about]}
    )
    return {
        "metadata": {"name": "web-6f9c5d-x2x9p"},
        "spec": containers | {"restartPolicy": "Always"} | spec,
        "status": {"phase": "Pending"} | statuses | (status or {}),
    }


def waiting(reason, message=None, **more):
    return a_pod({"waiting": {"reason": reason} | ({"message": message} if message else {})}, **more)


def crashing(**terminated):
    message = "back-off 10s restarting failed container=web pod=web-6f9c5d-x2x9p_preview-pr-7-shop(c0bd8e82)"
    before = {"terminated": {"reason": "Error", "startedAt": "2026-11-21T07:53:09Z"} | terminated}
    return a_pod({"waiting": {"reason": "CrashLoopBackOff", "message": message}}, before)


def pull(cause, reason="ImagePullBackOff"):
    return waiting(reason, f'Back-off pulling image "{IMAGE}": ErrImagePull: {cause}')


def unpack(cause):
    return pull(f'rpc error: code = Unknown desc = failed to pull and unpack image "{IMAGE}": {cause}')
