"""Revisions of repositories, as trees of files.

One bare mirror per repository takes what is fetched; a tree is written from it with an index of its own. That is what
`git worktree add` does without the bookkeeping that a killed worktree leaves in the mirror. No hook, filter, prompt or
setting of this machine takes part; submodules and LFS objects are not fetched; links are written as they are, and
whoever follows one asks `inside` first.

What is fetched may be a stranger's. It takes a limited time, over the one protocol that the source names, from there
and nowhere it leads to. Git has no limit for the size of what it fetches: the forge has (GitHub takes no file above
100 MB and no push above 2 GB). The secret header of a source is told to git by its environment: it is in no argument,
no file and no error.
"""

import asyncio
import hashlib
import os
import re
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from controller.adapters.shared.disk import discard, trouble
from controller.adapters.shared.run import CommandFailed, TooMuch, run
from controller.adapters.shared.words import redact
from controller.common.nouns import Source
from controller.errors import Refused, Unavailable

Where = Callable[[str], Awaitable[Source]]
"""Of a repository (`Forge.source`)."""
FETCH_WITHIN = timedelta(minutes=5)
MAX_ARCHIVE, MAX_TREE, MAX_LISTED = 32 * 2**20, 4 * 2**30, 64 * 2**20
"""Bytes: of an archive, of all files of a tree, and of their list. A small pack can unfold to any size, as the same
file may be in a tree a million times."""
_ROAD = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "GIT_SSL_CAINFO")
"""How this machine gets out, and whom it trusts there; `SSL_CERT_FILE` is what everybody else calls the latter."""
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SETTINGS = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0")
_HTTP = {"http.followRedirects": "false", "http.lowSpeedLimit": "1000", "http.lowSpeedTime": "30"}
"""Bytes a second, and for how many seconds fewer are borne."""


class Sources:
    """`env` is added to that of every process."""

    def __init__(self, folder: Path, source: Where, env: Mapping[str, str]) -> None:
        self._folder, self._source = folder, source
        self._env = _environment() | dict(env)
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def checkout(self, repo: str, revision: str, keep_as: str, tree: Path) -> None:
        """Writes the files of a revision to `tree`, which is made anew. `keep_as` names who needs the objects.

        Raises Refused where the revision cannot exist or is too large, Unavailable where it cannot be fetched now.
        """
        mirror = await self._fetched(repo, revision, keep_as)
        await self._mind_size(mirror, revision)
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
            pack = _git(mirror, "archive", "--format=tar.gz", "-9", revision, "--", *paths)
            return await run(*pack, env=self._env, most=MAX_ARCHIVE)
        except TooMuch as error:
            raise Refused(
                f"too large to be run from source: more than {MAX_ARCHIVE / 2**20:.0f} MiB, packed"
            ) from error
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

    async def _mind_size(self, mirror: Path, revision: str) -> None:
        """Before a tree is written. Raises Refused."""
        try:
            listed = await run(*_git(mirror, "ls-tree", "-r", "-l", "-z", revision), env=self._env, most=MAX_LISTED)
        except TooMuch as error:
            raise Refused("the repository has too many files") from error
        except CommandFailed as error:
            raise Unavailable(f"git ls-tree: {error.reason}") from error
        sizes = (line.split(None, 4)[3] for line in listed.split(b"\0") if line)
        if (size := sum(int(size) for size in sizes if size.isdigit())) > MAX_TREE:
            raise Refused(f"the repository is too large: {size / 2**30:.1f} GiB; at most {MAX_TREE // 2**30} GiB")

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
        source = await self._source(repo)
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
        try:
            fetch = _git(mirror, "fetch", *options, "--end-of-options", source.url, wanted)
            await run(*fetch, env=self._env | _fetching(source), limit=FETCH_WITHIN)
        except CommandFailed as error:
            reason = redact(error.reason, _secrets(source))
            raise Unavailable(f"cannot fetch {revision[:7]}: {reason}") from None  # git may have repeated the secret

    async def _git(self, mirror: Path, *arguments: str, **more: str) -> bytes:
        return await run(*_git(mirror, *arguments), env=self._env | more)


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


def _git(mirror: Path, *arguments: str) -> tuple[str, ...]:
    return ("git", *_SETTINGS, "--git-dir", str(mirror), *arguments)


def _fetching(source: Source) -> dict[str, str]:
    """Of a fetch from there (https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT). Raises
    Refused where it is neither a path nor a URL of http."""
    scheme = urlsplit(source.url).scheme
    if source.url.startswith("/"):
        return {"GIT_ALLOW_PROTOCOL": "file"}
    if scheme not in {"http", "https"}:
        raise Refused(f"nothing is fetched by {scheme or 'a relative path'}: a repository is a path or a URL of http")
    settings = _HTTP | ({f"http.{source.url}.extraHeader": source.header} if source.header else {})
    made = {"GIT_ALLOW_PROTOCOL": scheme, "GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return made


def _secrets(source: Source) -> tuple[str, ...]:
    """The header, and the word in it that counts."""
    return source.header, *source.header.split()[-1:]


def _environment() -> dict[str, str]:
    trusted = {"GIT_SSL_CAINFO": bundle} if (bundle := os.environ.get("SSL_CERT_FILE")) else {}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_LFS_SKIP_SMUDGE": "1",
        **trusted,
        **{name: os.environ[name] for name in _ROAD if name in os.environ},
    }
