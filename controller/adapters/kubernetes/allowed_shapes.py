"""Reading what a pull request wrote, piece by piece: what has another shape than it should is refused. Pure.

`where` names the piece for people: `spec.containers[0].image`.
"""

from collections.abc import Collection, Iterator
from typing import Any


class NotAllowed(Exception):
    """Stays within this room: `allowed.why_not` turns it into words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def mapping(value: object, where: str) -> dict[str, Any]:
    """Empty for what is not there."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise NotAllowed(f"`{where}` is not a mapping")
    return value


def items(value: object, where: str) -> Iterator[tuple[Any, str]]:
    """Each one with its place; none for what is not there."""
    if value is None:
        return
    if not isinstance(value, list):
        raise NotAllowed(f"`{where}` is not a list")
    for number, item in enumerate(value):
        yield item, f"{where}[{number}]"


def mappings(value: object, where: str) -> Iterator[tuple[dict[str, Any], str]]:
    for item, at in items(value, where):
        yield mapping(item, at), at


def text(value: object, where: str) -> str:
    """Empty for what is not there."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotAllowed(f"`{where}` is not text")
    return value


def only(value: dict[str, Any], known: Collection[str], where: str) -> None:
    """What is empty (charts write `hostNetwork: false`, `tolerations: []`) says nothing, and is let through."""
    for key, item in value.items():
        if key not in known and item not in (None, False, 0, "", [], {}):
            raise NotAllowed(f"`{where}.{key}` is not allowed in a preview"[:300])


def one_of(value: object, known: Collection[object], where: str, *, instead: str = "") -> None:
    """Only one of these, or nothing at all."""
    if value is None or any(value is each or (type(value) is type(each) and value == each) for each in known):
        return
    shown = f"{value}" if isinstance(value, str | int) else "that"
    raise NotAllowed(f"`{where}: {shown[:80]}` is not allowed in a preview{instead and f'; {instead}'}")
