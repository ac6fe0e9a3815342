"""`/api/v1`: previews, what happened to them, and what people ask of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from controller.api import given, schemas
from controller.api.calls import TheCall
from controller.api.given import Change, content
from controller.api.params import FileName, Idempotency, Limit, Lines, Service
from controller.api.streams import closing
from controller.common.nouns import PreviewKey
from controller.errors import Refused
from controller.previews.desk import Desk
from controller.settings import Policy

_ONE = "/previews/{repo:path}/{number:int}"

Repo = Annotated[str, Path(min_length=1, max_length=200)]
Number = Annotated[int, Path(ge=1, le=2**31)]
Suite = Annotated[str, Query(max_length=50)]


def reading(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/previews")
    async def previews() -> schemas.PreviewsOut:
        return schemas.PreviewsOut(previews=[schemas.PreviewOut.of_card(card) for card in await desk.cards()])

    @router.get(_ONE)
    async def preview(repo: Repo, number: Number) -> schemas.PreviewOut:
        return schemas.PreviewOut.of_card(await desk.card(PreviewKey(repo, number)))

    @router.get(_ONE + "/timeline")
    async def timeline(repo: Repo, number: Number, limit: Limit = 200) -> schemas.TimelineOut:
        events = await desk.timeline(PreviewKey(repo, number), limit)
        return schemas.TimelineOut(events=[schemas.EventOut.of(event) for event in events])

    @router.get(_ONE + "/checks")
    async def checks(repo: Repo, number: Number, suite: Suite = "smoke", limit: Limit = 50) -> schemas.RunsOut:
        runs = await desk.runs(PreviewKey(repo, number), suite, limit)
        return schemas.RunsOut(runs=[schemas.RunOut.of(run) for run in runs])

    return router


def files(desk: Desk, stopping: asyncio.Event) -> APIRouter:
    router = APIRouter()

    @router.get(_ONE + "/logs", response_class=StreamingResponse, responses=content("text/plain"))
    async def logs(
        repo: Repo, number: Number, service: Service = None, lines: Lines = 200, *, follow: bool = False
    ) -> Response:
        """The last lines; with `follow`, every new one too."""
        return await given.log(desk.logs(PreviewKey(repo, number), service, lines, follow=follow), stopping)

    @router.get(_ONE + "/artifacts/{suite}/{name}", response_class=Response, responses=content("image/png"))
    async def artifact(repo: Repo, number: Number, suite: FileName, name: FileName) -> Response:
        """A file that the latest run of a suite left."""
        data = None
        if name not in {".", ".."} and suite not in {".", ".."}:
            data = await desk.artifact(PreviewKey(repo, number), suite, name)
        if data is None:
            raise HTTPException(404, f"the latest {suite} run of {repo}#{number} left no file {name}")
        return given.file(name, data)

    return router


def changing(desk: Desk) -> APIRouter:
    router = APIRouter()
    not_taken: dict[int | str, dict[str, Any]] = {422: {"model": schemas.AnswerOut, "description": "Not taken"}}

    @router.post(_ONE + "/commands", status_code=202, responses=not_taken)
    async def command(
        repo: Repo,
        number: Number,
        said: schemas.CommandIn,
        call: TheCall,
        response: Response,
        idempotency_key: Idempotency = None,
    ) -> schemas.AnswerOut:
        """What a comment on the pull request would do. With an `Idempotency-Key`, once."""
        key, actor = PreviewKey(repo, number), call.actor(said.actor)
        call.detail = said.command
        try:
            await desk.card(key)
        except Refused as error:
            raise HTTPException(404, error.reason) from error
        origin = f"api:{idempotency_key}" if idempotency_key else ""
        answer = await desk.command(key, said.command, actor, origin)
        response.status_code = 202 if answer.accepted else 422
        return schemas.AnswerOut(accepted=answer.accepted, answer=answer.text)

    @router.post("/removals/approve")
    async def approve(said: schemas.ApprovalIn, call: TheCall) -> schemas.ApprovalOut:
        """Lets removals go on that were too many at once."""
        return schemas.ApprovalOut(approved=await desk.approve_removals(call.actor(said.actor)))

    return router


def whole(desk: Desk, version: str, policy: Policy) -> APIRouter:
    router = APIRouter()

    @router.get("/status")
    async def status() -> schemas.StatusOut:
        states = Counter(card.state for card in await desk.cards())
        forge, alarm = await desk.forge(), await desk.alarm()
        return schemas.StatusOut.of_policy(policy, version=version, forge=forge, alarm=alarm, states=dict(states))

    return router


async def changes(desk: Desk) -> AsyncIterator[Change]:
    """For the events."""
    async with closing(desk.changes()) as keys:
        async for key in keys:
            yield {"repo": key.repo if key else None, "number": key.number if key else None}
