"""Which objects a list or a watch is about."""

import re

from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.resources import Obj

_SET = re.compile(r"^(\S+) +(in|notin) +\(([^)]*)\)$")
_EQUAL = re.compile(r"^([^!=\s]+) *(==|=|!=) *(\S*)$")


class Selector:
    def __init__(self, labels: str = "", fields: str = "") -> None:
        self._labels = [part.strip() for part in re.split(r",(?![^(]*\))", labels) if part.strip()]
        self._fields = [part.strip() for part in fields.split(",") if part.strip()]
        for part in self._labels:
            if not (_SET.match(part) or _EQUAL.match(part) or re.match(r"^!?[\w./-]+$", part)):
                raise ApiError(400, f"unable to parse requirement: {part}")

    def matches(self, obj: Obj | None) -> bool:
        if obj is None:
            return False
        labels = obj["metadata"].get("labels") or {}
        return all(_label(part, labels) for part in self._labels) and all(_field(part, obj) for part in self._fields)


def _label(part: str, labels: dict[str, str]) -> bool:
    if found := _SET.match(part):
        values = [value.strip() for value in found[3].split(",")]
        return (labels.get(found[1]) in values) == (found[2] == "in")
    if found := _EQUAL.match(part):
        return (labels.get(found[1]) == found[3]) == (found[2] != "!=")
    return (part.lstrip("!") in labels) == (not part.startswith("!"))


def _field(part: str, obj: Obj) -> bool:
    found = _EQUAL.match(part)
    if found is None:
        raise ApiError(400, f"invalid field selector {part}")
    value: object = obj
    for word in found[1].split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return (str(value or "") == found[3]) == (found[2] != "!=")
