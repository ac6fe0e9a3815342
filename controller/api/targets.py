"""`/api/v1/targets`: where main is deployed, what happened there, and what people ask of it.

What is asked is begun, and answered 202 with where to look; else

    no such target                   404   naming those there are
    a rollback is under way          409   whose, and why
    it cannot be done                422   what can
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from controller.api import given
from controller.api import target_schemas as schemas
from controller.api.calls import TheCall
from controller.api.given import Change, content
from controller.api.params import FileName, Idempotency, Limit, Lines, Service
from controller.api.streams import closing
from controller.deploys.desk import Ask, Taken, TargetDesk
from controller.deploys.model import Verb

Name = Annotated[str, Path(min_length=1, max_length=100)]
REFUSALS = {Taken.UNKNOWN: 404, Taken.CONFLICT: 409, Taken.REFUSED: 422}
_ONE = "/targets/{target}"


def create_targets(desk: TargetDesk, stopping: asyncio.Event) -> APIRouter:
    router = APIRouter()
    for part in (_reading(desk), _files(desk, stopping), _asking(desk)):
        router.include_router(part)
    return router


def _reading(desk: TargetDesk) -> APIRouter:
    router = APIRouter()

    @router.get("/targets")
    async def targets() -> schemas.TargetsOut:
        return schemas.TargetsOut(targets=[schemas.TargetOut.of_card(card) for card in await desk.targets()])

    @router.get(_ONE)
    async def one(target: Name) -> schemas.TargetOut:
        return schemas.TargetOut.of_card(await desk.target(target))

    @router.get(_ONE + "/releases")
    async def releases(target: Name) -> schemas.ReleasesOut:
        card = await desk.target(target)
        kept = reversed(card.seen.record.releases)
        return schemas.ReleasesOut(releases=[schemas.ReleaseOut.of_release(card, release) for release in kept])

    @router.get(_ONE + "/timeline")
    async def timeline(target: Name, limit: Limit = 200) -> schemas.TargetTimelineOut:
        events = await desk.timeline(target, limit)
        return schemas.TargetTimelineOut(events=[schemas.TargetEventOut.of(event) for event in events])

    @router.get(_ONE + "/checks")
    async def checks(target: Name, limit: Limit = 50) -> schemas.TargetRunsOut:
        runs = await desk.runs(target, limit)
        return schemas.TargetRunsOut(runs=[schemas.TargetRunOut.of_run(release, run) for release, run in runs])

    return router


def _files(desk: TargetDesk, stopping: asyncio.Event) -> APIRouter:
    router = APIRouter()

    @router.get(_ONE + "/logs", response_class=StreamingResponse, responses=content("text/plain"))
    async def logs(target: Name, service: Service = None, lines: Lines = 200, *, follow: bool = False) -> Response:
        """The last lines; with `follow`, every new one too."""
        return await given.log(desk.logs(target, service, lines, follow=follow), stopping)

    @router.get(_ONE + "/artifacts/{name}", response_class=Response, responses=content("image/png"))
    async def artifact(target: Name, name: FileName) -> Response:
        """A file that the latest run of checks left."""
        data = await desk.artifact(target, name) if name not in {".", ".."} else None
        if data is None:
            raise HTTPException(404, f"the latest run of checks of {target} left no file {name}")
        return given.file(name, data)

    return router


@dataclass(frozen=True, slots=True)
class Asker:
    """What every question about a target has besides its body."""

    target: Name
    call: TheCall
    response: Response
    idempotency_key: Idempotency = None

    async def ask(
        self, desk: TargetDesk, verb: Verb, said: schemas.AskIn, *, to: int | None = None, force: bool = False
    ) -> schemas.AskedOut:
        """Raises HTTPException where it is not taken."""
        actor = self.call.actor(said.actor)
        self.call.detail = f"{verb} {self.target}" + (f" to #{to}" if to else "") + (", forced" if force else "")
        key = f"api:{verb}:{self.target}:{self.idempotency_key}" if self.idempotency_key else ""
        answer = await desk.ask(Ask(self.target, verb, actor, said.reason, to or 0, force, key))
        if answer.taken is not Taken.ACCEPTED:
            raise HTTPException(REFUSALS[answer.taken], answer.text)
        self.response.headers["Location"] = f"/api/v1/targets/{self.target}"
        return schemas.AskedOut(target=self.target, answer=answer.text)


TheAsker = Annotated[Asker, Depends()]


def _asking(desk: TargetDesk) -> APIRouter:
    """With an `Idempotency-Key`, each is done once."""
    router = APIRouter()

    @router.post(_ONE + "/rollback", status_code=202)
    async def rollback(said: schemas.RollbackIn, asker: TheAsker) -> schemas.AskedOut:
        """Back to a verified release, configuration included. Twice goes further back."""
        return await asker.ask(desk, Verb.ROLLBACK, said, to=said.to, force=said.force)

    @router.post(_ONE + "/hold", status_code=202)
    async def hold(said: schemas.AskIn, asker: TheAsker) -> schemas.AskedOut:
        """Nothing is deployed or rolled back by itself any more."""
        return await asker.ask(desk, Verb.HOLD, said)

    @router.post(_ONE + "/release", status_code=202)
    async def release(said: schemas.AskIn, asker: TheAsker) -> schemas.AskedOut:
        """Lets a target go on that is held or stopped."""
        return await asker.ask(desk, Verb.RELEASE, said)

    @router.post(_ONE + "/redeploy", status_code=202)
    async def redeploy(said: schemas.RedeployIn, asker: TheAsker) -> schemas.AskedOut:
        """The head of the branch, or a release as it was; also one that was rejected."""
        return await asker.ask(desk, Verb.REDEPLOY, said, to=said.to)

    return router


async def target_changes(desk: TargetDesk) -> AsyncIterator[Change]:
    """For the events."""
    async with closing(desk.changes()) as names:
        async for name in names:
            yield {"target": name}
