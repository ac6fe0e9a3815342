"""Log files as people want them: the last lines, then new ones as they come, over rotation. Bounded in every way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

MAX_LINE = 4000
"""Longest line that is shown, in characters."""
MAX_READ = 512 * 1024
"""Most bytes that are read of one file at once."""
POLL = 0.2


def tail(folder: Path, lines: int) -> list[str]:
    """The last lines of a unit's log; none where it has none."""
    found: list[str] = []
    for name in ("log", "log.1"):
        if len(found) < lines:
            found = _lines(_end(folder / name)) + found
    return found[-lines:] if lines > 0 else []


async def follow(
    folders: Mapping[str, Path], lines: int, *, more: bool, over: Callable[[], bool] = lambda: False
) -> AsyncIterator[str]:
    """The last lines of each unit, then (`more`) every new one. A prefix (`web | `) where the folders are named.

    Ends, where `more` was asked for, once none of the folders exists, or it is `over`.
    """
    files = {prefix: _Follower(folder) for prefix, folder in folders.items()}
    for prefix, file in files.items():
        for line in file.last(lines):
            yield prefix + line
    while more and not over() and any(folder.exists() for folder in folders.values()):
        await asyncio.sleep(POLL)
        for prefix, file in files.items():
            for line in file.new_lines():
                yield prefix + line


class _Follower:
    """Where we are in a log that grows and is rotated."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log"
        self._inode, self._offset = 0, 0
        self._rest = b""

    def last(self, lines: int) -> list[str]:
        """What is there now, to the end of the last whole line; what is written meanwhile is new, and shown once."""
        found = self._look()
        if found is None:
            return []
        self._inode, self._offset = found
        here, before = self._path, self._path.with_name("log.1")
        data = _end(here, found) or _end(before, found)  # it was rotated since
        self._offset -= len(data) - (data.rfind(b"\n") + 1)
        whole = data[: data.rfind(b"\n") + 1]
        older = _lines(_end(before)) if whole.count(b"\n") < lines and _inode(before) != found[0] else []
        return (older + _lines(whole))[-lines:] if lines > 0 else []

    def new_lines(self) -> list[str]:
        found = self._look()
        if found is None:
            return []
        data = b""
        if found[0] != self._inode:
            if self._inode:
                data = _read(self._path.with_name("log.1"), self._offset)
            self._inode, self._offset = found[0], 0
        piece = _read(self._path, min(self._offset, found[1]))
        self._offset = min(self._offset, found[1]) + len(piece)
        whole, newline, self._rest = (self._rest + data + piece).rpartition(b"\n")
        if len(self._rest) > MAX_LINE * 4:
            whole, newline, self._rest = self._rest, b"\n", b""
        return _lines(whole) if newline else []

    def _look(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size


def _end(path: Path, until: tuple[int, int] | None = None) -> bytes:
    """The last of a file; with an inode and an offset only of that very file, up to there."""
    if until is not None and _inode(path) != until[0]:
        return b""
    try:
        size = until[1] if until is not None else path.stat().st_size
    except OSError:
        return b""
    start = max(0, size - MAX_READ)
    data = _read(path, start)[: size - start]
    return data.partition(b"\n")[2] if start else data


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _read(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(MAX_READ)
    except OSError:
        return b""


def _lines(data: bytes) -> list[str]:
    text = data.decode(errors="replace")
    return [line.rstrip("\r")[:MAX_LINE] for line in text.removesuffix("\n").split("\n")] if text else []
