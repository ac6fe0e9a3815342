"""One bare repository, by way of real git. Everything here blocks, for milliseconds; what has a sha is read once."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ.get("PATH", "")}
ZERO = "0" * 40


@dataclass(frozen=True)
class Link:
    """A symbolic link, as content of a file."""

    target: str


@dataclass(frozen=True)
class Submodule:
    revision: str


Content = str | bytes | Link | Submodule | None
Files = Mapping[str, Content]
"""What a commit changes, by path; None removes."""


@dataclass(frozen=True)
class Entry:
    path: str
    mode: str
    type: str
    sha: str
    size: int | None


@dataclass(frozen=True)
class Change:
    path: str
    status: str
    sha: str | None
    additions: int
    deletions: int
    previous: str = ""


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    message: str
    author: str
    email: str
    at: str


class Git:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[tuple[str, ...], bytes] = {}

    def init(self) -> None:
        self.path.mkdir(parents=True)
        self.run("init", "--quiet", "--bare", "--initial-branch=main", "--template=")
        self.configure()

    def configure(self) -> None:
        with (self.path / "config").open("a") as config:
            config.write("[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n")
            config.write("[http]\n\treceivepack = true\n[gc]\n\tauto = 0\n[receive]\n\tautogc = false\n")

    def run(self, *arguments: str, given: bytes | None = None) -> bytes:
        """Raises CalledProcessError."""
        command = ["git", f"--git-dir={self.path}", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done.stdout

    def ask(self, *arguments: str) -> bytes:
        """About shas only: the answer never changes."""
        if arguments not in self._read:
            self._read[arguments] = self.run(*arguments)
        return self._read[arguments]

    def refs(self, below: str = "refs/heads/") -> dict[str, str]:
        """Shas by whole name."""
        lines = self.run("for-each-ref", "--format=%(refname) %(objectname)", below).decode().splitlines()
        return dict(line.split(" ") for line in lines)

    def resolve(self, name: str, kind: str = "commit") -> str | None:
        """A branch, a tag or a sha: of a commit, or of whatever has that kind."""
        try:
            said = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{{kind}}}")
        except subprocess.CalledProcessError:
            return None
        return said.decode().strip()

    def update(self, ref: str, sha: str) -> None:
        self.run("update-ref", ref, sha)

    def update_all(self, refs: Mapping[str, str]) -> None:
        """New ones, in one file as `git pack-refs` has them: a thousand loose ones take seconds."""
        with (self.path / "packed-refs").open("a") as packed:
            packed.writelines(f"{sha} {ref}\n" for ref, sha in refs.items())

    def delete(self, ref: str) -> None:
        self.run("update-ref", "-d", ref)

    def commit(self, branch: str, files: Files, message: str, author: str, parents: list[str]) -> str:
        """A new commit at the head of a branch, whatever was there; its sha."""
        return self.commit_all(branch, [files], message, author, parents)[0]

    def commit_all(
        self, branch: str, each: Sequence[Files], message: str, author: str, parents: list[str]
    ) -> list[str]:
        """Several, all on the same parents (none: the branch must be new); the branch is at the last of them."""
        who = f"{author} <{author}@users.noreply.localhost> now"
        about = f"author {who}\ncommitter {who}\n".encode() + _data(message.encode())
        words = zip(["from", *["merge"] * len(parents)], parents, strict=False)
        above = b"".join(f"{word} {sha}\n".encode() for word, sha in words)
        stream = b""
        for files in each:
            content = b"".join(_line(path, content) for path, content in files.items())
            head = f"commit refs/heads/{branch}\nmark :1\n".encode()
            stream += head + about + above + content + b"\nget-mark :1\n"
        options = ("--quiet", "--force", "--done", "--date-format=now", "--cat-blob-fd=1")
        return self.run("fast-import", *options, given=stream + b"done\n").decode().split()

    def read_commit(self, sha: str) -> Commit:
        said = self.ask("show", "--no-patch", "--format=%H%x00%T%x00%an%x00%ae%x00%aI%x00%B", sha, "--").decode()
        whole, tree, name, email, at, message = said.split("\0", 5)
        return Commit(whole, tree, message.strip(), name, email, at)

    def parents(self, sha: str) -> list[str]:
        return self.ask("show", "--no-patch", "--format=%P", sha, "--").decode().split()

    def tree(self, sha: str, *, recursive: bool) -> list[Entry]:
        options = ["-r", "-t"] if recursive else []
        listed = self.ask("ls-tree", "-z", "-l", "--full-tree", *options, sha).decode(errors="replace")
        found = []
        for line in filter(None, listed.split("\0")):
            about, path = line.split("\t", 1)
            mode, kind, blob, size = about.split()
            found.append(Entry(path, mode, kind, blob, None if size == "-" else int(size)))
        return found

    def blob(self, sha: str) -> bytes | None:
        try:
            return self.ask("cat-file", "blob", sha)
        except subprocess.CalledProcessError:
            return None

    def merge_base(self, one: str, other: str) -> str | None:
        try:
            return self.ask("merge-base", one, other).decode().strip()
        except subprocess.CalledProcessError:
            return None

    def count(self, base: str, head: str) -> int:
        return int(self.ask("rev-list", "--count", f"{base}..{head}"))

    def changes(self, base: str, head: str) -> list[Change]:
        """What a pull request shows: since it left the base."""
        since = self.merge_base(base, head) or base
        raw = self.ask("diff", "--raw", "--numstat", "-z", "-M", "--no-abbrev", since, head).decode(errors="replace")
        return _changes(raw.split("\0"))

    def merged_tree(self, base: str, head: str) -> str | None:
        """None: they conflict."""
        try:
            return self.run("merge-tree", "--write-tree", base, head).decode().split("\n", 1)[0]
        except subprocess.CalledProcessError:
            return None

    def commit_tree(self, tree: str, parents: list[str], message: str, author: str) -> str:
        who = {"name": author, "email": f"{author}@users.noreply.localhost"}
        roles = [f"{role}.{key}={value}" for role in ("author", "committer") for key, value in who.items()]
        names = [option for role in roles for option in ("-c", role)]
        above = [option for parent in parents for option in ("-p", parent)]
        return self.run(*names, "commit-tree", tree, *above, "-m", message).decode().strip()


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _line(path: str, content: Content) -> bytes:
    match content:
        case None:
            return f"D {path}\n".encode()
        case Submodule(revision):
            return f"M 160000 {revision} {path}\n".encode()
        case Link(target):
            return f"M 120000 inline {path}\n".encode() + _data(target.encode())
        case str() | bytes():
            inside = content.encode() if isinstance(content, str) else content
            return f"M 100644 inline {path}\n".encode() + _data(inside)


STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}


def _changes(fields: list[str]) -> list[Change]:
    """Of `git diff --raw --numstat -z`: first all the raw lines, then as many with numbers."""
    found: list[tuple[str, str, str, str]] = []
    position = 0
    while fields[position].startswith(":"):
        about = fields[position].split()
        letter = about[4][0]
        names = fields[position + 1 : position + (3 if letter in "RC" else 2)]
        found.append((names[-1], STATUS[letter], "" if letter == "D" else about[3], names[0] if letter in "RC" else ""))
        position += 1 + len(names)
    changes = []
    for path, status, sha, previous in found:
        added, removed, name = fields[position].split("\t")
        position += 1 if name else 3
        lines = [0 if number == "-" else int(number) for number in (added, removed)]
        changes.append(Change(path, status, sha or None, lines[0], lines[1], previous))
    return changes
