"""How alarms stand, what they were, and whom they are not told to, in SQL.

healths     of alarms that say something: one that is as at first is not kept
incidents   the latest 1,000 of a probe, for 400 days
silences    the 10,000 that end last
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history import tables
from controller.adapters.history.connections import Connections
from controller.adapters.history.rows import Hourly, Insert, clean, known, name, prune, upsert
from controller.probes.model import Alarm, Health, Incident, Silence

INCIDENTS = 1_000
KEPT = timedelta(days=400)
SILENCES = 10_000


class SqlAlerts:
    """Implements `controller.probes.ports.Alerts`; `SqlHistory` has one."""

    def __init__(self, connections: Connections, insert: Insert) -> None:
        self._connections = connections
        self._insert = insert
        self._forgetting = Hourly()

    async def healths(self) -> Mapping[tuple[str, Alarm], Health]:
        rows = await self._connections.read(select(tables.healths))
        return {
            (row.probe, known(Alarm, row.alarm)): Health(row.firing_since, row.told_at, row.because, row.suspect)
            for row in rows
        }

    async def keep_health(self, probe: str, alarm: Alarm, health: Health) -> None:
        kept = {"probe": name(probe), "alarm": alarm.value}
        new = {**asdict(health), "because": clean(health.because), "suspect": clean(health.suspect)}
        columns = tables.healths.c
        same = and_(columns.probe == kept["probe"], columns.alarm == kept["alarm"])
        says_nothing = health == Health()
        statement = (
            delete(tables.healths).where(same) if says_nothing else upsert(self._insert(tables.healths), [kept | new])
        )
        await self._connections.execute(statement)

    async def open_incident(self, incident: Incident) -> None:
        table, probe = tables.incidents, name(incident.probe)
        words = {"because": clean(incident.because), "suspect": clean(incident.suspect)}
        row = {**asdict(incident), "probe": probe, "alarm": incident.alarm.value, **words}
        statement = self._insert(table).values(row).on_conflict_do_nothing()

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(statement)
            await prune(connection, table, table.c.probe == probe, INCIDENTS, by=table.c.began)
            if self._forgetting.is_due():
                await connection.execute(delete(table).where(table.c.ended < incident.began - KEPT))

        await self._connections.write(write)

    async def close_incident(self, probe: str, alarm: Alarm, began: datetime, ended: datetime) -> None:
        columns = tables.incidents.c
        same = and_(columns.probe == name(probe), columns.alarm == alarm.value, columns.began == began)
        statement = update(tables.incidents).where(same, columns.ended.is_(None)).values(ended=ended)
        await self._connections.execute(statement)

    async def incidents(self, since: datetime) -> tuple[Incident, ...]:
        columns = tables.incidents.c
        query = select(tables.incidents).where(or_(columns.ended.is_(None), columns.ended >= since))
        rows = await self._connections.read(query.order_by(columns.began, columns.probe, columns.alarm))
        return tuple(
            Incident(row.probe, known(Alarm, row.alarm), row.began, row.ended, row.because, row.suspect) for row in rows
        )

    async def silences(self, now: datetime) -> tuple[Silence, ...]:
        columns = tables.silences.c
        rows = await self._connections.read(
            select(tables.silences).where(columns.ends > now).order_by(columns.begins, columns.id)
        )
        return tuple(Silence(row.id, row.probe, row.begins, row.ends, row.actor, row.because) for row in rows)

    async def silence(self, silence: Silence) -> None:
        words = {"actor": clean(silence.actor), "because": clean(silence.because)}
        row = {**asdict(silence), "id": name(silence.id), "probe": name(silence.probe), **words}
        statement = upsert(self._insert(tables.silences), [row])
        everyone: ColumnElement[bool] = true()

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(statement)
            await prune(connection, tables.silences, everyone, SILENCES, by=tables.silences.c.ends)

        await self._connections.write(write)
