"""A repository's own objects, made part of a preview: our namespace and labels, what Pod Security wants. Pure.

What a pod leaves open is filled in as our own pods have it, so that manifests that were written for a laxer place run;
what it says against it was refused before (`allowed`).
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.shapes import Obj, Place
from controller.settings import Kubernetes

ACCOUNT = "preview"
"""The ServiceAccount without a token that every preview has."""
_ORDER = (
    *("ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Service", "StatefulSet", "Deployment"),
    *("Pod", "Job", "CronJob", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress", "HTTPRoute"),
)
_ROLLED = {"Deployment", "StatefulSet"}
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def in_order(objects: Sequence[Obj]) -> tuple[Obj, ...]:
    """What others need first; otherwise as they were written."""
    return tuple(sorted(objects, key=lambda obj: _ORDER.index(obj["kind"]) if obj["kind"] in _ORDER else len(_ORDER)))


def placed(obj: Obj, place: Place, deploy: int, kubernetes: Kubernetes, *, fork: bool = False) -> Obj:
    """A copy, in its place. `deploy` rolls the pods of what keeps running anew. A fork's has no pull secrets."""
    made: Obj = copy.deepcopy(obj)
    made["metadata"]["namespace"] = place.namespace
    made["metadata"].pop("creationTimestamp", None)
    _label(made["metadata"], place)
    _select_ours(made.get("spec"))
    if made["kind"] == "ServiceAccount":
        made["automountServiceAccountToken"] = False
        if fork:
            made.pop("imagePullSecrets", None)
    for template in _templates(made):
        metadata = template["metadata"] = template.get("metadata") or {}
        metadata.pop("creationTimestamp", None)
        _label(metadata, place)
        if made["kind"] in _ROLLED:
            metadata["annotations"] = (metadata.get("annotations") or {}) | {names.DEPLOY: str(deploy)}
    for pod in _pods(made):
        _harden(pod, kubernetes)
        if fork:
            pod.pop("imagePullSecrets", None)
    return made


def images(objects: Sequence[Obj]) -> tuple[str, ...]:
    """Every image in them, each once."""
    return tuple(dict.fromkeys(container["image"] for container in _containers(objects)))


def with_images(objects: Sequence[Obj], known: Mapping[str, str]) -> tuple[Obj, ...]:
    """Copies, with every image that is known replaced (by the digest it was found under)."""
    made = tuple(copy.deepcopy(obj) for obj in objects)
    for container in _containers(made):
        if isinstance(container.get("image"), str):
            container["image"] = known.get(container["image"], container["image"])
    return made


def _containers(objects: Sequence[Obj]) -> Iterator[dict[str, Any]]:
    for obj in objects:
        for pod in _pods(obj):
            yield from (container for key in _CONTAINERS for container in pod.get(key) or ())


def _label(metadata: dict[str, Any], place: Place) -> None:
    metadata["labels"] = (metadata.get("labels") or {}) | names.labels(place)


def _select_ours(spec: dict[str, Any] | None) -> None:
    """Whoever is managed by us is selected as such: charts write `Helm` there, and some select by it."""
    selector = (spec or {}).get("selector") or {}
    for labels in (selector, selector.get("matchLabels")):
        if isinstance(labels, dict) and names.MANAGED_BY in labels:
            labels[names.MANAGED_BY] = names.MANAGER


def _templates(obj: Obj) -> Iterator[dict[str, Any]]:
    spec = obj.get("spec") or {}
    for owner in (spec, (spec.get("jobTemplate") or {}).get("spec") or {}):
        if isinstance(owner.get("template"), dict):
            yield owner["template"]


def _pods(obj: Obj) -> Iterator[dict[str, Any]]:
    if obj["kind"] == "Pod":
        yield obj["spec"]
    yield from (template["spec"] for template in _templates(obj))


def _harden(pod: dict[str, Any], kubernetes: Kubernetes) -> None:
    account = pod.pop("serviceAccount", None) or pod.get("serviceAccountName")
    pod["serviceAccountName"] = ACCOUNT if account in {None, "", "default"} else account
    pod["automountServiceAccountToken"] = False
    pod.setdefault("enableServiceLinks", False)
    ours = [{"name": name} for name in kubernetes.pull_secrets]
    theirs = pod.get("imagePullSecrets") or []
    if ours or theirs:
        pod["imagePullSecrets"] = [*theirs, *(secret for secret in ours if secret not in theirs)]
    if kubernetes.node_selector:
        pod["nodeSelector"] = (pod.get("nodeSelector") or {}) | kubernetes.node_selector
    if kubernetes.runtime_class is not None:
        pod["runtimeClassName"] = kubernetes.runtime_class
    pod["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}} | _said(
        pod.get("securityContext")
    )
    for container in (each for key in _CONTAINERS for each in pod.get(key) or ()):
        container.setdefault("imagePullPolicy", kubernetes.images.pull_policy)
        context = {"allowPrivilegeEscalation": False} | _said(container.get("securityContext"))
        context["capabilities"] = _said(context.get("capabilities")) | {"drop": ["ALL"]}
        container["securityContext"] = context


def _said(value: dict[str, Any] | None) -> dict[str, Any]:
    return {key: item for key, item in (value or {}).items() if item is not None}
