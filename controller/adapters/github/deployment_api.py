"""Deployments and their statuses at GitHub: found, made and told of. See `deployments` and `targets`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import JsonValue, RootModel

from controller.adapters.github import limits
from controller.adapters.github.client import Client, Nothing
from controller.adapters.github.shapes import Seen
from controller.adapters.github.sound import alike
from controller.adapters.github.thread import NOW
from controller.common.markdown import one_line
from controller.common.words import DeploymentReport, DeploymentState
from controller.errors import Refused

INACTIVE = DeploymentState.INACTIVE.value


class Deployment(Seen):
    id: int
    sha: str = ""


class Newest(RootModel[tuple[Deployment, ...]]):
    """One page, newest first."""


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


def words_of(report: DeploymentReport, page: str) -> Words:
    return Words(
        state=report.state.value,
        description=one_line(report.description, limits.DEPLOYMENT_DESCRIPTION),
        environment_url=report.url,
        log_url=page,
    )


def says(status: Status, words: Words) -> bool:
    return (
        status.state == words.state
        and alike(status.description, words.description)
        and (status.environment_url or "") == words.environment_url
        and (status.log_url or "") == words.log_url
    )


class DeploymentApi:
    """Methods raise Unavailable or Refused."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def all(self, repo: str, environment: str, task: str) -> tuple[Deployment, ...]:
        where = {"environment": _fitting(environment), "task": task}
        return await self._client.pages(repo, "deployments", Deployment, fresh=NOW, **where)

    async def newest(self, repo: str, environment: str, task: str, most: int) -> tuple[Deployment, ...]:
        where = {"environment": _fitting(environment), "task": task}
        return (await self._client.get(repo, "deployments", Newest, fresh=NOW, per_page=most, **where)).root

    async def latest(self, repo: str, deployment: int) -> Status | None:
        statuses = await self._client.pages(repo, f"deployments/{deployment}/statuses", Status, fresh=NOW)
        return max(statuses, key=lambda status: status.id, default=None)

    async def make(self, repo: str, report: DeploymentReport, about: Mapping[str, JsonValue]) -> int:
        """Of that very revision, whatever checks say of it, and with nothing merged into it."""
        body: dict[str, JsonValue] = {
            "ref": report.revision,
            "environment": report.environment,
            "auto_merge": False,
            "required_contexts": [],
            **about,
        }
        return (await self._client.send("POST", repo, "deployments", body, Deployment, creates=True)).id

    async def say(self, repo: str, deployment: int, words: Words, *, auto_inactive: bool = False) -> None:
        path = f"deployments/{deployment}/statuses"
        body = {name: value for name, value in asdict(words).items() if value} | {"auto_inactive": auto_inactive}
        await self._client.send("POST", repo, path, body, Nothing, creates=False)


def _fitting(environment: str) -> str:
    if len(environment) > limits.ENVIRONMENT:
        raise Refused(f"the name of an environment has at most {limits.ENVIRONMENT} characters")
    return environment
