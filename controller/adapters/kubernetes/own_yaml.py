"""YAML of a pull request, several documents to a file, as plain JSON values. Pure.

Hostile until it is read: its size, depth and the number of values it expands to (anchors included) are bounded before
anything is built. Read as Kubernetes' own tools read it, but that what only looks like a date, a time or a float is
text, and a key that is there twice is a mistake.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from controller.errors import Refused
from smoke.documents import MAX_DEPTH

MAX_SOURCE = 2 * 2**20
"""Characters of all files together."""
MAX_VALUES = 50_000
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$")
_FLOAT = re.compile(
    r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)
_MEANT = {f"{_TAG}{kind}" for kind in ("bool", "float", "int", "null", "str", "map", "seq", "merge")}
_REPLACED = {f"{_TAG}int": _INT, f"{_TAG}float": _FLOAT}


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Without timestamps and numbers to the base of sixty."""
    known = yaml.SafeLoader.yaml_implicit_resolvers
    return {
        first: [(tag, _REPLACED.get(tag, pattern)) for tag, pattern in each if tag in _MEANT]
        for first, each in known.items()
    }


_FASTEST = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_LOADER: Any = type("_Loader", (_FASTEST,), {"yaml_implicit_resolvers": _resolvers()})


def documents(text: str, file: str) -> list[Any]:
    """Empty ones are left out. Raises Refused, naming the file and the line."""
    if len(text) > MAX_SOURCE:
        raise Refused(f"{file}: it is longer than {MAX_SOURCE:,} characters")
    try:
        _depth(text, file)
        roots = list(yaml.compose_all(text, Loader=_LOADER))
        _count(roots, file)
        plain = yaml.SafeLoader("")
        return [value for root in roots if (value := _value(root, plain, file)) is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise Refused(f"{file}: {line}not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Refused(f"{file}: not valid YAML: {error}"[:300]) from None


def _depth(text: str, file: str) -> None:
    """From the flat events: composing goes by recursion, until the stack ends."""
    depth = 0
    for event in yaml.parse(text, Loader=_FASTEST):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise Refused(f"{file}: it nests more than {MAX_DEPTH} levels deep")


def _count(roots: list[yaml.Node], file: str) -> None:
    stack = [(root, 1) for root in roots]
    count = 0
    while stack:
        node, depth = stack.pop()
        count += 1
        if count > MAX_VALUES or depth > MAX_DEPTH:
            raise Refused(f"{file}: it expands to more than {MAX_VALUES:,} values, or {MAX_DEPTH} levels")
        stack += [(child, depth + 1) for child in _children(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _value(node: yaml.Node, plain: yaml.SafeLoader, file: str) -> Any:
    line = node.start_mark.line + 1
    if node.tag not in _MEANT:
        raise Refused(f"{file}: line {line}: Kubernetes has no values of the kind `{node.tag[:80]}`")
    if isinstance(node, yaml.MappingNode):
        _mind_keys(node, file)
        plain.flatten_mapping(node)
        return {key.value: _value(value, plain, file) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, plain, file) for item in node.value]
    try:
        found = plain.construct_object(node)
    except (ValueError, OverflowError, KeyError):
        raise Refused(f"{file}: line {line}: not a value that can be read") from None
    if isinstance(found, float) and not math.isfinite(found):
        raise Refused(f"{file}: line {line}: not a number that JSON has")
    return found


def _mind_keys(node: yaml.MappingNode, file: str) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise Refused(f"{file}: line {line}: a key must be a word")
        if key.value in seen:
            raise Refused(f"{file}: line {line}: the key `{key.value[:80]}` is written twice")
        seen.add(key.value)
