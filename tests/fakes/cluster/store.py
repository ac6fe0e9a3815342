"""What there is, in memory, and what changed, in order. Objects are never changed in place."""

import bisect
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.fakes.cluster.resources import Obj, Resource

MOST_EVENTS = 100_000
Listener = Callable[["Event"], None]


@dataclass(frozen=True)
class Event:
    """`ADDED`, `MODIFIED` or `DELETED`; `before` is what it was, None where it is new."""

    version: int
    type: str
    resource: Resource
    object: Obj
    before: Obj | None

    @cached_property
    def json(self) -> bytes:
        return encode(self.object)


class Store:
    def __init__(self) -> None:
        self.version = self.compacted = 100
        """Watches from before this version are refused."""
        self._objects: dict[Resource, dict[str, dict[str, Obj]]] = defaultdict(dict)
        self._owned: dict[str, set[tuple[Resource, str, str]]] = defaultdict(set)
        self._log: list[Event] = []
        self._listeners: list[Listener] = []

    def get(self, resource: Resource, name: str, namespace: str = "") -> Obj | None:
        return self._objects[resource].get(namespace, {}).get(name)

    def all(self, resource: Resource, namespace: str = "") -> list[Obj]:
        """By namespace and name; of every namespace where none is given."""
        found = self._objects[resource]
        namespaces = [namespace] if namespace else sorted(found)
        return [obj for space in namespaces for _, obj in sorted(found.get(space, {}).items())]

    def within(self, namespace: str) -> list[tuple[Resource, Obj]]:
        return [(resource, obj) for resource in self._objects for obj in self.all(resource, namespace)]

    def owned_by(self, uid: str) -> list[tuple[Resource, Obj]]:
        found = (
            (resource, self.get(resource, name, space)) for resource, space, name in sorted(self._owned[uid], key=str)
        )
        return [(resource, obj) for resource, obj in found if obj is not None]

    def put(self, resource: Resource, obj: Obj) -> Obj:
        metadata = obj["metadata"]
        before = self.get(resource, metadata["name"], metadata.get("namespace", ""))
        stored = self._stamped(obj)
        self._objects[resource].setdefault(metadata.get("namespace", ""), {})[metadata["name"]] = stored
        self._index(resource, before, stored)
        self._tell(Event(self.version, "MODIFIED" if before else "ADDED", resource, stored, before))
        return stored

    def drop(self, resource: Resource, obj: Obj) -> Obj:
        metadata = obj["metadata"]
        space = self._objects[resource][metadata.get("namespace", "")]
        before = space.pop(metadata["name"])
        self._index(resource, before, None)
        gone = self._stamped(obj)
        self._tell(Event(self.version, "DELETED", resource, gone, before))
        return gone

    def _stamped(self, obj: Obj) -> Obj:
        self.version += 1
        return obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self.version)}}

    def _index(self, resource: Resource, before: Obj | None, now: Obj | None) -> None:
        for obj, change in ((before, set.discard), (now, set.add)):
            for uid in owner_uids(obj):
                metadata = (obj or {})["metadata"]
                change(self._owned[uid], (resource, metadata.get("namespace", ""), metadata["name"]))

    def _tell(self, event: Event) -> None:
        self._log.append(event)
        if len(self._log) > MOST_EVENTS:
            self.compact(self._log[MOST_EVENTS // 2].version)
        for listener in list(self._listeners):
            listener(event)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def since(self, version: int) -> Iterator[Event]:
        start = bisect.bisect_right(self._log, version, key=lambda event: event.version)
        return iter(self._log[start:])

    def compact(self, version: int) -> None:
        self.compacted = version
        start = bisect.bisect_left(self._log, version, key=lambda event: event.version)
        del self._log[:start]


def owner_uids(obj: Obj | None) -> list[str]:
    references = (obj or {"metadata": {}})["metadata"].get("ownerReferences") or []
    return [reference["uid"] for reference in references]


def encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
