"""Commit statuses: how a target stands on a commit. Besides, where we are somebody's token, which may write no check
runs, what a suite says about one:

| the check       | the status |
| --------------- | ---------- |
| waits, runs     | `pending`  |
| passed, neutral | `success`  |
| failed          | `failure`  |
| could not run   | `error`    |
"""

from collections.abc import Callable

from pydantic import JsonValue, RootModel

from controller.adapters.github import limits
from controller.adapters.github.client import Client, Nothing, NotThere
from controller.adapters.github.shapes import Seen
from controller.adapters.github.sound import alike
from controller.adapters.github.thread import NOW
from controller.common.markdown import one_line
from controller.common.nouns import PreviewKey, short
from controller.common.words import CheckReport, CheckStatus, CommitStatus
from controller.errors import Refused


class Status(Seen):
    context: str
    state: str
    description: str | None = None
    target_url: str | None = None


class Latest(RootModel[tuple[Status, ...]]):
    """The newest statuses of a commit, of any context, newest first."""


class Statuses:
    """Raises Refused for a revision that GitHub does not know, and past 1,000 statuses of one context on it."""

    def __init__(self, client: Client, page: Callable[[PreviewKey], str] | None = None) -> None:
        self._client = client
        self._page = page

    async def report(self, key: PreviewKey, report: CheckReport) -> None:
        wanted = Status(
            context=report.name,
            state=state(report.status),
            description=one_line(report.title, limits.STATUS_DESCRIPTION),
            target_url=self._page(key) if self._page else None,
        )
        await self._bring(key.repo, report.revision, wanted)

    async def put(self, repo: str, revision: str, status: CommitStatus) -> None:
        if len(status.context) > limits.STATUS_CONTEXT:
            raise Refused(f"the name of a commit status has at most {limits.STATUS_CONTEXT} characters")
        description = one_line(status.description, limits.STATUS_DESCRIPTION)
        wanted = Status(
            context=status.context, state=status.state.value, description=description, target_url=status.url or None
        )
        await self._bring(repo, revision, wanted)

    async def _bring(self, repo: str, revision: str, wanted: Status) -> None:
        try:
            if not stands(await self._latest(repo, revision), wanted):
                body: dict[str, JsonValue] = wanted.model_dump(exclude_none=True)
                await self._client.send("POST", repo, f"statuses/{revision}", body, Nothing, creates=False)
        except NotThere:
            raise Refused(f"{repo} has no revision {short(revision)}, or we may not see it") from None

    async def _latest(self, repo: str, revision: str) -> tuple[Status, ...]:
        """One page: a status that a hundred others buried is said once more, which changes nothing."""
        path = f"commits/{revision}/statuses"
        return (await self._client.get(repo, path, Latest, fresh=NOW, per_page=limits.PAGE)).root


def stands(statuses: tuple[Status, ...], wanted: Status) -> bool:
    """Whether the latest of that context says it already. A context is one whatever its case."""
    latest = next((one for one in statuses if one.context.casefold() == wanted.context.casefold()), None)
    return (
        latest is not None
        and latest.state == wanted.state
        and alike(latest.description, wanted.description or "")
        and (latest.target_url or None) == wanted.target_url
    )


def state(status: CheckStatus) -> str:
    match status:
        case CheckStatus.QUEUED | CheckStatus.IN_PROGRESS:
            return "pending"
        case CheckStatus.SUCCESS | CheckStatus.NEUTRAL:
            return "success"
        case CheckStatus.FAILURE:
            return "failure"
        case CheckStatus.ACTION_REQUIRED:
            return "error"
