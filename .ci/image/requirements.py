"""Prints the part of requirements.lock that some extras of this project need: `requirements.py kubernetes,embedded`.

The lock is universal and holds the development tools as well; what it says after `# via` tells who needs what. So there
is one lock, and what was tested is what is shipped. Needs nothing but the standard library.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_VIA = re.compile(r"^ +# +(?:via +)?([A-Za-z0-9._-]+)(?:\[[^]]*\])?$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One pinned package: its lines as they stand in the lock, and who needs it. A package may have several, for
    different versions of Python: pip chooses."""

    name: str
    lines: tuple[str, ...]
    needed_by: frozenset[str]


def normal(name: str) -> str:
    """As PyPI compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(lock: str) -> Iterator[Entry]:
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        lines = block.splitlines()
        head = _NAME.match(lines[0])
        assert head, f"not an entry of a lock: {lines[0]!r}"
        via = (match[1] for line in lines if (match := _VIA.match(line)))
        pins = tuple(line for line in lines if not line.lstrip().startswith("#"))
        yield Entry(normal(head[0]), pins, frozenset(map(normal, via)))


def needed(lock: str, names: Iterable[str]) -> list[Entry]:
    """What the named packages need, themselves included, in the order of the lock. Raises LookupError on one that the
    lock does not have."""
    known = list(entries(lock))
    wanted, found = {normal(name) for name in names}, set[str]()
    if missing := wanted - {entry.name for entry in known}:
        raise LookupError(f"requirements.lock has no {', '.join(sorted(missing))}: `make lock` makes it anew")
    while wanted != found:
        found = set(wanted)
        wanted |= {entry.name for entry in known if entry.needed_by & found}
    return [entry for entry in known if entry.name in wanted]


def direct(pyproject: str, extras: Iterable[str]) -> list[str]:
    """Names of what the project, with extras, asks for; `build` stands for what builds it. Raises LookupError."""
    document = tomllib.loads(pyproject)
    project, asked = document["project"], set(extras)
    if asked == {"build"}:
        return _names(document["build-system"]["requires"])
    if unknown := asked - project["optional-dependencies"].keys():
        raise LookupError(f"there is no extra {', '.join(sorted(unknown))}")
    chosen = [need for extra in asked for need in project["optional-dependencies"][extra]]
    return _names([*project["dependencies"], *chosen])


def _names(requirements: Iterable[str]) -> list[str]:
    return [match[0] for need in requirements if (match := _NAME.match(need))]


def main(extras: str) -> str:
    names = direct((ROOT / "pyproject.toml").read_text(), filter(None, extras.split(",")))
    chosen = needed((ROOT / "requirements.lock").read_text(), names)
    return "\n".join(line for entry in chosen for line in entry.lines) + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1] if len(sys.argv) > 1 else ""))
    except LookupError as error:
        sys.exit(str(error))
