"""What happens within a push, after the branches have moved: numbers are given, the bell rings, the person is told.

It runs in the repository's folder as git's `post-receive`, in an interpreter of its own that sees nothing but the
standard library, because whoever pushes waits for it. Whatever goes wrong here, the push has succeeded: the
controller finds out by itself a little later.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from controller.adapters.git import bell
from controller.adapters.git.pulls import Record
from controller.adapters.git.repository import Repository
from controller.errors import MayflyError
from controller.previews.hosts import DEFAULT_PATTERN, host_label

ANNOUNCED = "mayfly.json"
"""In the forge's folder, written by the controller when it starts: `{"url": "http://{label}.localhost:8080", "targets":
[{"target": "production", "repository": "shop", "branch": "main", "url": "http://production.localhost:8080"}]}`."""
SPEC = ".preview.yaml"
MAX_SPEC = 256 * 1024
MAX_TOLD = 10
"""Pull requests of one push that are told one by one."""
_URL = re.compile(r"""^url:[ \t]*(["']?)(pr-\{number\}-[a-z0-9{}-]{1,40})\1[ \t]*(?:#.*)?$""", re.MULTILINE)


def main() -> None:
    """Reads `OLD NEW REF` lines, as git's documentation of `post-receive` has them."""
    try:
        lines = sys.stdin.buffer.read().decode(errors="backslashreplace").splitlines()
        folder = Path.cwd()
        for line in notice(folder.parent, folder.name.removesuffix(".git"), [line.split(" ", 2)[2] for line in lines]):
            tell(line)
    except Exception as error:  # noqa: BLE001  # the push has succeeded, and is noticed later in any case
        tell(f"Mayfly will notice this push a little later ({error})")


def tell(line: str) -> None:
    """The person who pushes: in characters that any terminal shows."""
    sys.stdout.buffer.write(("".join(char if char.isprintable() else "?" for char in line) + "\n").encode())
    sys.stdout.buffer.flush()


def notice(root: Path, name: str, refs: Iterable[str]) -> Iterator[str]:
    """Looks at the repository, rings for what changed, and yields what to tell whoever pushed `refs`."""
    repository = Repository(root, name)
    look = repository.look()
    branches = [ref.removeprefix("refs/heads/") for ref in refs if ref.startswith("refs/heads/")]
    pushed = [record for branch in branches if (record := repository.latest(branch)) is not None]
    changed = {record.number: record for record in (*look.changed, *pushed)}
    rung: list[int | None] = [*changed, *([None] if look.refs.main in branches else [])]
    listening = [bell.ring(root, name, number) for number in rung]
    for branch in branches:
        yield from _targets(root, name, branch)
    for number in sorted(changed)[:MAX_TOLD]:
        yield from describe(root, repository, changed[number], listening=any(listening))
    if len(changed) > MAX_TOLD:
        yield f"… and {len(changed) - MAX_TOLD} more pull requests"
    if rung and not any(listening):
        yield "Mayfly is not running: start it with `mayfly serve`"


def describe(root: Path, repository: Repository, record: Record, *, listening: bool) -> Iterator[str]:
    if not record.is_open:
        how = "merged" if record.merged else "closed"
        yield f"Pull request {record.number} ({record.branch}) is {how}: its preview is being removed"
        return
    yield f"Preview of {record.branch} (pull request {record.number}): {_url(root, repository, record)}"
    if listening:
        yield f"  starting at {record.head[:7]}"


def url_pattern(spec: str) -> str:
    """The `url` of a `.preview.yaml`, where it is written plainly; the default otherwise."""
    found = _URL.search(spec)
    return found[2] if found else DEFAULT_PATTERN


def _targets(root: Path, name: str, branch: str) -> Iterator[str]:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # of an earlier Mayfly, or there is none
        for one in json.loads((root / ANNOUNCED).read_text())["targets"]:
            if (one["repository"], one["branch"]) == (name, branch):
                yield f"{branch} is deployed to {one['target']}: {one['url']}"


def _url(root: Path, repository: Repository, record: Record) -> str:
    try:
        spec = (repository.read_file(record.head, SPEC, MAX_SPEC) or b"").decode(errors="replace")
        pattern = url_pattern(spec)
        announced = json.loads((root / ANNOUNCED).read_text())["url"]
    except (MayflyError, OSError, ValueError, KeyError, TypeError):
        return "its URL will stand in the report"
    if "{service}" in pattern:  # only the whole spec tells which
        return "its URL will stand in the report"
    return str(announced).replace("{label}", host_label(pattern, record.number, repository.name))
