"""Takes fresh samples into chunks and steps, and forgets what is too old; both in transactions of a bounded size.

A transaction first takes its turn among all controllers, then takes samples out of the fresh ones, and adds them to
what is there. Killed anywhere it leaves everything as it was; repeated, it finds nothing to take.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, delete, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history.connections import Connections
from controller.adapters.history.rows import Insert, next_change
from controller.adapters.history.samples import chunks, latencies, tables
from controller.adapters.history.samples.chunks import Raw
from controller.adapters.history.samples.spans import FIVE_MINUTES, MINUTE, SIZES, length
from controller.adapters.history.samples.tallies import ChunkKey, StepKey, Tally, by_chunk, by_step
from controller.settings import Probing

SETTLES = MINUTE
"""How long after its end a step is waited with, for samples that are still under way: each that comes later costs an
addition of its own."""
AT_ONCE = 10_000
"""Samples of one transaction: a few tenths of a second."""
TRANSACTIONS = 20
"""Of one call."""
FORGOTTEN = 12
"""Steps of each size that one call forgets."""
Key = ChunkKey | StepKey


class Rolling:
    """Moments are microseconds since 1970."""

    def __init__(self, connections: Connections, insert: Insert, probing: Probing) -> None:
        self._connections = connections
        self._insert = insert
        self._raw_for = length(probing.raw_for)
        kept = probing.five_minutes_for, probing.hours_for, probing.hours_for
        self._kept = [(size, length(lasts)) for size, lasts in zip(SIZES, kept, strict=True)]

    async def take(self, now: int) -> None:
        before = (now - SETTLES) // FIVE_MINUTES * FIVE_MINUTES
        ready = select(tables.fresh.c.id).where(tables.fresh.c.at < before)
        for _ in range(TRANSACTIONS):
            if not await self._connections.read(ready.limit(1)):
                break
            await self._connections.write(lambda connection: self._take(connection, ready, now))

    async def forget(self, now: int) -> None:
        step = tables.chunks.c.step
        await self._forget(tables.chunks, step, true(), (now - self._raw_for) // FIVE_MINUTES)
        for size, lasts in self._kept:
            of_size = tables.steps.c.minutes == size // MINUTE
            await self._forget(tables.steps, tables.steps.c.step, of_size, (now - lasts) // size)
        await self._forget_batches(now)

    async def _take(self, connection: AsyncConnection, ready: Select[tuple[int]], now: int) -> None:
        await next_change(connection)
        few = ready.order_by(tables.fresh.c.series, tables.fresh.c.at).limit(AT_ONCE)
        taken = delete(tables.fresh).where(tables.fresh.c.id.in_(few)).returning(tables.fresh)
        if rows := (await connection.execute(taken)).all():
            groups, tallies = await asyncio.to_thread(_added_up, rows)
            await self._add_to_steps(connection, tallies)
            oldest = (now - self._raw_for) // FIVE_MINUTES
            await self._add_to_chunks(connection, {key: raws for key, raws in groups.items() if key.step >= oldest})

    async def _add_to_steps(self, connection: AsyncConnection, tallies: Mapping[StepKey, Tally]) -> None:
        of = [
            (tables.steps.c.minutes == size // MINUTE) & _among(tables.steps, keys)
            for size in SIZES
            if (keys := [key for key in tallies if key.minutes == size // MINUTE])
        ]
        for row in await connection.execute(select(tables.steps).where(or_(*of))):
            if tally := tallies.get(StepKey(row.minutes, row.step, row.series)):
                tally.add(Tally(row.total, row.failed, row.broken, row.excused, latencies.unpacked(row.latencies)))
        await self._put(connection, tables.steps, [_step_row(key, tally) for key, tally in sorted(tallies.items())])

    async def _add_to_chunks(self, connection: AsyncConnection, groups: Mapping[ChunkKey, list[Raw]]) -> None:
        if not groups:
            return
        for row in await connection.execute(select(tables.chunks).where(_among(tables.chunks, groups))):
            if more := groups.get(ChunkKey(row.step, row.series)):
                more += chunks.unpacked(row.step, row.body)
        rows = [{**key._asdict(), "body": chunks.packed(raws)} for key, raws in sorted(groups.items())]
        await self._put(connection, tables.chunks, rows)

    async def _put(self, connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        insert = self._insert(table)
        at = [column.name for column in table.primary_key]
        new = {column.name: column for column in insert.excluded if column.name not in at}
        await connection.execute(insert.on_conflict_do_update(index_elements=at, set_=new), rows)

    async def _forget(self, table: Table, step: ColumnElement[int], of: ColumnElement[bool], before: int) -> None:
        (row,) = await self._connections.read(select(func.min(step).label("oldest")).where(of))
        if row.oldest is not None and row.oldest < before:
            old = delete(table).where(of, step < min(before, row.oldest + FORGOTTEN))
            await self._connections.write(lambda connection: connection.execute(old))

    async def _forget_batches(self, now: int) -> None:
        seen = tables.batches.c.seen
        first, old = seen.is_(None), seen < now - self._kept[0][1]
        if not await self._connections.read(select(tables.batches.c.id).where(or_(first, old)).limit(1)):
            return

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(update(tables.batches).where(first).values(seen=now))
            await connection.execute(delete(tables.batches).where(old))

        await self._connections.write(write)


def _added_up(rows: Sequence[Row[Any]]) -> tuple[dict[ChunkKey, list[Raw]], dict[StepKey, Tally]]:
    groups = by_chunk((row.series, Raw(row.at, row.state, row.late, row.took, row.message or "")) for row in rows)
    return groups, by_step(groups)


def _among(table: Table, keys: Collection[Key]) -> ColumnElement[bool]:
    """All of these, and others beside them: samples are taken by series, so that there are few."""
    series = [key.series for key in keys]
    return table.c.step.in_({key.step for key in keys}) & table.c.series.between(min(series), max(series))


def _step_row(key: StepKey, tally: Tally) -> dict[str, Any]:
    return {
        **key._asdict(),
        "total": tally.total,
        "failed": tally.failed,
        "broken": tally.broken,
        "excused": tally.excused,
        "latencies": latencies.packed(tally.took),
    }
