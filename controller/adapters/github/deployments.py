"""Deployments of previews: GitHub's own record of each, with a link. One for each time that a revision is brought up.

| the report           | what is brought about                                                              |
| -------------------- | ---------------------------------------------------------------------------------- |
| queued … failure     | a deployment of this revision that is not over, and its latest status says so      |
| success              | besides, every other deployment of the environment is inactive                     |
| inactive             | every deployment of it is inactive, and the environment deleted where we may do so |

GitHub sets none of ours inactive by itself: its `auto_inactive` passes transient environments by
(https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status). One that is inactive is over, its
environment perhaps deleted: a preview that comes back at the same revision is a new deployment.
"""

from collections.abc import Callable, Iterable
from urllib.parse import quote

import structlog
from pydantic import JsonValue

from controller.adapters.github.client import Client, Nothing, NotThere
from controller.adapters.github.deployment_api import INACTIVE, Deployment, DeploymentApi, Words, says, words_of
from controller.common.nouns import PreviewKey
from controller.common.words import DeploymentReport, DeploymentState
from controller.errors import Refused

log = structlog.get_logger()

TASK = "deploy:preview"
KEPT = 20_000
"""Deployments that are known to be over; to learn it anew costs a request each."""


class Deployments:
    """`page` gives where the dashboard shows a preview. Raises Refused for a revision that GitHub does not know."""

    def __init__(self, client: Client, page: Callable[[PreviewKey], str] | None = None) -> None:
        self._client = client
        self._api = DeploymentApi(client)
        self._page = page
        self._over: set[tuple[str, int]] = set()
        self._kept: set[str] = set()
        """Repositories whose environments we may not delete."""

    async def report(self, key: PreviewKey, report: DeploymentReport) -> None:
        there = await self._api.all(key.repo, report.environment, TASK)
        words = words_of(report, self._page(key) if self._page else "")
        if report.state is DeploymentState.INACTIVE:
            await self._end(key.repo, there, words.description, report.environment)
            return
        current = await self._bring(key, report, there, words)
        if report.state is DeploymentState.SUCCESS:
            await self._retire(key.repo, (one for one in there if one.id != current), "another revision took its place")

    async def _bring(self, key: PreviewKey, report: DeploymentReport, there: Iterable[Deployment], words: Words) -> int:
        """The id of the deployment that says `words` now."""
        same = max((one.id for one in there if one.sha == report.revision), default=None)
        status = await self._api.latest(key.repo, same) if same is not None else None
        if same is None or (status is not None and status.state == INACTIVE):
            same, status = await self._make(key, report), None
        if status is None or not says(status, words):
            await self._api.say(key.repo, same, words)
        return same

    async def _make(self, key: PreviewKey, report: DeploymentReport) -> int:
        about: dict[str, JsonValue] = {
            "task": TASK,
            "description": f"preview of #{key.number}",
            "transient_environment": True,
            "production_environment": False,
            "payload": {"preview": str(key)},
        }
        return await self._api.make(key.repo, report, about)

    async def _end(self, repo: str, there: tuple[Deployment, ...], because: str, environment: str) -> None:
        """Nothing, where there never was one."""
        await self._retire(repo, there, because)
        if there and repo not in self._kept:
            await self._delete(repo, environment)

    async def _retire(self, repo: str, deployments: Iterable[Deployment], because: str) -> None:
        for one in deployments:
            if (repo, one.id) in self._over:
                continue
            status = await self._api.latest(repo, one.id)
            if status is None or status.state != INACTIVE:
                await self._api.say(repo, one.id, Words(state=INACTIVE, description=because))
            if len(self._over) >= KEPT:
                self._over.clear()
            self._over.add((repo, one.id))

    async def _delete(self, repo: str, environment: str) -> None:
        """That takes the permission to administrate, which an App need not have: without it the environment stays."""
        try:
            path = f"environments/{quote(environment, safe='')}"
            await self._client.send("DELETE", repo, path, {}, Nothing, creates=False)
        except NotThere:
            return
        except Refused as error:
            self._kept.add(repo)
            log.info("environments are not deleted", repository=repo, reason=error.reason)
