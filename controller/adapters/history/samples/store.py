"""Keeps samples, and adds them up."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history.connections import Connections
from controller.adapters.history.rows import Insert, clean, name
from controller.adapters.history.samples import chunks, queries, tables
from controller.adapters.history.samples.chunks import EXCUSED, OUTCOMES, Raw
from controller.adapters.history.samples.latencies import percentiles, unpacked
from controller.adapters.history.samples.names import Names, named
from controller.adapters.history.samples.rolling import Rolling
from controller.adapters.history.samples.spans import (
    DAY,
    FIVE_MINUTES,
    SAMPLE,
    SIZES,
    Span,
    cover,
    length,
    micros,
    moment,
    snapped,
)
from controller.adapters.history.samples.tallies import Tally
from controller.errors import Refused
from controller.probes.model import Counts, Point, Sample
from controller.settings import Probing

AHEAD = 288
"""Steps that may have been made since the latest one was read."""
_WHOSE = attrgetter("probe", "location")
_NEVER = 1 << 62
"""Later than any moment."""
_ALL = Span(FIVE_MINUTES, 0, (1 << 31) - 1)


class SqlSamples:
    """Implements `controller.probes.ports.Samples`; `SqlHistory` makes one.

    Counts are exact while single samples are kept. Before that a window begins and ends with the step of 5 minutes that
    it cuts, and later with the hour.
    """

    def __init__(self, connections: Connections, insert: Insert, probing: Probing) -> None:
        self._connections = connections
        self._insert = insert
        self._names = Names(connections, insert)
        self._rolling = Rolling(connections, insert, probing)

    async def append(self, samples: Collection[Sample], batch: str = "") -> bool:
        if not samples and not batch:
            return True
        names = {(probe, location): named(probe, location) for probe, location in map(_WHOSE, samples)}
        numbers = await self._names.numbers(set(names.values()))
        rows = [_row(sample, numbers[names[sample.probe, sample.location]]) for sample in samples]
        once = self._insert(tables.batches).values(id=name(batch)).on_conflict_do_nothing()

        async def write(connection: AsyncConnection) -> bool:
            if batch and not (await connection.execute(once.returning(tables.batches.c.id))).first():
                return False
            if rows:
                await connection.execute(tables.fresh.insert(), rows)
            return True

        return await self._connections.write(write)

    async def counts(self, since: datetime, until: datetime, probes: Collection[str] = ()) -> Mapping[str, Counts]:
        edges = await self._edges()
        start, end = micros(since), micros(until)
        spans = cover(snapped(start, *edges), snapped(end, *edges))
        found: dict[str, Counts] = {}
        for row in await self._connections.read(queries.counts(start, end, spans, _clean(probes))):
            counts = _counts(row) if row.body is None else _cut(row, spans)
            found[row.probe] = found.get(row.probe, Counts()) + counts
        return {probe: counts for probe, counts in found.items() if counts != Counts()}

    async def latest(self, probe: str, limit: int = 100) -> tuple[Sample, ...]:
        (kept,) = await self._connections.read(queries.kept())
        span = Span(FIVE_MINUTES, kept.oldest, kept.newest + AHEAD) if kept.oldest is not None else _ALL
        locations = await self._locations(probe)
        raws: list[tuple[Raw, int]] = []
        for row in await self._connections.read(queries.latest(list(locations), span, limit + len(locations))):
            raws += [(raw, row.series) for raw in _raws(row)]
        last = sorted(raws)[-limit:] if limit > 0 else []
        return tuple(_sample(probe, locations[series], raw) for raw, series in last)

    async def series(self, probe: str, since: datetime, until: datetime, step: timedelta) -> tuple[Point, ...]:
        return (await self.series_of([probe], since, until, step)).get(clean(probe), ())

    async def series_of(
        self, probes: Collection[str], since: datetime, until: datetime, step: timedelta
    ) -> Mapping[str, tuple[Point, ...]]:
        size = length(step)
        fits = [one for one in SIZES if size % one == 0 and (one > FIVE_MINUTES or size == one)]
        if size <= 0 or not fits:
            raise Refused(f"samples are kept in steps of 5 minutes and of whole hours, not of {step}")
        span = Span(fits[-1], micros(since) // size * size // fits[-1], -(-micros(until) // size) * size // fits[-1])
        found: dict[str, dict[int, Tally]] = {}
        for row in await self._connections.read(queries.series(_clean(probes), span)):
            at, tally = (row.at, _one(row)) if row.latencies is None else (row.step * span.size, _many(row))
            if (known := found.setdefault(row.probe, {}).setdefault(at // size, tally)) is not tally:
                known.add(tally)
        return {
            probe: tuple(_point(number * size, tally) for number, tally in sorted(by_step.items()))
            for probe, by_step in found.items()
        }

    async def days(self, since: datetime, probes: Collection[str] = ()) -> Mapping[str, tuple[Point, ...]]:
        rows = await self._connections.read(queries.days(micros(since), _clean(probes)))
        found: dict[str, dict[int, Counts]] = {}
        for probe, total, failed, broken, day in map(tuple, rows):
            of_probe, counts = found.setdefault(probe, {}), Counts(total, failed, broken)
            of_probe[day] = of_probe[day] + counts if day in of_probe else counts
        return {
            probe: tuple(Point(moment(day * DAY), counts) for day, counts in sorted(by_day.items()))
            for probe, by_day in found.items()
        }

    async def roll_up(self, now: datetime) -> None:
        await self._rolling.take(micros(now))
        await self._rolling.forget(micros(now))

    async def _edges(self) -> tuple[int, int]:
        """Since when there are single samples, and steps of 5 minutes."""
        (kept,) = await self._connections.read(queries.kept())
        chunks_since, fives_since = (
            _NEVER if step is None else step * FIVE_MINUTES for step in (kept.oldest, kept.fives)
        )
        return chunks_since, fives_since

    async def _locations(self, probe: str) -> dict[int, str]:
        of = tables.names.c.probe == clean(probe)
        rows = await self._connections.read(select(tables.names.c.id, tables.names.c.location).where(of))
        return {row.id: row.location for row in rows}


def _clean(probes: Collection[str]) -> list[str]:
    return [clean(probe) for probe in probes]


def _row(sample: Sample, series: int) -> dict[str, Any]:
    return {
        "at": micros(sample.at),
        "late": max(length(sample.late), 0),
        "took": max(length(sample.took), 0),
        "series": series,
        "state": OUTCOMES.index(sample.outcome) + (EXCUSED if sample.excused else 0),
        "message": clean(sample.message) or None,
    }


def _sample(probe: str, location: str, raw: Raw) -> Sample:
    return Sample(
        probe,
        location,
        moment(raw.at),
        late=timedelta(microseconds=raw.late),
        took=timedelta(microseconds=raw.took),
        outcome=OUTCOMES[raw.state % EXCUSED],
        message=raw.message,
        excused=raw.state >= EXCUSED,
    )


def _raws(row: Row[Any]) -> list[Raw]:
    if row.body is None:
        return [Raw(row.at, row.state, row.late, row.took, row.message or "")]
    return chunks.unpacked(row.step, row.body)


def _counts(row: Row[Any]) -> Counts:
    return Counts(row.total, row.failed, row.broken)


def _cut(row: Row[Any], spans: Collection[Span]) -> Counts:
    """What of a chunk is in the window."""
    tally = Tally()
    for span in spans:
        if span.size == SAMPLE:
            for state in chunks.states(row.step, row.body, span.first, span.last):
                tally.count(state)
    return Counts(tally.total, tally.failed, tally.broken)


def _one(row: Row[Any]) -> Tally:
    tally = Tally()
    tally.take(row.state, row.took)
    return tally


def _many(row: Row[Any]) -> Tally:
    return Tally(row.total, row.failed, row.broken, took=unpacked(row.latencies))


def _point(at: int, tally: Tally) -> Point:
    counts = Counts(tally.total, tally.failed, tally.broken)
    return Point(moment(at), counts, *percentiles(tally.took, (0.50, 0.95, 0.99)))
