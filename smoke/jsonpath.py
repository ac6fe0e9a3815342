"""A small part of JSONPath, enough to name one value: `$.items[0].id`, `$["a key"]`, `$.items[-1]`, `$.items.length()`.

`[*]` takes every item of a list, and gives a list.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, JsonValue

Step = str | int | None
"""A key, an index, or None for every item."""

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*(?:\(\))?) | \[(?P<index>-?\d{1,9})\] | \[(?P<every>\*)\]
      | \["(?P<double>[^"]*)"\] | \['(?P<single>[^']*)'\]""",
    re.VERBOSE,
)
_LENGTH = "length()"


def parse(path: str) -> tuple[Step, ...]:
    """Raises ValueError with an example where it is no path."""
    steps: list[Step] = []
    end = 1
    while path.startswith("$") and (match := _STEP.match(path, end)):
        end = match.end()
        steps.append(_step(match))
    if end != len(path):
        raise ValueError(f"{path!r} is not a path into JSON; write it like `$.items[0].id`")
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["every"]:
        return None
    if match["index"] is not None:
        return int(match["index"])
    return next(part for part in (match["name"], match["double"], match["single"]) if part is not None)


def find(document: JsonValue, path: str) -> JsonValue:
    """The value at `path`. Raises LookupError saying what was not there."""
    value = document
    steps = parse(path)
    for place, step in enumerate(steps):
        if step is None:
            return [find(item, _text(steps[place + 1 :])) for item in _items(value, path)]
        value = _into(value, step, path)
    return value


def _text(steps: tuple[Step, ...]) -> str:
    return "$" + "".join(_bracket(step) for step in steps)


def _bracket(step: Step) -> str:
    match step:
        case None:
            return "[*]"
        case int():
            return f"[{step}]"
        case _:
            return f'["{step}"]' if '"' not in step else f"['{step}']"


def _items(value: JsonValue, path: str) -> list[JsonValue]:
    if isinstance(value, list):
        return value
    raise LookupError(f"{path}: `[*]` needs a list, and there is {_kind(value)}")


def _into(value: JsonValue, step: str | int, path: str) -> JsonValue:
    if step == _LENGTH and isinstance(value, list | dict | str):
        return len(value)
    if isinstance(value, dict) and isinstance(step, str):
        if step in value:
            return value[step]
        raise LookupError(
            f"{path}: there is no {step!r} (there is {', '.join(map(repr, list(value)[:8])) or 'nothing'})"
        )
    if isinstance(value, list) and isinstance(step, int):
        if -len(value) <= step < len(value):
            return value[step]
        raise LookupError(f"{path}: there is no item {step} (the list has {len(value)})")
    raise LookupError(f"{path}: {step!r} leads into {_kind(value)}")


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "an object"


def same(one: JsonValue, other: JsonValue) -> bool:
    """Equal as JSON: `1` and `1.0` are, `1` and `true` are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(left, right) for left, right in zip(one, other, strict=True))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _checked(path: str) -> str:
    parse(path)
    return path


JsonPath = Annotated[str, AfterValidator(_checked)]
