"""Revisions of repositories, as trees of files.

One bare mirror per repository takes what is fetched; a tree is written from it with an index of its own. That is what
`git worktree add` does without the bookkeeping that a killed worktree leaves in the mirror. No hook, filter, prompt or
setting of this machine takes part; submodules and LFS objects are not fetched; links are written as they are, and
whoever follows one asks `inside` first.
"""

import asyncio
import hashlib
import os
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from controller.adapters.shared.disk import discard, trouble
from controller.adapters.shared.run import CommandFailed, run
from controller.errors import Refused, Unavailable

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SETTINGS = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0")


class Sources:
    """`source` gives what `git fetch` takes for a repository; `env` is added to that of every process."""

    def __init__(self, folder: Path, source: Callable[[str], str], env: Mapping[str, str]) -> None:
        self._folder, self._source = folder, source
        self._env = _environment() | dict(env)
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def checkout(self, repo: str, revision: str, keep_as: str, tree: Path) -> None:
        """Writes the files of a revision to `tree`, which is made anew. `keep_as` names who needs the objects.

        Raises Refused where the revision cannot exist, Unavailable where it cannot be fetched now.
        """
        mirror = await self._fetched(repo, revision, keep_as)
        index = tree.with_name(f"{tree.name}.index-{uuid.uuid4().hex}")
        with trouble("make a folder"):
            tree.mkdir(parents=True, exist_ok=True)
        try:
            more = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(tree)}
            await self._git(mirror, "read-tree", "--reset", "-u", revision, **more)
        except CommandFailed as error:
            raise Unavailable(f"checkout: {error.reason}") from error
        finally:
            discard(index)

    async def archive(self, repo: str, revision: str, keep_as: str, paths: Iterable[str] = ()) -> bytes:
        """The files of a revision (those below `paths`, where any are named) as a gzipped tar; the same bytes for the
        same revision. Raises as `checkout` does, and Refused where a path is not there."""
        mirror = await self._fetched(repo, revision, keep_as)
        try:
            return await self._git(mirror, "archive", "--format=tar.gz", "-9", revision, "--", *paths)
        except CommandFailed as error:
            raise Refused(f"git archive: {error.reason}") from error

    async def fetch(self, repo: str, revision: str, keep_as: str) -> None:
        """Its objects are here when this returns. Raises as `checkout` does."""
        await self._fetched(repo, revision, keep_as)

    async def object_ids(self, repo: str, revision: str, paths: Iterable[str]) -> tuple[str, ...]:
        """What git calls the contents of each path (the empty path: of everything). Raises Refused where one is not."""
        mirror = self._folder / _mirror_name(repo)
        names = [f"{revision}:{path}" for path in paths]
        if not names:
            return ()
        try:
            output = await self._git(mirror, "rev-parse", "--verify", "--end-of-options", *names[:1])
            for name in names[1:]:
                output += await self._git(mirror, "rev-parse", "--verify", "--end-of-options", name)
        except CommandFailed as error:
            raise Refused(f"one of {', '.join(paths)} is not in the repository") from error
        return tuple(output.decode().split())

    async def forget(self, repo: str, kept_as: str) -> None:
        """Nobody needs the objects under this name any more."""
        mirror = self._folder / _mirror_name(repo)
        if mirror.exists():
            try:
                await self._git(mirror, "update-ref", "-d", f"refs/previews/{kept_as}")
            except CommandFailed as error:
                raise Unavailable(f"git: {error.reason}") from error

    async def forget_others(self, needed: Callable[[], Collection[str]]) -> None:
        """As `forget`, for every name that is not among the needed; they are asked for after ours were listed."""
        try:
            for mirror in self._folder.glob("*.git"):
                listed = await self._git(mirror, "for-each-ref", "--format=%(refname)", "refs/previews/")
                for ref in listed.decode().split():
                    if ref.removeprefix("refs/previews/") not in needed():
                        await self._git(mirror, "update-ref", "-d", ref)
        except CommandFailed as error:
            raise Unavailable(f"git: {error.reason}") from error

    async def tidy(self) -> None:
        """Packs what is loose, and lets go of what nobody has needed for two weeks."""
        for mirror in self._folder.glob("*.git"):
            try:
                await self._git(mirror, "-c", "gc.auto=2000", "gc", "--auto", "--quiet")
            except CommandFailed as error:
                raise Unavailable(f"git gc: {error.reason}") from error

    def sweep(self) -> None:
        """What a killed git left. Only while none runs."""
        for beside in self._folder.glob("*.new"):
            discard(beside)
        for mirror in self._folder.glob("*.git"):
            for lock in (*mirror.glob("*.lock"), *(mirror / "refs").rglob("*.lock")):
                discard(lock)

    async def _fetched(self, repo: str, revision: str, keep_as: str) -> Path:
        """The mirror, with the revision in it."""
        if not _SHA.fullmatch(revision):
            raise Refused(f"{revision[:80]!r} is not a whole revision")
        mirror = await self._mirror(repo)
        if not await self._has(mirror, revision):
            await self._fetch(mirror, repo, revision, keep_as)
        return mirror

    async def _mirror(self, repo: str) -> Path:
        """Made beside its place: a `git init` that was cut short leaves nothing that looks like a mirror."""
        mirror = self._folder / _mirror_name(repo)
        async with self._making[repo]:
            if not (mirror / "HEAD").exists():
                beside = mirror.with_name(f"{mirror.name}.{uuid.uuid4().hex}.new")
                try:
                    await run("git", "init", "--quiet", "--bare", "--template=", str(beside), env=self._env)
                    with trouble("make a mirror"):
                        discard(mirror)
                        beside.rename(mirror)
                except CommandFailed as error:
                    raise Unavailable(f"git: {error.reason}") from error
                finally:
                    discard(beside)
        return mirror

    async def _has(self, mirror: Path, revision: str) -> bool:
        try:
            await self._git(mirror, "cat-file", "-e", f"{revision}^{{commit}}")
        except CommandFailed:
            return False
        return True

    async def _fetch(self, mirror: Path, repo: str, revision: str, keep_as: str) -> None:
        wanted = f"+{revision}:refs/previews/{keep_as}"
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
        try:
            await self._git(mirror, "fetch", *options, "--end-of-options", self._source(repo), wanted)
        except CommandFailed as error:
            raise Unavailable(f"cannot fetch {revision[:7]}: {error.reason}") from error

    async def _git(self, mirror: Path, *arguments: str, **more: str) -> bytes:
        return await run("git", *_SETTINGS, "--git-dir", str(mirror), *arguments, env=self._env | more)


def inside(tree: Path, path: str) -> Path:
    """Where a path of the repository leads, links followed. Raises Refused where that is outside the tree, or nothing.

    A path of the repository is input; this is the one place where it becomes a path of this machine.
    """
    root = tree.resolve()
    try:
        target = (root / path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise Refused(f"`{path}` is not in the repository, or leads nowhere") from error
    if not target.is_relative_to(root):
        raise Refused(f"`{path}` leads out of the repository")
    return target


def real_path(tree: Path, path: str) -> str:
    """The path in the repository where a path leads, links followed; empty for all of it. Raises Refused."""
    real = str(inside(tree, path).relative_to(tree.resolve()))
    return "" if real == "." else real


def _mirror_name(repo: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9]+", "-", repo)[:40]
    return f"{readable}-{hashlib.sha256(repo.encode()).hexdigest()[:8]}.git"


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
