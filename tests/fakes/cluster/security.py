"""Pod Security `restricted`, the part of it that templates get wrong. Pure.

The rules and words are those of Kubernetes' Pod Security Standards, as the built-in admission plugin tells them.
"""

from collections.abc import Callable, Iterator

from tests.fakes.cluster.resources import Obj

LABEL = "pod-security.kubernetes.io/enforce"
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violation(labels: dict[str, str], spec: Obj) -> str:
    """Why a pod may not be in a namespace with these labels; empty where it may."""
    level = labels.get(LABEL)
    found = [*_baseline(spec)] if level in {"baseline", "restricted"} else []
    found += [*_restricted(spec)] if level == "restricted" else []
    return f'violates PodSecurity "{level}:latest": {", ".join(found)}' if found else ""


def _baseline(spec: Obj) -> Iterator[str]:
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    if shared:
        yield f"host namespaces ({', '.join(shared)})"
    if bad := _named(spec, lambda container: _security(container).get("privileged") is True):
        yield f"privileged ({bad} must not set securityContext.privileged=true)"
    if paths := [volume["name"] for volume in spec.get("volumes") or () if "hostPath" in volume]:
        yield f'hostPath volumes (volume "{paths[0]}")'


def _restricted(spec: Obj) -> Iterator[str]:
    if others := [volume["name"] for volume in spec.get("volumes") or () if not VOLUMES & volume.keys()]:
        yield f'restricted volume types (volume "{others[0]}" uses restricted volume type)'
    if bad := _named(spec, lambda container: _security(container).get("allowPrivilegeEscalation") is not False):
        yield f"allowPrivilegeEscalation != false ({bad} must set securityContext.allowPrivilegeEscalation=false)"
    if bad := _named(
        spec, lambda container: "ALL" not in (_security(container).get("capabilities") or {}).get("drop", ())
    ):
        yield f'unrestricted capabilities ({bad} must set securityContext.capabilities.drop=["ALL"])'
    pod = spec.get("securityContext") or {}
    if bad := _named(
        spec, lambda container: _security(container).get("runAsNonRoot", pod.get("runAsNonRoot")) is not True
    ):
        yield f"runAsNonRoot != true (pod or {bad} must set securityContext.runAsNonRoot=true)"
    if bad := _named(spec, lambda container: _security(container).get("runAsUser", pod.get("runAsUser")) == 0):
        yield f"runAsUser=0 ({bad} must not set runAsUser=0)"
    if bad := _named(spec, lambda container: _profile(container, pod) not in {"RuntimeDefault", "Localhost"}):
        must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {bad} {must})"


def _security(container: Obj) -> Obj:
    return container.get("securityContext") or {}


def _profile(container: Obj, pod: Obj) -> str:
    profile: Obj = _security(container).get("seccompProfile") or pod.get("seccompProfile") or {}
    return str(profile.get("type", ""))


def _named(spec: Obj, bad: Callable[[Obj], bool]) -> str:
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    names = [f'"{container["name"]}"' for container in containers if bad(container)]
    if not names:
        return ""
    return f"container{'s' if len(names) > 1 else ''} {', '.join(names)}"
