"""Deployments: GitHub's own record of a preview, with the link to it. One for each time that a revision is brought up.

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
from dataclasses import asdict, dataclass
from urllib.parse import quote

import structlog
from pydantic import JsonValue

from controller.adapters.github import limits
from controller.adapters.github.client import Client, Nothing, NotThere
from controller.adapters.github.shapes import Seen
from controller.adapters.github.sound import alike
from controller.adapters.github.thread import NOW
from controller.common.markdown import one_line
from controller.common.nouns import PreviewKey
from controller.common.words import DeploymentReport, DeploymentState
from controller.errors import Refused

log = structlog.get_logger()

TASK = "deploy:preview"
INACTIVE = DeploymentState.INACTIVE.value
KEPT = 20_000
"""Deployments that are known to be over; to learn it anew costs a request each."""


class Deployment(Seen):
    id: int
    sha: str = ""


class Status(Seen):
    id: int
    state: str
    description: str | None = None
    environment_url: str | None = None
    log_url: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What a status is to say."""

    state: str
    description: str
    environment_url: str = ""
    log_url: str = ""


class Deployments:
    """`page` gives where the dashboard shows a preview. Raises Refused for a revision that GitHub does not know."""

    def __init__(self, client: Client, page: Callable[[PreviewKey], str] | None = None) -> None:
        self._client = client
        self._page = page
        self._over: set[tuple[str, int]] = set()
        self._kept: set[str] = set()
        """Repositories whose environments we may not delete."""

    async def report(self, key: PreviewKey, report: DeploymentReport) -> None:
        if len(report.environment) > limits.ENVIRONMENT:
            raise Refused(f"the name of an environment has at most {limits.ENVIRONMENT} characters")
        there = await self._client.pages(
            key.repo, "deployments", Deployment, fresh=NOW, environment=report.environment, task=TASK
        )
        words = self._words(key, report)
        if report.state is DeploymentState.INACTIVE:
            await self._end(key.repo, there, words.description, report.environment)
            return
        current = await self._bring(key, report, there, words)
        if report.state is DeploymentState.SUCCESS:
            await self._retire(key.repo, (one for one in there if one.id != current), "another revision took its place")

    def _words(self, key: PreviewKey, report: DeploymentReport) -> Words:
        return Words(
            state=report.state.value,
            description=one_line(report.description, limits.DEPLOYMENT_DESCRIPTION),
            environment_url=report.url,
            log_url=self._page(key) if self._page else "",
        )

    async def _bring(self, key: PreviewKey, report: DeploymentReport, there: Iterable[Deployment], words: Words) -> int:
        """The id of the deployment that says `words` now."""
        same = max((one.id for one in there if one.sha == report.revision), default=None)
        status = await self._latest(key.repo, same) if same is not None else None
        if same is None or (status is not None and status.state == INACTIVE):
            same, status = await self._make(key, report), None
        if status is None or not says(status, words):
            await self._say(key.repo, same, words)
        return same

    async def _make(self, key: PreviewKey, report: DeploymentReport) -> int:
        body: dict[str, JsonValue] = {
            "ref": report.revision,
            "task": TASK,
            "environment": report.environment,
            "description": f"preview of #{key.number}",
            "auto_merge": False,
            "required_contexts": [],
            "transient_environment": True,
            "production_environment": False,
            "payload": {"preview": str(key)},
        }
        return (await self._client.send("POST", key.repo, "deployments", body, Deployment, creates=True)).id

    async def _end(self, repo: str, there: tuple[Deployment, ...], because: str, environment: str) -> None:
        """Nothing, where there never was one."""
        await self._retire(repo, there, because)
        if there and repo not in self._kept:
            await self._delete(repo, environment)

    async def _retire(self, repo: str, deployments: Iterable[Deployment], because: str) -> None:
        for one in deployments:
            if (repo, one.id) in self._over:
                continue
            status = await self._latest(repo, one.id)
            if status is None or status.state != INACTIVE:
                await self._say(repo, one.id, Words(state=INACTIVE, description=because))
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

    async def _latest(self, repo: str, deployment: int) -> Status | None:
        statuses = await self._client.pages(repo, f"deployments/{deployment}/statuses", Status, fresh=NOW)
        return max(statuses, key=lambda status: status.id, default=None)

    async def _say(self, repo: str, deployment: int, words: Words) -> None:
        path = f"deployments/{deployment}/statuses"
        body = {name: value for name, value in asdict(words).items() if value} | {"auto_inactive": False}
        await self._client.send("POST", repo, path, body, Nothing, creates=False)


def says(status: Status, words: Words) -> bool:
    return (
        status.state == words.state
        and alike(status.description, words.description)
        and (status.environment_url or "") == words.environment_url
        and (status.log_url or "") == words.log_url
    )
