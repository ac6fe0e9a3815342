"""What the branches that are deployed say: their newest commit, and which pull request brought it there.

    the commit is                                 brought by
    --------------------------------------------  ------------------------------------------
    the head of a merged pull request             that one (the branch was only moved along)
    a merge that brought such a head with it      that one; the outermost, where it held others
    anything else (a push by hand, a squash)      nobody

Everything here blocks, for a bounded time, and raises Unavailable where the repository cannot be read.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from controller.adapters.git import records
from controller.adapters.git.process import GitFailed, ask
from controller.adapters.git.pulls import Record
from controller.adapters.git.repository import MAX_TITLE, Repository
from controller.common.nouns import Commit
from controller.errors import Unavailable

MAX_BROUGHT = 1000
"""Commits of one merge that are looked through."""
_FORMAT = "--format=%(refname)%00%(objectname)%00%(committerdate:unix)%00%(authorname)%00%(contents:subject)"
_ONE = "--format=%H%x00%ct%x00%an%x00%s"
_REVISION = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_NO_SUCH = {1, 128}


def head(repository: Repository, branch: str) -> Commit | None:
    """The newest commit of a branch; None where there is none."""
    repository.require()
    ref = f"refs/heads/{branch}"
    try:
        listed = ask(repository.path, "for-each-ref", _FORMAT, ref, strict=True)
    except GitFailed as error:
        raise Unavailable(f"{repository.path.name} cannot be read: {error}") from error
    for line in listed.decode(errors="replace").split("\n")[:-1]:
        name, revision, at, author, title = line.split("\0", 4)
        if name == ref:
            return _commit(revision, at, author, title)
    return None


def commit(repository: Repository, revision: str) -> Commit | None:
    """None where there is no such one; what has it in a name of its own (a tag) is another object."""
    repository.require()
    if not _REVISION.fullmatch(revision):
        return None
    said = _ask(repository, "log", "-1", _ONE, f"{revision}^{{commit}}", "--")
    parts = (said or b"").decode(errors="replace").removesuffix("\n").split("\0", 3)
    return _commit(*parts) if parts[0] == revision else None


def merged_by(repository: Repository, revision: str) -> Record | None:
    """Of those that this commit brought, as told above."""
    repository.look()  # a push that nobody noticed may have merged it
    heads = _brought(repository, revision) if _REVISION.fullmatch(revision) else ()
    with records.transaction(repository.path) as database:
        found = (records.merged_at(database, head) for head in heads)
        return next((record for record in found if record is not None), None)


def has(repository: Repository, revision: str) -> bool:
    """Whether there is such a commit."""
    repository.require()
    if not _REVISION.fullmatch(revision):
        return False
    return _ask(repository, "cat-file", "-e", f"{revision}^{{commit}}") is not None


def _commit(revision: str, at: str, author: str, title: str) -> Commit:
    return Commit(revision, datetime.fromtimestamp(int(at), UTC), title[:MAX_TITLE], author[:MAX_TITLE])


def _brought(repository: Repository, revision: str) -> Sequence[str]:
    """It, and what its first parent did not have; what came last first."""
    options = ("--topo-order", f"--max-count={MAX_BROUGHT}")
    listed = _ask(repository, "rev-list", *options, revision, f"^{revision}^1", "--")
    return listed.decode().split() if listed is not None else [revision]  # the very first commit has no parent


def _ask(repository: Repository, *words: str) -> bytes | None:
    """None where it is about a commit that there is not."""
    try:
        return ask(repository.path, *words)
    except GitFailed as error:
        if error.code in _NO_SUCH:
            return None
        raise Unavailable(f"{repository.path.name} cannot be read: {error}") from error
