"""Conditions of a status. Pure."""

from tests.fakes.cluster.objects import now
from tests.fakes.cluster.resources import Obj


def condition(obj: Obj, name: str) -> Obj | None:
    found = obj.get("status", {}).get("conditions") or ()
    return next((known for known in found if known["type"] == name), None)


def holds(obj: Obj, name: str) -> bool:
    return (condition(obj, name) or {}).get("status") == "True"


def told(obj: Obj, name: str, status: bool, reason: str, message: str) -> Obj:
    """Its times stay where it was so before."""
    known = condition(obj, name)
    new = {"type": name, "status": str(status), "reason": reason, "message": message}
    if known is not None and all(known.get(key) == value for key, value in new.items()):
        return known
    since = known["lastTransitionTime"] if known and known["status"] == new["status"] else now()
    return new | {"lastTransitionTime": since, "lastUpdateTime": now()}
