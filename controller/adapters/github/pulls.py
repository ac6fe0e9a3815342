"""Pull requests: listed whole, or read by number; and which files each changes.

| what GitHub says | what we take from it |
| --- | --- |
| the head's repository has another id than the base's, or is gone | from a fork |
| no user | `ghost` |
| a base in a repository of another name, be it in capitals | it has moved: under two names it would have two previews |
| less than we know already (a copy of GitHub's that lags) | what we know: nothing goes back in time |

When a head was pushed GitHub does not say: it is when we first saw it there, and the Ledger remembers that.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from controller.adapters.github.client import Client, NotThere
from controller.adapters.github.kept import keep
from controller.adapters.github.limits import CHANGED_FILES
from controller.adapters.github.shapes import ChangedFile, Pull, login
from controller.common.nouns import PreviewKey, short
from controller.errors import Refused, Unavailable
from controller.ports import Ledger
from controller.previews.model import PullRequest

MAX_TITLE = 200
MAX_NUMBER = 2**31 - 1
KEPT = 20_000
"""Pull requests, and lists of paths, that are remembered."""
NOW = timedelta(0)


class Pulls:
    """Methods raise Unavailable or Refused."""

    def __init__(self, client: Client, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._ledger = ledger
        self._clock = clock
        self._latest: OrderedDict[PreviewKey, Pull] = OrderedDict()
        self._paths: OrderedDict[tuple[PreviewKey, str, str], frozenset[str] | None] = OrderedDict()

    async def open(self, repo: str) -> tuple[PullRequest, ...]:
        listed = await self._client.pages(repo, "pulls", Pull, state="open", sort="created", direction="asc")
        newest = [self._newest(repo, pull) for pull in listed]
        return await self._requests(repo, (pull for pull in newest if pull.state == "open"))

    async def by_number(self, key: PreviewKey) -> PullRequest | None:
        if not 0 < key.number <= MAX_NUMBER:
            return None
        try:
            pull = await self._client.get(key.repo, f"pulls/{key.number}", Pull)
        except NotThere:
            return None
        [request] = await self._requests(key.repo, [self._newest(key.repo, pull)])
        return request

    async def changed_paths(self, pull: PullRequest) -> frozenset[str] | None:
        """A renamed file is there under both names. Raises Unavailable where the head has moved on meanwhile."""
        at = (pull.key, pull.head, pull.base)
        if at not in self._paths:
            paths = await self._read_paths(pull.key)
            await self._still_at(pull)
            keep(self._paths, at, paths, KEPT)
        return self._paths[at]

    async def _read_paths(self, key: PreviewKey) -> frozenset[str] | None:
        files = await self._client.pages(key.repo, f"pulls/{key.number}/files", ChangedFile, fresh=NOW)
        if len(files) >= CHANGED_FILES:
            return None
        return frozenset(name for file in files for name in (file.filename, file.previous_filename) if name)

    async def _still_at(self, pull: PullRequest) -> None:
        """The files are told of whatever head and base are when they are asked for."""
        now = await self._client.get(pull.key.repo, f"pulls/{pull.key.number}", Pull, fresh=NOW)
        if (now.head.sha, now.base.ref) != (pull.head, pull.base):
            raise Unavailable(f"{pull.key} has moved on from {short(pull.head)} while its files were read")

    def _newest(self, repo: str, pull: Pull) -> Pull:
        """Of this and what was said earlier. Raises Refused where it is another repository's."""
        if pull.base.repo.full_name != repo:
            raise Refused(f"{repo} has moved to {pull.base.repo.full_name}: name it so, to the letter, in the policy")
        key = PreviewKey(repo, pull.number)
        known = self._latest.get(key)
        if known is None or known.updated_at <= pull.updated_at:
            keep(self._latest, key, pull, KEPT)
        return self._latest[key]

    async def _requests(self, repo: str, pulls: Iterable[Pull]) -> tuple[PullRequest, ...]:
        found = {(PreviewKey(repo, pull.number), pull.head.sha): pull for pull in pulls}
        first_seen = await self._ledger.first_seen({at: self._in_the_past(found[at].updated_at) for at in found})
        return tuple(_request(at[0], pull, self._in_the_past(first_seen[at])) for at, pull in found.items())

    def _in_the_past(self, moment: datetime) -> datetime:
        """By our clock: what GitHub's says may lie ahead of it, and nobody waits for a push that is to come."""
        return min(moment, self._clock())


def _request(key: PreviewKey, pull: Pull, pushed_at: datetime) -> PullRequest:
    return PullRequest(
        key,
        head=pull.head.sha,
        is_open=pull.state == "open",
        pushed_at=pushed_at,
        branch=pull.head.ref,
        base=pull.base.ref,
        title=pull.title[:MAX_TITLE],
        author=login(pull.user),
        merged=pull.merged_at is not None,
        draft=pull.draft,
        from_fork=pull.head.repo is None or pull.head.repo.id != pull.base.repo.id,
        labels=frozenset(label.name for label in pull.labels),
        url=pull.html_url,
    )
