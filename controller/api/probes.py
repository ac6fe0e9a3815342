"""`/api/v1`: probes, what they found, and who is to be told of it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.exceptions import HTTPException

from controller.api import probe_schemas as schemas
from controller.api.calls import TheCall
from controller.api.given import Change
from controller.api.streams import closing
from controller.errors import Refused
from controller.probes.desk import ProbeDesk
from controller.settings import LABEL
from smoke.documents import format_duration

DAY = timedelta(days=1)
_FIVE_MINUTES, _HOUR = 300, 3600

Name = Annotated[str, Path(pattern=LABEL)]
SilenceId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Step = Annotated[
    Annotated[int, Field(ge=_FIVE_MINUTES, le=_FIVE_MINUTES)]
    | Annotated[int, Field(ge=_HOUR, le=90 * 86_400, multiple_of=_HOUR)],
    Query(description="Seconds: 300, or whole hours."),
]
When = Annotated[schemas.When | None, Query()]
Clock = Callable[[], datetime]


def now() -> datetime:
    return datetime.now(UTC)


def create_probes(desk: ProbeDesk, clock: Clock = now) -> APIRouter:
    router = APIRouter()
    router.include_router(_found(desk, clock))
    router.include_router(_silences(desk))
    return router


async def probe_changes(desk: ProbeDesk) -> AsyncIterator[Change]:
    """For the events."""
    async with closing(desk.changes()) as names:
        async for name in names:
            yield {"probe": name}


def _found(desk: ProbeDesk, clock: Clock) -> APIRouter:
    router = APIRouter()

    @router.get("/probes")
    async def probes() -> schemas.ProbesOut:
        return schemas.ProbesOut(probes=[schemas.ProbeOut.of_card(card) for card in await desk.probes()])

    @router.get("/probes/{name}")
    async def probe(name: Name) -> schemas.ProbeOut:
        return schemas.ProbeOut.of_card(await desk.probe(name))

    @router.get("/probes/{name}/samples")
    async def samples(name: Name, limit: Limit = 100) -> schemas.SamplesOut:
        """The latest, each."""
        found = await desk.samples(name, limit)
        return schemas.SamplesOut(samples=[schemas.SampleOut.of(sample) for sample in found])

    @router.get("/probes/{name}/series")
    async def series(
        name: Name, since: When = None, until: When = None, step: Step = _FIVE_MINUTES
    ) -> schemas.SeriesOut:
        """Counts and latencies by step: of the last day, where nothing else is said."""
        width = timedelta(seconds=step)
        ends = until or clock()
        points = await desk.series(name, since or ends - DAY, ends, width)
        return schemas.SeriesOut(step=step, points=[schemas.PointOut.of(point) for point in points])

    @router.get("/incidents")
    async def incidents(since: When = None) -> schemas.IncidentsOut:
        """Those that went on at any time since: in the last 90 days, where nothing else is said."""
        found = await desk.incidents(since or clock() - 90 * DAY)
        return schemas.IncidentsOut(incidents=[schemas.IncidentOut.of(incident) for incident in found])

    return router


def _silences(desk: ProbeDesk) -> APIRouter:
    router = APIRouter()

    @router.get("/silences")
    async def silences() -> schemas.SilencesOut:
        return schemas.SilencesOut(silences=[schemas.SilenceOut.of(silence) for silence in await desk.silences()])

    @router.post("/silences", status_code=201)
    async def silence(said: schemas.SilenceIn, call: TheCall) -> schemas.SilenceOut:
        """For a while nobody is told of a probe, or of any. What still burns at the end is told then."""
        actor, lasts = call.actor(said.actor), timedelta(seconds=said.lasts)
        call.detail = f"silence {said.probe or 'all probes'} for {format_duration(lasts)}: {said.because}"
        try:
            kept = await desk.silence(said.probe or "", lasts, actor, said.because)
        except Refused as error:
            raise HTTPException(404, error.reason) from error
        return schemas.SilenceOut.of(kept)

    @router.delete("/silences/{silence_id}", status_code=204)
    async def unsilence(silence_id: SilenceId, call: TheCall) -> None:
        """It is over now."""
        call.detail = f"end silence {silence_id}"
        if not await desk.unsilence(silence_id, call.actor("somebody")):
            raise HTTPException(404, f"there is no silence {silence_id}, or it is over")

    return router
