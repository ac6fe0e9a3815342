"""How the demo proves what it says: it waits for what it expects, and tells what it saw where that does not come."""

import time
from collections.abc import Callable
from pathlib import Path


class Unmet(Exception):
    """A step that did not hold: what was expected, and what was seen instead."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.seen = seen


def until(expected: str, seconds: float, missing: Callable[[], str], pause: float = 0.1) -> None:
    """Looks until nothing is missing; `missing` tells what was seen instead. Raises Unmet at the deadline."""
    deadline = time.monotonic() + seconds
    while seen := missing():
        if time.monotonic() > deadline:
            raise Unmet(f"{expected}, within {seconds:.0f} s", seen)
        time.sleep(pause)


def tail(file: Path, lines: int = 20) -> str:
    if not file.is_file():
        return ""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
