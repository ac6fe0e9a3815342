"""Deployments of main: GitHub's record of what a target had, each with how it went.

| the report        | its latest status | what is brought about                                                   |
| ----------------- | ----------------- | ----------------------------------------------------------------------- |
| queued … success  | none; inactive    | a new deployment: it comes (back) into the place of another             |
| queued … success  | any other         | it says so                                                              |
| failure, error    | any               | it says so, also where another took its place meanwhile                 |
| inactive          | any but inactive  | it says so; the environment stays                                       |
| success           |                   | besides, every other one that was a success is inactive                 |

GitHub would set these inactive by itself (`auto_inactive`), but for those of a production environment, which are meant
here (https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status). One that failed stays so.
"""

from collections.abc import Iterable

from pydantic import JsonValue

from controller.adapters.github.client import Client
from controller.adapters.github.deployment_api import INACTIVE, Deployment, DeploymentApi, Words, says, words_of
from controller.adapters.github.limits import PAGE
from controller.common.words import DeploymentReport, DeploymentState

TASK = "deploy:mayfly"
RECENT = 20
"""Deployments of a target that may have been live; those before were over when these came."""
TOOK_ITS_PLACE = "another release took its place"
_BEGINS = {DeploymentState.QUEUED, DeploymentState.IN_PROGRESS, DeploymentState.SUCCESS}


class Targets:
    """Raises Unavailable, or Refused: for a revision that GitHub does not know, too."""

    def __init__(self, client: Client) -> None:
        self._api = DeploymentApi(client)

    async def put(self, repo: str, report: DeploymentReport, page: str) -> None:
        """`page` is where the dashboard shows the target; empty where nowhere."""
        there = await self._api.newest(repo, report.environment, TASK, PAGE)
        current = await self._bring(repo, report, there, words_of(report, page))
        if report.state is DeploymentState.SUCCESS:
            await self._retire(repo, [one for one in there[:RECENT] if one.id != current])

    async def _bring(
        self, repo: str, report: DeploymentReport, there: Iterable[Deployment], words: Words
    ) -> int | None:
        """The id of the deployment that says `words` now."""
        same = max((one.id for one in there if one.sha == report.revision), default=None)
        status = await self._api.latest(repo, same) if same is not None else None
        is_over = status is not None and status.state == INACTIVE
        if report.state is DeploymentState.INACTIVE and (same is None or is_over):
            return same
        if same is None or (is_over and report.state in _BEGINS):
            same, status = await self._make(repo, report), None
        if status is None or not says(status, words):
            await self._api.say(repo, same, words, auto_inactive=True)
        return same

    async def _make(self, repo: str, report: DeploymentReport) -> int:
        about: dict[str, JsonValue] = {
            "task": TASK,
            "transient_environment": False,
            "production_environment": report.production,
            "payload": {"target": report.environment},
        }
        return await self._api.make(repo, report, about)

    async def _retire(self, repo: str, others: Iterable[Deployment]) -> None:
        for one in others:
            status = await self._api.latest(repo, one.id)
            if status is not None and status.state == DeploymentState.SUCCESS.value:
                await self._api.say(repo, one.id, Words(INACTIVE, TOOK_ITS_PLACE))
