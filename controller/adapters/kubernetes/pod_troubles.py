"""What a pod says about itself, as the reason that a person needs. Pure.

The words of the kubelet and of container runtimes are no interface: what is not recognised is passed on as it is.
"""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from controller.adapters.kubernetes.shapes import Obj


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something does not work. `container` is the one to read the log of, its run before where `previous_logs`."""

    reason: str
    fatal: bool
    """It will not get better until somebody changes something."""
    container: str = ""
    previous_logs: bool = False


_PULLING = {"ImagePullBackOff", "ErrImagePull", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed"}
NO_PERMISSION = "no permission to pull"
_PULL_CAUSES = (
    (r"no match for platform|no matching manifest", "{image} is not built for the processors of this cluster"),
    (r"toomanyrequests|429 Too Many", "the registry takes no more requests for now: {image}"),
    (r"access denied|401 Unauthorized|403 Forbidden|denied|authorization failed|insufficient_scope|unauthorized",
     f"{NO_PERMISSION} {{image}}, or it does not exist"),
    (r"not found|manifest unknown|does not exist", "{image} not found"),
    (r"no such host|server misbehaving", "the registry of {image} has no address"),
    (r"certificate|x509", "the registry of {image} is not trusted: {tail}"),
    (r"timeout|connection refused|deadline|unreachable|EOF", "the registry of {image} does not answer: {tail}"),
)  # fmt: skip
_SIGNALS = {one.value: one.name for one in signal.Signals}
"""A shell and a container runtime add 128."""
_ROOT = re.compile(r"runAsNonRoot and image (will run as root|has non-numeric user \((\S+)\))")
_MAY_PASS = re.compile(
    r"timed out|deadline exceeded|is reserved|try again|connection refused|unavailable", re.IGNORECASE
)


def pod_ready(pod: Obj) -> bool:
    """It works, and is to stay."""
    return condition(pod, "Ready").get("status") == "True" and "deletionTimestamp" not in pod["metadata"]


def restarts(pod: Obj) -> int:
    """Of the container that was started anew most often."""
    return max(
        (int(status.get("restartCount", 0)) for status in _status(pod).get("containerStatuses") or ()), default=0
    )


def pod_trouble(pod: Obj, event: str = "") -> Trouble | None:
    """Why it does not work yet, or any more; None where it works, is on its way, or has ended as it should.

    `event`: the message of the latest warning about it (`FailedMount` and the like), where it is known; it is told
    where nothing better is.
    """
    if pod_ready(pod) or "deletionTimestamp" in pod["metadata"]:
        return None
    if _status(pod).get("phase") == "Failed":
        return _evicted(pod)
    found = _unschedulable(pod) or next(_ailing(pod), None)
    if found is None and event and not _running(pod):
        return Trouble(f"it is not started yet: {_sentence(event)}", fatal=False)
    return found or _silent(pod)


def why_failed(pod: Obj) -> str:
    """How the first container that failed ended: `it exited with status 3`. Empty where none did."""
    for name, status in _statuses(pod):
        ended = status.get("state", {}).get("terminated", {})
        if ended.get("exitCode"):
            return _who(pod, name) + _ended(pod, name, ended)
    trouble = _evicted(pod) if _status(pod).get("phase") == "Failed" else None
    return trouble.reason if trouble else ""


def condition(obj: Obj, kind: str) -> Obj:
    """Empty where there is none of this kind."""
    found = (one for one in obj.get("status", {}).get("conditions") or () if one["type"] == kind)
    return next(found, {})


def _status(pod: Obj) -> Obj:
    found: Obj = pod.get("status") or {}
    return found


def _statuses(pod: Obj) -> Iterator[tuple[str, Obj]]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        for status in _status(pod).get(kind) or ():
            yield status["name"], status


def _ailing(pod: Obj) -> Iterator[Trouble]:
    for name, status in _statuses(pod):
        if (found := _waiting(pod, name, status) or _stopped(pod, name, status)) is not None:
            yield found


def _waiting(pod: Obj, name: str, status: Obj) -> Trouble | None:
    waiting = status.get("state", {}).get("waiting", {})
    reason, message = waiting.get("reason", ""), str(waiting.get("message", ""))
    who, before = _who(pod, name), status.get("lastState", {}).get("terminated", {})
    match reason:
        case "" | "ContainerCreating" | "PodInitializing":
            return None
        case "CrashLoopBackOff":
            return Trouble(who + _ended(pod, name, before), fatal=True, container=name, previous_logs=True)
        case "RunContainerError" | "StartError":
            return Trouble(f"{who}it cannot be started: {_start_error(message)}", fatal=True, container=name)
        case "InvalidImageName":
            return Trouble(f"{who}`{_image(pod, name)}` is no name of an image", fatal=True, container=name)
        case "ErrImageNeverPull":
            why = f"{who}{_image(pod, name)} is not on the node, and the policy forbids to pull it"
            return Trouble(why, fatal=True, container=name)
        case "CreateContainerConfigError" | "CreateContainerError":
            return Trouble(who + _config_error(message), fatal=not _MAY_PASS.search(message), container=name)
        case _ if reason in _PULLING:
            return Trouble(f"{reason}: {_pull_cause(_image(pod, name), message)}", fatal=False, container=name)
        case _:
            return Trouble(who + ": ".join(filter(None, (reason, _sentence(message)))), fatal=False, container=name)


def _stopped(pod: Obj, name: str, status: Obj) -> Trouble | None:
    """Of what is to run for ever: it is about to be started anew, and where it was before it crashes each time."""
    ended = status.get("state", {}).get("terminated")
    done = name in _names(pod, "initContainers") and ended is not None and not ended.get("exitCode")
    if ended is None or done or pod["spec"].get("restartPolicy", "Always") != "Always":
        return None
    again = ended.get("reason") in {"StartError", "ContainerCannotRun"} or status.get("restartCount", 0) > 0
    return Trouble(_who(pod, name) + _ended(pod, name, ended), fatal=again, container=name)


def _ended(pod: Obj, name: str, ended: Obj) -> str:
    code = int(ended.get("exitCode", 0))
    if ended.get("reason") == "OOMKilled":
        limit = _container(pod, name).get("resources", {}).get("limits", {}).get("memory", "")
        return "it was killed: out of memory" + (f" (limit {limit})" if limit else "")
    if ended.get("reason") in {"StartError", "ContainerCannotRun"}:
        return f"it cannot be started: {_start_error(str(ended.get('message', '')))}"
    if code - 128 in _SIGNALS:
        return f"it was ended by signal {code - 128} ({_SIGNALS[code - 128]})"
    if code == 127:
        return "it exited with status 127: a command was not found"
    return f"it exited with status {code}" if code else "it ended by itself, with status 0"


def _start_error(message: str) -> str:
    """What the container runtime said last, without the layers that it came through."""
    tail = re.split(r"unable to start container process: |error during container init: |desc = ", message)[-1]
    return _sentence(tail.removesuffix(": unknown")) or "no reason was given"


def _config_error(message: str) -> str:
    if found := _ROOT.search(message):
        user = f"as the user `{found[2]}`, which has no number" if found[2] else "as root"
        return f"its image runs {user}: set `USER` in its Dockerfile to a number, like `USER 1000`"
    return f"it cannot be made: {_sentence(message)}"


def _pull_cause(image: str, message: str) -> str:
    for pattern, words in _PULL_CAUSES:
        if re.search(pattern, message.replace(image, ""), re.IGNORECASE):
            return words.format(image=image, tail=_sentence(message.rsplit(": ", 1)[-1]))
    cause = re.sub(r"^Back-off pulling image \"[^\"]*\"(: ErrImagePull: )?", "", message)
    return f"{image}: {_sentence(cause)}" if cause else image


def _unschedulable(pod: Obj) -> Trouble | None:
    found = condition(pod, "PodScheduled")
    if found.get("status") != "False" or found.get("reason") != "Unschedulable":
        return None
    message = _sentence(str(found.get("message", "")).split(" preemption: ")[0])
    why = "no node has room" if "Insufficient" in message or "Too many pods" in message else "no node takes it"
    return Trouble(f"{why}: {message}", fatal=False)


def _evicted(pod: Obj) -> Trouble | None:
    status = _status(pod)
    if not status.get("reason"):
        return None
    said = _sentence(str(status.get("message", "")))
    why = "it was evicted" if status["reason"] == "Evicted" else f"its pod failed ({status['reason']})"
    return Trouble(f"{why}: {said}" if said else why, fatal=False)


def _silent(pod: Obj) -> Trouble | None:
    """It runs, and does not answer where it should."""
    for name, status in _statuses(pod):
        if "running" in status.get("state", {}) and not status.get("ready"):
            container = _container(pod, name)
            probe = container.get("readinessProbe") or container.get("startupProbe") or {}
            if how := _unanswered(probe):
                return Trouble(_who(pod, name) + how, fatal=False, container=name)
    return None


def _unanswered(probe: Obj) -> str:
    if get := probe.get("httpGet"):
        return f"it runs, but {get.get('path', '/')} on port {get['port']} does not answer with less than 400 yet"
    if "tcpSocket" in probe:
        return f"it runs, but nothing listens on port {probe['tcpSocket']['port']} yet"
    return "it runs, but does not say that it is ready yet" if probe else ""


def _running(pod: Obj) -> bool:
    return any("running" in status.get("state", {}) for _, status in _statuses(pod))


def _who(pod: Obj, name: str) -> str:
    """Which container, where there is more than one it could be."""
    alone = len(pod["spec"]["containers"]) == 1 and name not in _names(pod, "initContainers")
    return "" if alone else f"{name}: "


def _names(pod: Obj, kind: str) -> set[str]:
    return {container["name"] for container in pod["spec"].get(kind) or ()}


def _container(pod: Obj, name: str) -> Obj:
    every = (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])
    return next((container for container in every if container["name"] == name), {})


def _image(pod: Obj, name: str) -> str:
    return str(_container(pod, name).get("image", ""))


def _sentence(text: str) -> str:
    """On one line, not too long, without a full stop."""
    return " ".join(text.split())[:300].rstrip(". ")
