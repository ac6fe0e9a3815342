"""The three patches besides apply: merge, strategic merge, and JSON patch. Pure."""

import copy
from typing import Any

from tests.fakes.cluster import fields
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.resources import Obj


def merge(live: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def strategic(live: Any, patch: Any, path: fields.Path = ()) -> Any:
    """Lists that are maps by a key are merged by it; `$patch: delete` removes an item."""
    if isinstance(patch, list):
        names = fields.keys(path) if path else ()
        if names and isinstance(live, list):
            return _items(live, patch, path, names)
        return copy.deepcopy(patch)
    if not isinstance(patch, dict):
        return patch
    result = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            result.pop(name, None)
        else:
            result[name] = strategic(result.get(name), value, (*path, f"f:{name}"))
    return result


def _items(live: list[Obj], patch: list[Obj], path: fields.Path, names: tuple[str, ...]) -> list[Obj]:
    result = {fields.element(item, names): item for item in live}
    for item in patch:
        key = fields.element(item, names)
        if item.get("$patch") == "delete":
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), item, (*path, key))
    return list(result.values())


def json_patch(live: Obj, operations: list[Obj]) -> Obj:
    """RFC 6902: add, replace, remove and test. Raises ApiError (422)."""
    result = copy.deepcopy(live)
    for operation in operations:
        *parents, last = [word.replace("~1", "/").replace("~0", "~") for word in operation["path"].split("/")[1:]]
        try:
            node: Any = result
            for word in parents:
                node = node[int(word)] if isinstance(node, list) else node[word]
            _operate(node, last, operation)
        except (KeyError, IndexError, ValueError) as error:
            text = f"the server rejected our request due to an error in our request: {operation['path']}"
            raise ApiError(422, text) from error
    return result


def _operate(node: Any, last: str, operation: Obj) -> None:
    key: Any = last
    if isinstance(node, list):
        key = len(node) if last == "-" else int(last)
    match operation["op"]:
        case "add" if isinstance(node, list):
            node.insert(key, operation["value"])
        case "add":
            node[key] = operation["value"]
        case "replace" if isinstance(node, list):
            node[key] = operation["value"]
        case "replace":
            node[key] = (node.pop(key), operation["value"])[1]
        case "remove":
            del node[key]
        case "test":
            if node[key] != operation["value"]:
                raise KeyError(key)
        case other:
            raise ApiError(400, f"unknown operation {other}")
