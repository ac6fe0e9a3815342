"""Who owns which field: server-side apply's sets of fields, as paths of `fieldsV1` elements. Pure.

`("f:spec", "f:containers", 'k:{"name":"web"}', "f:image")`. Which lists are maps by a key, and which values are one
indivisible thing, are the markers `x-kubernetes-list-map-keys`, `-list-type` and `-map-type` of the API's schema.
"""

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.fakes.cluster.resources import Obj

Path = tuple[str, ...]
NAMED = ("containers", "initContainers", "ephemeralContainers", "env", "volumes", "imagePullSecrets", "secrets")
KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(NAMED, ("name",)) | {
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "hostAliases": ("ip",),
    "podIPs": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
SETS = {"finalizers"}
ATOMIC = {
    "selector",
    "nodeSelector",
    "podSelector",
    "namespaceSelector",
    "labelSelector",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "secretRef",
    "roleRef",
    "scaleTargetRef",
}
DEFAULTS = {"protocol": "TCP"}
OURS = {(f"f:{name}",) for name in ("apiVersion", "kind")} | {
    ("f:metadata", f"f:{name}")
    for name in (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "managedFields",
        "creationTimestamp",
        "generation",
        "generateName",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    )
}
"""Nobody's to own."""


def keys(path: Path) -> tuple[str, ...]:
    """By which fields the items of the list there are told apart; none where it is one thing."""
    name = path[-1][2:]
    if name != "ports":
        return KEYS.get(name, ())
    return ("containerPort", "protocol") if len(path) > 1 and path[-2].startswith("k:") else ("port", "protocol")


def element(item: Obj, names: tuple[str, ...]) -> str:
    key = {name: item.get(name, DEFAULTS.get(name)) for name in names}
    return "k:" + json.dumps(key, sort_keys=True, separators=(",", ":"))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything that can be owned, with its value (None for an item of a list: its fields have the values)."""
    name = path[-1][2:] if path else ""
    if path in OURS:
        return
    if isinstance(value, dict) and value and not (name in ATOMIC and path[-1].startswith("f:")):
        for inner in value:
            yield from leaves(value[inner], (*path, f"f:{inner}"))
    elif isinstance(value, list) and value and name in SETS:
        yield from (((*path, f"v:{json.dumps(item)}"), item) for item in value)
    elif isinstance(value, list) and value and keys(path) and all(isinstance(item, dict) for item in value):
        for item in value:
            here = (*path, element(item, keys(path)))
            yield here, None
            yield from leaves(item, here)
    else:
        yield path, value


def owned(obj: Obj) -> dict[Path, Any]:
    return dict(leaves(obj))


def merged(live: Any, config: Any, path: Path = ()) -> Any:
    """`config` laid over `live`, which stays as it is."""
    name = path[-1][2:] if path else ""
    if isinstance(live, dict) and isinstance(config, dict) and not (name in ATOMIC and path[-1].startswith("f:")):
        return live | {key: merged(live.get(key), value, (*path, f"f:{key}")) for key, value in config.items()}
    if isinstance(live, list) and isinstance(config, list) and name in SETS:
        return live + [item for item in config if item not in live]
    if isinstance(live, list) and isinstance(config, list) and path and keys(path):
        return _merged_items(live, config, path)
    return copy.deepcopy(config)


def _merged_items(live: list[Obj], config: list[Obj], path: Path) -> list[Obj]:
    names = keys(path)
    mine = {element(item, names): item for item in live}
    theirs = {element(item, names): item for item in config}
    order = [*theirs, *(key for key in mine if key not in theirs)]
    return [merged(mine.get(key), theirs[key], (*path, key)) if key in theirs else mine[key] for key in order]


def without(obj: Obj, paths: Iterable[Path], kept: set[Path]) -> Obj:
    """What is left when nobody wants these any more. An item of which something else is kept stays."""
    result = copy.deepcopy(obj)
    for path in sorted(paths, key=len):
        if not any(other[: len(path)] == path for other in kept):
            _remove(result, path)
    return result


def _remove(node: Any, path: Path) -> None:
    *parents, last = path
    trail: list[tuple[Any, str]] = []
    for index, step in enumerate(parents):
        trail.append((node, step))
        node = _step(node, step, path[:index])
        if node is None:
            return
    if last.startswith("f:"):
        node.pop(last[2:], None)
    else:
        found = _position(node, last, path[:-1])
        if found is not None:
            del node[found]
    _prune(trail, node)


def _prune(trail: list[tuple[Any, str]], node: Any) -> None:
    """Maps and lists that became empty by a removal go as well, up to the first that is not."""
    for parent, step in reversed(trail):
        if node or not step.startswith("f:") or step[2:] in {"metadata", "spec", "data"}:
            return
        parent.pop(step[2:], None)
        node = parent


def _step(node: Any, step: str, path: Path) -> Any:
    if step.startswith("f:"):
        return node.get(step[2:]) if isinstance(node, dict) else None
    found = _position(node, step, path)
    return None if found is None else node[found]


def _position(items: Any, step: str, path: Path) -> int | None:
    if not isinstance(items, list):
        return None
    for index, item in enumerate(items):
        here = f"v:{json.dumps(item)}" if step.startswith("v:") else element(item, keys(path))
        if here == step:
            return index
    return None


def encode(paths: Iterable[Path]) -> Obj:
    """As `fieldsV1`: a tree, in which `.` stands for the thing itself where something within it is owned too."""
    found = set(paths)
    parents = {path[:length] for path in found for length in range(1, len(path))}
    tree: Obj = {}
    for path in sorted(found):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        if path in parents:
            node["."] = {}
    return tree


def decode(tree: Obj, path: Path = ()) -> Iterator[Path]:
    for step, inner in tree.items():
        if step == ".":
            yield path
        elif inner:
            yield from decode(inner, (*path, step))
        else:
            yield (*path, step)
