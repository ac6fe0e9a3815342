"""The branches that are deployed: their newest commit, and which pull request brought one there.

| GitHub says of the commit                             | it was brought by                   |
| ----------------------------------------------------- | ----------------------------------- |
| a pull request was merged as this very one            | that one                            |
| it is a part of others that were merged here          | the one that was merged before them |
| nothing; or only of what is open, or closed unmerged  | nobody: it was pushed by hand       |

Who brought it never changes, so that is asked until it is known. That nobody did may be told too early (GitHub learns
of it a moment after the push), so it is asked again when that is no longer fresh.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import quote

from controller.adapters.github import shapes
from controller.adapters.github.client import Client, NotThere, NotValid
from controller.adapters.github.files import FOREVER
from controller.adapters.github.kept import keep
from controller.adapters.github.pulls import MAX_TITLE
from controller.common.nouns import Commit, PreviewKey

KEPT = 5_000
"""Commits whose pull request is remembered."""
NOW = timedelta(0)
_REVISION = re.compile(r"[0-9a-f]{40}")


class Mainline:
    """Methods raise Unavailable or Refused."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._merges: OrderedDict[tuple[str, str], PreviewKey] = OrderedDict()
        self._asked: set[str] = set()

    async def head(self, repo: str, branch: str) -> Commit | None:
        """One conditional request. None where there is no such branch; Refused where we may not see the repository."""
        self._asked.add(repo)
        try:
            found = await self._client.get(repo, f"branches/{quote(branch, safe='')}", shapes.Branch)
        except NotThere:
            await self._may_see(repo)
            return None
        return _commit(found.commit)

    async def commit(self, repo: str, revision: str) -> Commit | None:
        """One request, for ever. None where there is no such commit; Refused as above."""
        if not _REVISION.fullmatch(revision):
            return None
        try:
            found = await self._client.get(repo, f"commits/{revision}", shapes.Commit, fresh=FOREVER, per_page=1)
        except (NotThere, NotValid):
            await self._may_see(repo)
            return None
        return _commit(found)

    async def merged_by(self, repo: str, revision: str) -> PreviewKey | None:
        at = repo, revision
        if at not in self._merges and _REVISION.fullmatch(revision):
            pulls = await self._client.pages(repo, f"commits/{revision}/pulls", shapes.Pull)
            if (found := brought_by(pulls, repo, revision)) is not None:
                keep(self._merges, at, PreviewKey(repo, found.number), KEPT)
        return self._merges.get(at)

    async def _may_see(self, repo: str) -> None:
        """Raises Refused where we may not: then nothing can be said of what is not there."""
        await self._client.get(repo, "", shapes.Repository, fresh=NOW)

    def is_asked(self, repo: str) -> bool:
        """Whether anybody wants to know of a push there."""
        return repo in self._asked


def brought_by(pulls: Iterable[shapes.Pull], repo: str, revision: str) -> shapes.Pull | None:
    """See the table."""
    merged = [(pull.merged_at, pull) for pull in pulls if pull.merged_at and pull.base.repo.full_name == repo]
    if (exact := next((pull for _, pull in merged if pull.merge_commit_sha == revision), None)) is not None:
        return exact
    return min(merged, key=lambda one: one[0])[1] if merged else None


def _commit(said: shapes.Commit) -> Commit:
    title = said.commit.message.partition("\n")[0][:MAX_TITLE]
    login = said.author.login if said.author is not None else ""
    return Commit(said.sha, said.commit.committer.date, title, (login or said.commit.author.name)[:MAX_TITLE])
