"""What a commit of main is told: a status, a check run, a deployment.

| of the report | where we are an App                          | where we are somebody's token              |
| ------------- | -------------------------------------------- | ------------------------------------------ |
| status        | a commit status                              | a commit status                            |
| check         | a check run                                  | nothing: the status stands for it          |
| deployment    | a deployment                                 | a deployment                               |

The status says how the deploy stands, the check run what the checks found: GitHub lists both, each under its own name.
"""

from collections.abc import Awaitable, Iterator

from controller.adapters.github.checks import Checks
from controller.adapters.github.client import Client
from controller.adapters.github.statuses import Statuses
from controller.adapters.github.targets import Targets
from controller.common.words import CommitReport
from controller.errors import Refused


class Commits:
    """`checks` is None where we may write none."""

    def __init__(self, client: Client, checks: Checks | None) -> None:
        self._statuses = Statuses(client)
        self._checks = checks
        self._targets = Targets(client)

    async def report(self, repo: str, report: CommitReport) -> None:
        """Each is tried, whatever GitHub refused before (a permission that is missing). Raises the first refusal;
        Unavailable at once."""
        refused: Refused | None = None
        for saying in self._sayings(repo, report):
            try:
                await saying
            except Refused as error:
                refused = refused or error
        if refused is not None:
            raise refused

    def _sayings(self, repo: str, report: CommitReport) -> Iterator[Awaitable[None]]:
        page = report.status.url if report.status is not None else ""
        if report.status is not None:
            yield self._statuses.put(repo, report.revision, report.status)
        if report.check is not None and self._checks is not None:
            yield self._checks.put(repo, report.check, page)
        if report.deployment is not None:
            yield self._targets.put(repo, report.deployment, page)
