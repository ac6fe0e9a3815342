"""ResourceQuota and LimitRange: how much may be in a namespace, and what a container has that does not say. Pure."""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from tests.fakes.cluster.problems import ApiError, forbidden
from tests.fakes.cluster.quantities import quantity, written
from tests.fakes.cluster.resources import CLAIM, POD, Obj, Resource

Amounts = Counter[str]
ENDED = ("Succeeded", "Failed")
COUNTED = {"configmaps", "secrets", "services", "persistentvolumeclaims", "resourcequotas", "replicationcontrollers"}


def demand(resource: Resource, obj: Obj) -> dict[str, Fraction]:
    """What one object takes, by the names that a quota has for it."""
    takes = {f"count/{resource.qualified}": Fraction(1)}
    if resource.plural in COUNTED:
        takes[resource.plural] = Fraction(1)
    if resource is CLAIM:
        takes["requests.storage"] = quantity(obj["spec"].get("resources", {}).get("requests", {}).get("storage", 0))
    if resource is POD:
        takes |= _of_pod(obj)
    return takes


def _of_pod(pod: Obj) -> dict[str, Fraction]:
    if pod.get("status", {}).get("phase") in ENDED:
        return {"count/pods": Fraction(1)}
    takes = {"count/pods": Fraction(1), "pods": Fraction(1)}
    for kind in ("requests", "limits"):
        for what in ("cpu", "memory"):
            amount = _together(pod["spec"], kind, what)
            if amount is not None:
                takes[f"{kind}.{what}"] = amount
    return takes | {what: takes[f"requests.{what}"] for what in ("cpu", "memory") if f"requests.{what}" in takes}


def _together(spec: Obj, kind: str, what: str) -> Fraction | None:
    """Containers run at once, those before them one by one. None where one of them does not say."""
    together = [_said(container, kind, what) for container in spec["containers"]]
    before = [_said(container, kind, what) for container in spec.get("initContainers") or ()]
    known = [amount for amount in (*together, *before) if amount is not None]
    if len(known) < len(together) + len(before):
        return None
    return max([sum(known[: len(together)], Fraction(0)), *known[len(together) :]])


def _said(container: Obj, kind: str, what: str) -> Fraction | None:
    resources = container.get("resources") or {}
    value = (resources.get(kind) or {}).get(what)
    if value is None and kind == "requests":
        value = (resources.get("limits") or {}).get(what)
    return None if value is None else quantity(value)


def used(hard: Obj, objects: Iterable[tuple[Resource, Obj]]) -> dict[str, Fraction]:
    total = {name: Fraction(0) for name in hard}
    for resource, obj in objects:
        for name, amount in demand(resource, obj).items():
            if name in total:
                total[name] += amount
    return total


def check(quota: Obj, resource: Resource, new: Obj, objects: Iterable[tuple[Resource, Obj]]) -> None:
    """Raises ApiError (403) where one more is too many."""
    hard, name = quota["spec"].get("hard") or {}, new["metadata"]["name"]
    takes = {key: amount for key, amount in demand(resource, new).items() if key in hard}
    missing = [key for key in hard if resource is POD and _measured(key) and key not in takes]
    if missing:
        who = ",".join(container["name"] for container in new["spec"]["containers"])
        told = "; ".join(f"{key} for: {who}" for key in sorted(missing))
        raise forbidden(resource, name, f"failed quota: {quota['metadata']['name']}: must specify {told}")
    before = used(hard, objects)
    over = sorted(key for key in takes if before[key] + takes[key] > quantity(hard[key]))
    if over:
        raise _exceeded(quota, resource, new, [{key: takes[key] for key in over}, {key: before[key] for key in over}])


def _measured(key: str) -> bool:
    return key in {"cpu", "memory"} or (key.partition(".")[0] in {"requests", "limits"} and not key.endswith("storage"))


def _exceeded(quota: Obj, resource: Resource, new: Obj, amounts: list[dict[str, Fraction]]) -> ApiError:
    hard = {key: quota["spec"]["hard"][key] for key in amounts[0]}
    requested, taken = (",".join(f"{key}={written(amount)}" for key, amount in part.items()) for part in amounts)
    limited = ",".join(f"{key}={value}" for key, value in hard.items())
    why = f"exceeded quota: {quota['metadata']['name']}, requested: {requested}, used: {taken}, limited: {limited}"
    return forbidden(resource, new["metadata"]["name"], why)


def with_defaults(pod: Obj, ranges: Iterable[Obj]) -> Obj:
    """What the LimitRanges of the namespace give containers that ask for nothing."""
    limits = [limit for found in ranges for limit in found["spec"].get("limits") or () if limit["type"] == "Container"]
    spec = dict(pod["spec"])
    for name in ("containers", "initContainers"):
        if spec.get(name):
            spec[name] = [_filled(container, limits) for container in spec[name]]
    return pod | {"spec": spec}


def _filled(container: Obj, limits: list[Obj]) -> Obj:
    resources = container.get("resources") or {}
    for limit in limits:
        most = dict(limit.get("default") or {}) | (resources.get("limits") or {})
        least = dict(limit.get("defaultRequest") or {}) | (resources.get("requests") or {})
        resources = resources | {"limits": most, "requests": least}
    return container | {"resources": resources} if resources else container
