"""`/api/v1`: previews, what happened to them, and what people ask of them."""

import asyncio
import json
import mimetypes
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from controller.api import schemas
from controller.api.streams import begun, closing, flowing
from controller.common.nouns import PreviewKey
from controller.errors import Refused
from controller.previews.desk import Desk
from controller.settings import Policy

FIRST_LINE_WITHIN = 1.0
"""Seconds that a followed log may be silent before its answer begins."""
_ONE = "/previews/{repo:path}/{number:int}"
_INLINE = frozenset({"image/png", "image/jpeg", "image/webp"})
"""What browsers may show on the dashboard's origin; anything else that an application made is downloaded."""

Repo = Annotated[str, Path(min_length=1, max_length=200)]
Number = Annotated[int, Path(ge=1, le=2**31)]
Name = Annotated[str, Path(pattern=r"^[^/\\\x00-\x1f]{1,200}$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Suite = Annotated[str, Query(max_length=50)]
Service = Annotated[str | None, Query(max_length=50)]
Lines = Annotated[int, Query(ge=1, le=10_000)]
Idempotency = Annotated[str | None, Header(min_length=1, max_length=200)]


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

    @router.get(_ONE + "/logs", response_class=StreamingResponse, responses=_content("text/plain"))
    async def logs(
        repo: Repo, number: Number, service: Service = None, lines: Lines = 200, *, follow: bool = False
    ) -> Response:
        """The last lines; with `follow`, every new one too."""
        texts = _ended(desk.logs(PreviewKey(repo, number), service, lines, follow=follow))
        return _stream(flowing(await begun(texts, FIRST_LINE_WITHIN), stopping), "text/plain; charset=utf-8")

    @router.get(_ONE + "/artifacts/{suite}/{name}", response_class=Response, responses=_content("image/png"))
    async def artifact(repo: Repo, number: Number, suite: Name, name: Name) -> Response:
        """A file that the latest run of a suite left."""
        data = None
        if name not in {".", ".."} and suite not in {".", ".."}:
            data = await desk.artifact(PreviewKey(repo, number), suite, name)
        if data is None:
            raise HTTPException(404, f"the latest {suite} run of {repo}#{number} left no file {name}")
        kind = mimetypes.guess_type(name)[0] or ""
        headers = {"Content-Security-Policy": "sandbox; default-src 'none'"}
        if kind in _INLINE:
            return Response(data, headers=headers, media_type=kind)
        headers["Content-Disposition"] = "attachment"
        return Response(data, headers=headers, media_type="application/octet-stream")

    @router.get("/events", response_class=StreamingResponse, responses=_content("text/event-stream"))
    async def events() -> Response:
        """A server-sent event whenever something to show changed: `{"repo": "shop", "number": 7}`, nulls for any."""
        stream = flowing(_changes(desk), stopping, opening="retry: 1000\n\n", beat=": beat\n\n")
        return _stream(stream, "text/event-stream")

    return router


def changing(desk: Desk) -> APIRouter:
    router = APIRouter()
    not_taken: dict[int | str, dict[str, Any]] = {422: {"model": schemas.AnswerOut, "description": "Not taken"}}

    @router.post(_ONE + "/commands", status_code=202, responses=not_taken)
    async def command(
        repo: Repo, number: Number, said: schemas.CommandIn, response: Response, idempotency_key: Idempotency = None
    ) -> schemas.AnswerOut:
        """What a comment on the pull request would do. With an `Idempotency-Key`, once."""
        key = PreviewKey(repo, number)
        try:
            await desk.card(key)
        except Refused as error:
            raise HTTPException(404, error.reason) from error
        origin = f"api:{idempotency_key}" if idempotency_key else ""
        answer = await desk.command(key, said.command, said.actor, origin)
        response.status_code = 202 if answer.accepted else 422
        return schemas.AnswerOut(accepted=answer.accepted, answer=answer.text)

    @router.post("/removals/approve")
    async def approve(said: schemas.ApprovalIn) -> schemas.ApprovalOut:
        """Lets removals go on that were too many at once."""
        return schemas.ApprovalOut(approved=await desk.approve_removals(said.actor))

    return router


def whole(desk: Desk, version: str, policy: Policy) -> APIRouter:
    router = APIRouter()

    @router.get("/status")
    async def status() -> schemas.StatusOut:
        states = Counter(card.state for card in await desk.cards())
        forge, alarm = await desk.forge(), await desk.alarm()
        return schemas.StatusOut.of_policy(policy, version=version, forge=forge, alarm=alarm, states=dict(states))

    return router


def _content(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}, "description": "OK"}}


def _stream(texts: AsyncIterator[str], media_type: str) -> Response:
    return StreamingResponse(texts, media_type=media_type, headers={"X-Accel-Buffering": "no"})


async def _ended(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async with closing(lines):
        async for line in lines:
            yield line + "\n"


async def _changes(desk: Desk) -> AsyncIterator[str]:
    async with closing(desk.changes()) as changes:
        async for key in changes:
            change = {"repo": key.repo if key else None, "number": key.number if key else None}
            yield f"data: {json.dumps(change)}\n\n"
