"""One bare repository as a place where pull requests live: what its refs say, put together with what was remembered.

Whoever looks (the hook within a push, the controller at any time) does the same thing: reads every branch, settles
the records with that, and keeps them, under one lock. A push that nobody noticed is noticed by the next look.

Everything here blocks, for a bounded time. Standard library only: the hook imports it within every push.
"""

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controller.adapters.git import records
from controller.adapters.git.process import GitFailed, ask, head
from controller.adapters.git.pulls import Head, Record, Refs, merge, settle
from controller.errors import Refused, Unavailable

MAX_TITLE = 200
MAX_PATHS = 3000
"""More changed files than this are not told (as GitHub's list ends there)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REVISION = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_FORMAT = "--format=%(objectname)%00%(HEAD)%00%(refname)%00%(authorname)%00%(contents:subject)"


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def exists(path: Path) -> bool:
    """Raises Unavailable where that cannot be told."""
    try:
        return (path / "HEAD").is_file()
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from error


def path_of(root: Path, name: str) -> Path:
    """Raises Refused where it is no name of a repository."""
    if not is_name(name):
        raise Refused(f"{name!r} is not the name of a repository here: letters, digits, `.`, `_` and `-`")
    return root / f"{name}.git"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found. `open` is every open pull request; `changed` what this very look found to be new."""

    refs: Refs
    open: tuple[Record, ...]
    changed: tuple[Record, ...]


