"""What others report of a commit, by name: check runs and commit statuses that a deploy waits for.

| of GitHub's                                                  | is            |
| ------------------------------------------------------------ | ------------- |
| a run: `success`, `neutral`, `skipped`; a status: `success`  | `success`     |
| a run that is over otherwise; a status: `failure`, `error`   | `failure`     |
| a run: `in_progress`; a status: `pending`                    | `in_progress` |
| a run that is in no such state                               | `queued`      |

Of one name the newest run of each App counts, and the newest status; all of them have to succeed. Where we may read
only one of the two lists (a fine-grained token reads no check runs) it is enough, if every name is in it.

Who waits is remembered: hundreds of runs may be over in an hour that nobody waits for, and those ring for nobody.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from controller.adapters.github.client import Client
from controller.adapters.github.kept import keep
from controller.adapters.github.shapes import Seen
from controller.adapters.github.statuses import Status
from controller.common.nouns import PreviewKey
from controller.common.words import CheckStatus
from controller.errors import Refused
from controller.previews.model import PullRequest

Shape = TypeVar("Shape", bound=Seen)
KEPT = 5_000
"""Pull requests that are known to wait, and lists that we may not read."""
AGE = 20
"""An answer may be as old as this part of the time since the push: where thousands of heads are never to pass, asking
for them costs little, and who polls finds a check that took an hour three minutes late."""
_FINE = {"success", "neutral", "skipped"}
_WORST_FIRST = (CheckStatus.FAILURE, CheckStatus.QUEUED, CheckStatus.IN_PROGRESS, CheckStatus.SUCCESS)


class App(Seen):
    id: int


class Run(Seen):
    id: int
    name: str
    status: str
    conclusion: str | None = None
    app: App | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Where it is asked about, and how old an answer may be."""

    repo: str
    path: str
    fresh: timedelta


class Others:
    """`fresh` is how old an answer may be at least."""

    def __init__(self, client: Client, fresh: timedelta, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._fresh = fresh
        self._clock = clock
        self._waiting: OrderedDict[PreviewKey, tuple[str, frozenset[str]]] = OrderedDict()
        """Head, and names."""
        self._refused: OrderedDict[tuple[str, str], tuple[datetime, Refused]] = OrderedDict()

    async def of(self, pull: PullRequest, names: Collection[str]) -> Mapping[str, CheckStatus]:
        """Raises Unavailable or Refused."""
        self._wait(pull, names)  # before GitHub is asked: what is over meanwhile rings, and is asked for again
        fresh = max(self._fresh, (self._clock() - pull.pushed_at) / AGE)
        at = Commit(pull.key.repo, f"commits/{pull.head}", fresh)
        runs, no_runs = await self._read(at, "check-runs", Run, of="check_runs", filter="latest")
        statuses, no_statuses = await self._read(at, "statuses", Status)
        checks = {name: check for name, check in standing(runs, statuses).items() if name in names}
        if (refused := no_runs or no_statuses) and checks.keys() < set(names):
            raise refused
        if all(checks.get(name) is CheckStatus.SUCCESS for name in names):
            self._waiting.pop(pull.key, None)
        return checks

    def waiting(self, repo: str, revision: str, name: str) -> tuple[PreviewKey, ...]:
        """Whose head that is, and who waits for the check of that name (of any, where it is empty)."""
        return tuple(
            key
            for key, (head, names) in self._waiting.items()
            if (key.repo, head) == (repo, revision) and (not name or name in names)
        )

    def doubt(self, key: PreviewKey) -> None:
        """One of the checks it waits for may be over."""
        if key in self._waiting:
            self._client.doubt(key.repo, f"commits/{self._waiting[key][0]}")

    async def _read(
        self, at: Commit, what: str, shape: type[Shape], **query: str
    ) -> tuple[tuple[Shape, ...], Refused | None]:
        """The list, or why we may not read it, which is then not asked for again while an answer would be fresh."""
        place, now = (at.repo, f"{at.path}/{what}"), self._clock()
        until, refused = self._refused.get(place, (now, None))
        if refused is not None and now < until:
            return (), refused
        try:
            return await self._client.pages(*place, shape, fresh=at.fresh, **query), None
        except Refused as error:
            keep(self._refused, place, (now + at.fresh, error), KEPT)
            return (), error

    def _wait(self, pull: PullRequest, names: Collection[str]) -> None:
        keep(self._waiting, pull.key, (pull.head, frozenset(names)), KEPT)


def standing(runs: Iterable[Run], statuses: Iterable[Status]) -> dict[str, CheckStatus]:
    """By name. Statuses come newest first, as GitHub lists them; runs in any order."""
    newest_runs = {(run.app.id if run.app else 0, run.name): run for run in sorted(runs, key=lambda run: run.id)}
    newest_statuses = {status.context: status for status in reversed(tuple(statuses))}
    found: dict[str, set[CheckStatus]] = {}
    for run in newest_runs.values():
        found.setdefault(run.name, set()).add(_of_run(run))
    for status in newest_statuses.values():
        found.setdefault(status.context, set()).add(_of_status(status))
    return {name: next(worst for worst in _WORST_FIRST if worst in all_of) for name, all_of in found.items()}


def _of_run(run: Run) -> CheckStatus:
    if run.status == "completed":
        return CheckStatus.SUCCESS if run.conclusion in _FINE else CheckStatus.FAILURE
    return CheckStatus.IN_PROGRESS if run.status == "in_progress" else CheckStatus.QUEUED


def _of_status(status: Status) -> CheckStatus:
    if status.state == "pending":
        return CheckStatus.IN_PROGRESS
    return CheckStatus.SUCCESS if status.state == "success" else CheckStatus.FAILURE
