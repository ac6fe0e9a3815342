"""The objects of one kind, by namespace and name. Only goes forward: what is older than what is known changes nothing.

Objects share their strings, as a thousand previews have the same keys, labels and images.
"""

import sys
from collections.abc import Collection, Sequence
from typing import Any

from controller.adapters.kubernetes.kinds import Kind
from controller.adapters.kubernetes.shapes import Obj

_REMEMBERED = 4_096
"""Uids of what is gone: a write's answer that comes later than its removal must not bring it back."""
_LONGEST_SHARED = 200


class Shelf:
    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._objects: dict[str, dict[str, Obj]] = {}
        self._gone: dict[str, None] = {}

    def all(self) -> Collection[Obj]:
        return [obj for objects in self._objects.values() for obj in objects.values()]

    def of(self, namespace: str) -> Collection[Obj]:
        return list(self._objects.get(namespace, {}).values())

    def get(self, name: str, namespace: str) -> Obj | None:
        return self._objects.get(namespace, {}).get(name)

    def put(self, obj: Obj) -> bool:
        """What a write returned; whether it was news. What is gone since does not come back."""
        return obj["metadata"].get("uid", "") not in self._gone and self.hear(obj)

    def hear(self, obj: Obj) -> bool:
        """What a list or a watch says is there; whether it was news."""
        namespace, name = place(obj)
        self._gone.pop(obj["metadata"].get("uid", ""), None)  # its labels did not match for a while
        known = self.get(name, namespace)
        if known is not None and not _newer(obj, known):
            return False
        self._objects.setdefault(namespace, {})[name] = _compact(obj)
        return True

    def drop(self, obj: Obj) -> bool:
        """Whether it was there. Another one of that name stays."""
        namespace, name = place(obj)
        uid = obj["metadata"].get("uid", "")
        self._remember(uid)
        known = self.get(name, namespace)
        if known is None or known["metadata"].get("uid", "") != uid:
            return False
        del self._objects[namespace][name]
        if not self._objects[namespace]:
            del self._objects[namespace]
        return True

    def replace(self, objects: Sequence[Obj], version: str) -> list[Obj]:
        """All there were at a version; returns what is new, other or gone. What was put since then stays."""
        listed = {obj["metadata"].get("uid", "") for obj in objects}
        vanished = [known for known in self.all() if known["metadata"].get("uid", "") not in listed]
        gone = [known for known in vanished if not _later(_version(known), version) and self.drop(known)]
        return gone + [obj for obj in objects if self.hear(obj)]

    def _remember(self, uid: str) -> None:
        self._gone[uid] = None
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]


def place(obj: Obj) -> tuple[str, str]:
    """Namespace and name; of what is in none, the namespace is empty."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _newer(obj: Obj, known: Obj) -> bool:
    """Versions that are no numbers cannot be compared: then another one is taken for newer."""
    ours, theirs = _version(obj), _version(known)
    return int(ours) > int(theirs) if ours.isdecimal() and theirs.isdecimal() else ours != theirs


def _later(version: str, than: str) -> bool:
    return version.isdecimal() and than.isdecimal() and int(version) > int(than)


def _version(obj: Obj) -> str:
    return str(obj["metadata"].get("resourceVersion") or "")


def _compact(obj: Obj) -> Obj:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    compact: Obj = _share(obj | {"metadata": metadata})
    return compact


def _share(value: Any) -> Any:
    if isinstance(value, str):
        return sys.intern(value) if len(value) <= _LONGEST_SHARED else value
    if isinstance(value, dict):
        return {sys.intern(key): _share(item) for key, item in value.items()}
    return [_share(item) for item in value] if isinstance(value, list) else value