class Repository:
    """Methods raise Unavailable where the repository cannot be read, in whole or in part."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.path = path_of(root, name)
        self._lock = threading.Lock()
        self._contained: dict[tuple[str, str], bool] = {}
        self._paths: dict[tuple[str, str], frozenset[str] | None] = {}

    def look(self) -> Look:
        """Reads every branch and settles the records with it: whole, or not at all."""
        self.require()
        with self._lock, records.transaction(self.path) as database:
            refs = self._read_refs()
            before = records.main_seen(database)
            if before and not refs.revision:
                raise Unavailable(f"{self.path.name} has lost its branch {refs.main}: is it damaged?")
            known = {record.number: record for record in records.latest_of_each_branch(database)}
            current = self._settle(known, refs, before)
            changed = tuple(record for number, record in current.items() if record != known.get(number))
            records.keep(database, changed)
            if refs.revision != before:
                records.keep_main(database, refs.revision)
        still_open = tuple(current[number] for number in sorted(current) if current[number].is_open)
        return Look(refs, still_open, changed)

    def record(self, number: int) -> Record | None:
        """As it was remembered; look first, to know how it is."""
        self.require()
        with records.transaction(self.path) as database:
            return records.by_number(database, number)

    def latest(self, branch: str) -> Record | None:
        """The newest pull request of a branch, as it was remembered."""
        self.require()
        with records.transaction(self.path) as database:
            return records.latest_of_branch(database, branch)

    def require(self) -> None:
        if not exists(self.path):
            raise Unavailable(f"there is no repository {self.path.name}")

    def commit(self, revision: str) -> Head:
        """What a commit says; only its revision where it is not here (any more)."""
        try:
            said = self._ask("log", "-1", "--format=%an%x00%s", revision, "--")
        except Unavailable:
            return Head(revision)
        author, _, title = said.decode(errors="replace").rstrip("\n").partition("\0")
        return Head(revision, author[:MAX_TITLE], title[:MAX_TITLE])

    def paths(self, main: str, revision: str) -> frozenset[str] | None:
        """The files changed since it left main; None where they are too many, or there is no common commit."""
        key = (main, revision)
        if key not in self._paths:
            self._paths[key] = self._changed_paths(*key) if main else None
            while len(self._paths) > 5000:
                self._paths.pop(next(iter(self._paths)))
        return self._paths[key]

    def read_file(self, revision: str, path: str, limit: int) -> bytes | None:
        """At most `limit` + 1 bytes of a regular file; None where there is none, or something else has that path."""
        self.require()
        if not _REVISION.fullmatch(revision) or not _is_plain(path):
            return None
        listed = self._ask("ls-tree", "-z", "--full-tree", revision, "--", path)
        for entry in listed.split(b"\0"):
            about, _, name = entry.partition(b"\t")
            if name == path.encode() and about.startswith(b"100"):
                return self._blob(about.split()[2].decode(), limit)
        return None

    def _blob(self, blob: str, limit: int) -> bytes:
        try:
            return head(self.path, "cat-file", "blob", blob, limit=limit + 1)
        except GitFailed as error:
            raise Unavailable(f"{self.path.name} cannot be read: {error}") from error

    def _settle(self, known: Mapping[int, Record], refs: Refs, before: str) -> dict[int, Record]:
        now = records.now()
        changed = {record.number: record for record in settle(known.values(), refs, before, now)}
        current = {**known, **changed}
        asked = [number for number, record in current.items() if record.is_open or number in changed]
        self._learn(refs, [current[number].head for number in asked])
        for number in asked:
            current[number] = merge(current[number], now, self._contains, refs.revision)
        return current

    def _learn(self, refs: Refs, heads: list[str]) -> None:
        """What main contains of these heads, asked of git in one go; what was known of an earlier main is forgotten."""
        if not refs.revision or all((head, refs.revision) in self._contained for head in heads):
            return
        merged = self._ask(
            "for-each-ref", "--format=%(objectname)", f"--merged={refs.revision}", "refs/heads", strict=True
        )
        inside = set(merged.decode().split())
        here = {head.revision for head in refs.heads.values()}
        self._contained = {(head, refs.revision): head in inside for head in heads if head in here}

    def _contains(self, commit: str, main: str) -> bool:
        key = (commit, main)
        if key not in self._contained:
            self._contained[key] = self._is_ancestor(commit, main)
        return self._contained[key]

    def _is_ancestor(self, commit: str, main: str) -> bool:
        try:
            ask(self.path, "merge-base", "--is-ancestor", commit, main)
        except GitFailed as error:
            if error.code in {1, 128}:  # it is not, or one of the two is no longer here
                return False
            raise Unavailable(f"{self.path.name} cannot be read: {error}") from error
        return True

    def _read_refs(self) -> Refs:
        heads: dict[str, Head] = {}
        main, tip = self._main_name(), ""
        for line in self._ask("for-each-ref", _FORMAT, "refs/heads", strict=True).split(b"\n")[:-1]:
            revision, is_main, name, author, title = _text(line).split("\0", 4)
            branch = name.removeprefix("refs/heads/")
            if is_main == "*":
                main, tip = branch, revision
            else:
                heads[branch] = Head(revision, author[:MAX_TITLE], title[:MAX_TITLE])
        return Refs(main, tip, heads)

    def _main_name(self) -> str:
        with suppress(OSError, UnicodeDecodeError):
            return (self.path / "HEAD").read_text().strip().removeprefix("ref: refs/heads/")
        return "main"

    def _changed_paths(self, main: str, revision: str) -> frozenset[str] | None:
        try:
            words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--merge-base", main, revision, "--")
            listed = head(self.path, *words, limit=2**20)
        except GitFailed:  # no common commit
            return None
        names = [_text(name) for name in listed.split(b"\0")[:-1]]
        return frozenset(names) if len(names) <= MAX_PATHS and len(listed) < 2**20 else None

    def _ask(self, *words: str, strict: bool = False) -> bytes:
        try:
            return ask(self.path, *words, strict=strict)
        except GitFailed as error:
            raise Unavailable(f"{self.path.name} cannot be read: {error}") from error


def _text(raw: bytes) -> str:
    """Names in git are bytes. What is not UTF-8 is spelled `\\xff`, which no branch can contain."""
    return raw.decode(errors="backslashreplace")


def _is_plain(path: str) -> bool:
    """Whether it names something inside a tree, in the one way to name it."""
    return "\0" not in path and all(part not in {"", ".", ".."} for part in path.split("/"))
