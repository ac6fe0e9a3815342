"""What pods of a pull request's own manifests may be: nothing of the node, of the operator or of another's. Pure.

A list of what is allowed, not of what is not: a field that a later Kubernetes brings is refused until it stands here.
Pod Security `restricted` is enforced on the namespace besides (https://kubernetes.io/docs/concepts/security/
pod-security-standards/); what it wants and nobody wrote is filled in by `own`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from controller.adapters.kubernetes.allowed_shapes import NotAllowed, items, mapping, mappings, one_of, only, text
from controller.common import images
from controller.settings import Kubernetes

MAX_GRACE = 120
"""Seconds a pod may take to end: until then its namespace does not go either."""
MAX_CONTAINERS = 20


@dataclass(frozen=True, slots=True)
class Reach:
    """What a set of manifests may reach for."""

    namespace: str
    kubernetes: Kubernetes
    hosts: Collection[str] = ()
    """Full host names of the preview."""
    accounts: Collection[str] = ()
    """ServiceAccounts of the set itself."""
    fork: bool = False
    """Strangers wrote it."""


_POD = {
    *("activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "containers", "dnsConfig", "dnsPolicy"),
    *("enableServiceLinks", "hostAliases", "hostname", "hostUsers", "imagePullSecrets", "initContainers"),
    *("ephemeralContainers", "nodeSelector", "os", "readinessGates", "resources", "restartPolicy", "schedulerName"),
    *("runtimeClassName", "securityContext", "serviceAccount", "serviceAccountName", "setHostnameAsFQDN"),
    *("shareProcessNamespace", "subdomain", "terminationGracePeriodSeconds", "topologySpreadConstraints", "volumes"),
}
_CONTAINER = {
    *("args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "name", "ports"),
    *("readinessProbe", "resizePolicy", "resources", "restartPolicy", "restartPolicyRules", "securityContext"),
    *("startupProbe", "stdin", "stdinOnce", "targetContainerName", "terminationMessagePath"),
    *("terminationMessagePolicy", "tty", "volumeMounts", "workingDir"),
}
_CONTEXT = {
    *("allowPrivilegeEscalation", "appArmorProfile", "capabilities", "fsGroup", "fsGroupChangePolicy", "procMount"),
    *("readOnlyRootFilesystem", "runAsGroup", "runAsNonRoot", "runAsUser", "seccompProfile", "supplementalGroups"),
    "supplementalGroupsPolicy",
}
_VOLUMES = {
    *("configMap", "downwardAPI", "emptyDir", "ephemeral", "image", "name", "persistentVolumeClaim"),
    *("projected", "secret"),
}
_CLAIM = {"accessModes", "resources", "storageClassName", "volumeAttributesClassName", "volumeMode"}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def pod(spec: object, where: str, reach: Reach) -> None:
    """Raises NotAllowed."""
    found = mapping(spec, where)
    only(found, _POD, where)
    _account(found, where, reach)
    _scheduling(found, where, reach.kubernetes)
    context(found.get("securityContext"), f"{where}.securityContext")
    containers = [
        each
        for key in ("initContainers", "containers", "ephemeralContainers")
        for each in mappings(found.get(key), f"{where}.{key}")
    ]
    if not found.get("containers") or len(containers) > MAX_CONTAINERS:
        raise NotAllowed(f"`{where}` has no containers" if not containers else f"`{where}` has too many containers")
    for one, at in containers:
        _container(one, at, reach)
    for volume, at in mappings(found.get("volumes"), f"{where}.volumes"):
        _volume(volume, at, reach)


def _account(found: dict[str, Any], where: str, reach: Reach) -> None:
    for key in ("serviceAccountName", "serviceAccount"):
        name = text(found.get(key), f"{where}.{key}")
        if name not in {"", "default", *reach.accounts}:
            raise NotAllowed(f"`{where}.{key}: {name[:80]}` is not among these manifests")
    one_of(found.get("automountServiceAccountToken"), [False], f"{where}.automountServiceAccountToken")


def _scheduling(found: dict[str, Any], where: str, kubernetes: Kubernetes) -> None:
    """Which nodes, and before whom, is the operator's to say."""
    one_of(found.get("schedulerName"), ["", "default-scheduler"], f"{where}.schedulerName")
    one_of(found.get("runtimeClassName"), ["", kubernetes.runtime_class], f"{where}.runtimeClassName")
    one_of(mapping(found.get("os"), f"{where}.os").get("name"), ["linux"], f"{where}.os.name")
    wanted = mapping(found.get("nodeSelector"), f"{where}.nodeSelector")
    for key, value in kubernetes.node_selector.items():
        one_of(wanted.get(key), [value], f"{where}.nodeSelector.{key}")
    grace = found.get("terminationGracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or not 0 <= grace <= MAX_GRACE):
        raise NotAllowed(f"`{where}.terminationGracePeriodSeconds` may be {MAX_GRACE} at most")


def _container(one: dict[str, Any], where: str, reach: Reach) -> None:
    only(one, _CONTAINER, where)
    image(one.get("image"), f"{where}.image", reach)
    context(one.get("securityContext"), f"{where}.securityContext")
    for port, at in mappings(one.get("ports"), f"{where}.ports"):
        only(port, {"containerPort", "name", "protocol"}, at)
    for variable, at in mappings(one.get("env"), f"{where}.env"):
        chosen = mapping(variable.get("valueFrom"), f"{at}.valueFrom")
        only(chosen, {"configMapKeyRef", "fieldRef", "resourceFieldRef", "secretKeyRef"}, f"{at}.valueFrom")
        _secret(mapping(chosen.get("secretKeyRef"), f"{at}.valueFrom.secretKeyRef").get("name"), at, reach)
    for source, at in mappings(one.get("envFrom"), f"{where}.envFrom"):
        only(source, {"configMapRef", "prefix", "secretRef"}, at)
        _secret(mapping(source.get("secretRef"), f"{at}.secretRef").get("name"), at, reach)
    for key in _PROBES:
        _action(one.get(key), f"{where}.{key}")
    lifecycle = mapping(one.get("lifecycle"), f"{where}.lifecycle")
    for key in ("postStart", "preStop"):
        _action(lifecycle.get(key), f"{where}.lifecycle.{key}")


def image(value: object, where: str, reach: Reach) -> None:
    if refused := images.why_not(text(value, where), reach.kubernetes.registries):
        raise NotAllowed(f"`{where}`: {refused}")


def _action(value: object, where: str) -> None:
    """A probe that names a host is the node's own request to wherever that is."""
    found = mapping(value, where)
    for key in ("httpGet", "tcpSocket"):
        if text(mapping(found.get(key), f"{where}.{key}").get("host"), f"{where}.{key}.host"):
            raise NotAllowed(f"`{where}.{key}.host` is not allowed in a preview")


def context(value: object, where: str) -> None:
    found = mapping(value, where)
    only(found, _CONTEXT, where)
    one_of(found.get("allowPrivilegeEscalation"), [False], f"{where}.allowPrivilegeEscalation")
    one_of(found.get("runAsNonRoot"), [True], f"{where}.runAsNonRoot")
    one_of(found.get("procMount"), ["Default"], f"{where}.procMount")
    if found.get("runAsUser") is not None and (not isinstance(found["runAsUser"], int) or found["runAsUser"] < 1):
        raise NotAllowed(f"`{where}.runAsUser` may not be root")
    for key in ("seccompProfile", "appArmorProfile"):
        kind = mapping(found.get(key), f"{where}.{key}").get("type")
        one_of(kind, ["RuntimeDefault", "Localhost"], f"{where}.{key}.type")
    capabilities = mapping(found.get("capabilities"), f"{where}.capabilities")
    for added, at in items(capabilities.get("add"), f"{where}.capabilities.add"):
        one_of(added, ["NET_BIND_SERVICE"], at)


def _volume(volume: dict[str, Any], where: str, reach: Reach) -> None:
    for key, value in volume.items():
        if key not in _VOLUMES and value is not None:
            raise NotAllowed(f"`{where}.{key}` is not allowed in a preview"[:300])
    _secret(mapping(volume.get("secret"), f"{where}.secret").get("secretName"), where, reach)
    if volume.get("image") is not None:
        if reach.fork:  # nobody asks the registry whether it is public
            raise NotAllowed(f"`{where}.image` is not allowed in a fork's preview")
        image(mapping(volume["image"], f"{where}.image").get("reference"), f"{where}.image.reference", reach)
    ephemeral = mapping(volume.get("ephemeral"), f"{where}.ephemeral")
    template = mapping(ephemeral.get("volumeClaimTemplate"), f"{where}.ephemeral.volumeClaimTemplate")
    if template:
        claim(template.get("spec"), f"{where}.ephemeral.volumeClaimTemplate.spec")
    projected = mapping(volume.get("projected"), f"{where}.projected")
    for source, at in mappings(projected.get("sources"), f"{where}.projected.sources"):
        for key, value in source.items():
            if key not in {"configMap", "downwardAPI", "secret"} and value is not None:
                raise NotAllowed(f"`{at}.{key}` is not allowed in a preview"[:300])
        _secret(mapping(source.get("secret"), f"{at}.secret").get("name"), at, reach)


def _secret(name: object, where: str, reach: Reach) -> None:
    if text(name, where) in {*reach.kubernetes.pull_secrets, ""} and name:
        raise NotAllowed(f"`{where}` reads the Secret `{name}`, which is the operator's")


def claim(spec: object, where: str) -> None:
    """A volume of its own, by the class's provisioner: never one that is there already, or a copy of one."""
    found = mapping(spec, where)
    for key, value in found.items():
        if key not in _CLAIM and value not in (None, ""):
            raise NotAllowed(f"`{where}.{key}` is not allowed in a preview"[:300])
