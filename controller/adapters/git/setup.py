"""Makes the embedded forge: the bare repository with its hook, and the remote `preview` that leads there."""

import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.adapters.git import records
from controller.adapters.git.hook import ANNOUNCED
from controller.adapters.git.process import GitFailed, ask, clean_environment, run
from controller.adapters.git.repository import path_of
from controller.errors import Refused, Unavailable

REMOTE = "preview"
HOME = ".mayfly/"
PUSH_TIMEOUT = 600.0
"""Seconds for the first push of a whole repository."""
_PACKAGES = Path(__file__).parents[3]
_START = "import sys; sys.path.insert(0, sys.argv[1]); from controller.adapters.git import hook; hook.main()"
_CONFIG = {
    "core.hooksPath": "hooks",  # the person's own setting would put another folder in its place
    "gc.auto": "0",  # a revision whose preview is being made must not vanish under a force push
    "receive.autogc": "false",
    "receive.denyNonFastForwards": "false",
    "receive.denyDeletes": "false",
    "receive.shallowUpdate": "true",
    "uploadpack.allowAnySHA1InWant": "true",  # the platform fetches revisions, not branches
}


@dataclass(frozen=True, slots=True)
class Announced:
    """A target that a push of this branch is deployed to by itself, and where people reach it."""

    target: str
    repository: str
    branch: str
    url: str


@dataclass(frozen=True, slots=True)
class Connected:
    """What `connect` found or made. `main` is the branch that is no pull request."""

    repo: str
    path: Path
    checkout: Path
    main: str
    created: bool
    remote_added: bool


def create_repository(root: Path, name: str, *, main: str = "main", object_format: str = "sha1") -> Path:
    """The bare repository `root/NAME.git`, made where there is none, its hook written anew. Raises as a port does."""
    path = path_of(root, name)
    try:
        if not (path / "HEAD").is_file():
            _create(path, main, object_format)
        write_hook(path)
    except (GitFailed, OSError) as error:
        raise Unavailable(f"the repository {path} cannot be made: {error}") from error
    return path


def write_hook(path: Path) -> None:
    """Puts this installation's `post-receive` into a repository. Raises Unavailable."""
    words = [sys.executable, "-I", "-S", "-c", _START, str(_PACKAGES)]
    script = (
        "#!/bin/sh\n"
        "# Written by Mayfly at every start: tells the controller of a push, and the person of the preview.\n"
        f"[ -x {shlex.quote(sys.executable)} ] || {{ echo 'Mayfly has moved: run `mayfly serve` again'; exit 0; }}\n"
        f"exec {shlex.join(words)}\n"
    )
    _write(path / "hooks" / "post-receive", script, mode=0o755)


def write_announced(root: Path, url: str, targets: Iterable[Announced] = ()) -> None:
    """Where previews are, for the hooks: `http://{label}.localhost:8080`, and what is deployed. Raises Unavailable."""
    said = {"url": url, "targets": [asdict(target) for target in targets]}
    _write(root / ANNOUNCED, json.dumps(said) + "\n", mode=0o644)


def connect(checkout: Path, root: Path) -> Connected:
    """Makes the forge of a checkout, pushes its main branch there, and adds the remote `preview`. Can be repeated.

    Raises Refused where that is no checkout, has no commit, or has a remote of that name that leads elsewhere.
    """
    top = Path(_in(checkout, "rev-parse", "--show-toplevel"))
    name = _name(top)
    path = path_of(root, name)
    remote_added = _check_remote(top, path)
    main, revision = _main_branch(top)
    created = not (path / "HEAD").is_file()
    create_repository(root, name, main=main, object_format=_in(top, "rev-parse", "--show-object-format"))
    _push_main(top, path, revision)
    if remote_added:
        _in(top, "remote", "add", "--", REMOTE, str(path.absolute()))
    _exclude(top)
    return Connected(name, path, top, main, created, remote_added)


def _create(path: Path, main: str, object_format: str) -> None:
    """Made beside, then moved into place, so that half a repository is never found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-", ignore_cleanup_errors=True) as beside:
        new = Path(beside) / path.name
        new.mkdir()
        ask(new, "init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")
        ask(new, "symbolic-ref", "HEAD", f"refs/heads/{main}")
        for setting, value in _CONFIG.items():
            ask(new, "config", setting, value)
        with records.transaction(new):
            pass  # made before anybody can come twice at once
        new.rename(path)


def _write(path: Path, text: str, mode: int) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        beside.write_text(text)
        beside.chmod(mode)
        beside.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error


def _name(top: Path) -> str:
    """The folder's, of the first of its worktrees, in the characters a repository's name has."""
    common = Path(_in(top, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    folder = common.parent if common.name == ".git" else top
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._")[:100] or "repository"


def _check_remote(top: Path, path: Path) -> bool:
    """Whether the remote has to be added. Raises Refused where its name is taken."""
    url = _maybe(top, "config", "--get", f"remote.{REMOTE}.url")
    if url is None:
        return True
    if (top / url).resolve() != path.resolve():
        raise Refused(
            f"the remote `{REMOTE}` of {top} leads to {url}, not to {path}: rename it (`git remote rename {REMOTE} …`)"
        )
    return False


def _main_branch(top: Path) -> tuple[str, str]:
    """The branch that is no pull request, and its revision: what `origin` calls so, `main`, `master`, or this one."""
    origin = _branch_behind(top, "refs/remotes/origin/HEAD", "refs/remotes/origin/")
    here = _branch_behind(top, "HEAD", "refs/heads/")
    for branch in filter(None, (origin, "main", "master", here)):
        for ref in (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}"):
            if revision := _maybe(top, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"):
                return branch, revision
    raise Refused(f"{top} has no commit yet: make the first one, then try again")


def _branch_behind(top: Path, ref: str, prefix: str) -> str:
    return (_maybe(top, "symbolic-ref", "--quiet", ref) or "").removeprefix(prefix)


def _push_main(top: Path, path: Path, revision: str) -> None:
    """Once: what people push afterwards is theirs."""
    main = ask(path, "symbolic-ref", "HEAD").decode().strip()
    try:
        ask(path, "rev-parse", "--verify", "--quiet", main)
    except GitFailed:
        refspec = f"{revision}:{main}"
        _in(top, "push", "--quiet", "--no-verify", str(path.absolute()), refspec, timeout=PUSH_TIMEOUT)


def _exclude(top: Path) -> None:
    """Keeps our folder out of `git status`, without touching a file that is committed."""
    file = Path(_in(top, "rev-parse", "--path-format=absolute", "--git-path", "info/exclude"))
    try:
        lines = file.read_text(errors="surrogateescape").splitlines() if file.exists() else []
        if HOME not in lines:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join([*lines, HOME, ""]), errors="surrogateescape")
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from error


def _maybe(top: Path, *words: str) -> str | None:
    try:
        return _git(top, *words)
    except GitFailed:
        return None


def _in(top: Path, *words: str, timeout: float = 20.0) -> str:
    try:
        return _git(top, *words, timeout=timeout)
    except GitFailed as error:
        raise Refused(f"git cannot use {top}: {error}") from error


def _git(top: Path, *words: str, timeout: float = 20.0) -> str:
    """In a person's checkout, with their configuration and without their hooks."""
    command = ["git", "-C", str(top), "-c", f"core.hooksPath={os.devnull}", *words]
    said = run(command, clean_environment(), timeout=timeout)
    return said.decode(errors="surrogateescape").rstrip("\n")
