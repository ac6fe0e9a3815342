"""What happened to targets, and what people decided about them, in SQL.

target_events      the latest 1,000 of a target
target_decisions   the latest 500 of each verb of a target: however many come after it, a hold stands
deeds              the latest 10,000 releases of a target
target_runs        the latest 200 of a target
target_said        the latest 2,000 channels of a target
"""

import itertools
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row, Table, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history import tables
from controller.adapters.history.connections import Connections
from controller.adapters.history.fold import EVER, Fold, Rows
from controller.adapters.history.rows import Insert, clean, known, name, next_change, prune, upsert
from controller.deploys.model import Decision, Deed, Event, Verb, Verdict
from controller.errors import Refused
from smoke.model import SuiteRun

TIMELINE = 1_000
DECISIONS = 500
DEEDS = 10_000
RUNS = 200
CHANNELS = 2_000


class SqlJournal:
    """Implements `controller.deploys.ports.Journal`; `SqlHistory` has one. `place` names the history in errors."""

    def __init__(self, connections: Connections, insert: Insert, place: str) -> None:
        self._connections = connections
        self._insert = insert
        self._place = place
        self._decisions = Fold(partial(self._since, tables.target_decisions), _add_decisions)
        self._said = Fold(partial(self._since, tables.target_said), _add_said)

    async def record_target(self, events: Collection[Event]) -> None:
        if not events:
            return
        rows = [_event_row(event) for event in events]

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(tables.target_events.insert(), rows)
            for target in sorted({row["target"] for row in rows}):
                of_target = tables.target_events.c.target == target
                await prune(connection, tables.target_events, of_target, TIMELINE)

        await self._connections.write(write)

    async def target_timeline(self, target: str, limit: int = 200) -> tuple[Event, ...]:
        table = tables.target_events
        query = select(table).where(table.c.target == name(target)).order_by(table.c.id.desc()).limit(max(limit, 0))
        rows = reversed(await self._connections.read(query))
        return tuple(Event(row.target, row.at, row.kind, row.text, row.actor, row.release) for row in rows)

    async def decide_target(self, decision: Decision) -> bool:
        table, row = tables.target_decisions, _decision_row(decision)

        async def write(connection: AsyncConnection) -> bool:
            change = await next_change(connection)
            for ordinal in itertools.count(decision.order):
                insert = self._insert(table).values(**row, ordinal=ordinal, changed=change).on_conflict_do_nothing()
                if (await connection.execute(insert.returning(table.c.ordinal))).first() is not None:
                    of_verb = and_(table.c.target == row["target"], table.c.verb == row["verb"])
                    await prune(connection, table, of_verb, DECISIONS, by=table.c.ordinal)
                    return True
                if decision.origin and await _has_decided(connection, row):
                    break
            return False

        return await self._connections.write(write)

    async def target_decisions(self) -> Mapping[str, tuple[Decision, ...]]:
        return await self._decisions.now()

    async def keep_deed(self, deed: Deed) -> None:
        statement = upsert(self._insert(tables.deeds), [_deed_row(deed)])
        columns = tables.deeds.c
        older = and_(columns.target == name(deed.target), columns.number <= deed.number - DEEDS)

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(statement)
            await connection.execute(delete(tables.deeds).where(older))

        await self._connections.write(write)

    async def deeds(self, target: str, since: datetime) -> tuple[Deed, ...]:
        columns = tables.deeds.c
        query = select(tables.deeds).where(columns.target == name(target), columns.ordered_at >= since)
        rows = await self._connections.read(query.order_by(columns.ordered_at, columns.number))
        return tuple(_deed(row) for row in rows)

    async def record_target_run(self, target: str, release: int, order: int, run: SuiteRun) -> bool:
        table = tables.target_runs
        row = {"target": name(target), "release": release, "ordinal": order, "body": clean(run.to_json().decode())}
        row |= {"suite": name(run.suite), "revision": name(run.revision)}
        insert = self._insert(table).values(**row).on_conflict_do_nothing().returning(table.c.id)

        async def write(connection: AsyncConnection) -> bool:
            if (await connection.execute(insert)).first() is None:
                return False
            await prune(connection, table, table.c.target == row["target"], RUNS)
            return True

        return await self._connections.write(write)

    async def target_runs(self, target: str, limit: int = 50) -> tuple[tuple[int, SuiteRun], ...]:
        columns = tables.target_runs.c
        query = select(columns.release, columns.body).where(columns.target == name(target))
        rows = await self._connections.read(query.order_by(columns.id.desc()).limit(max(limit, 0)))
        try:
            return tuple((row.release, SuiteRun.from_json(row.body.encode())) for row in reversed(rows))
        except ValidationError as error:
            raise Refused(f"the history ({self._place}) holds a run that cannot be read: {error}") from error

    async def target_said(self) -> Mapping[str, Mapping[str, str]]:
        return await self._said.now()

    async def remember_target_said(self, target: str, digests: Mapping[str, str]) -> None:
        table, kept = tables.target_said, name(target)
        rows = [{"target": kept, "channel": name(key), "digest": clean(digest)} for key, digest in digests.items()]

        async def write(connection: AsyncConnection) -> None:
            change = await next_change(connection)
            await connection.execute(upsert(self._insert(table), [{**row, "changed": change} for row in rows]))
            await prune(connection, table, table.c.target == kept, CHANNELS, by=table.c.changed)

        if rows:
            await self._connections.write(write)

    def target_bells(self) -> AsyncIterator[str]:
        return self._decisions.news()

    async def _since(self, table: Table, change: int) -> list[Row[Any]]:
        query = select(table)
        return await self._connections.read(query if change == EVER else query.where(table.c.changed > change))


def _add_decisions(before: Mapping[str, tuple[Decision, ...]], rows: Rows) -> dict[str, tuple[Decision, ...]]:
    new: dict[str, list[Decision]] = {}
    for row in rows:
        new.setdefault(row.target, []).append(_decision(row))
    by_order = attrgetter("order")
    return {**before, **{key: tuple(sorted((*before.get(key, ()), *made), key=by_order)) for key, made in new.items()}}


def _add_said(before: Mapping[str, Mapping[str, str]], rows: Rows) -> dict[str, Mapping[str, str]]:
    new: dict[str, dict[str, str]] = {}
    for row in rows:
        new.setdefault(row.target, {})[sys.intern(row.channel)] = row.digest
    return {**before, **{key: {**before.get(key, {}), **words} for key, words in new.items()}}


async def _has_decided(connection: AsyncConnection, row: Mapping[str, Any]) -> bool:
    columns = tables.target_decisions.c
    same = and_(columns.target == row["target"], columns.origin == row["origin"])
    return (await connection.execute(select(columns.ordinal).where(same))).first() is not None


def _event_row(event: Event) -> dict[str, Any]:
    words = {"kind": clean(event.kind), "text": clean(event.text), "actor": clean(event.actor)}
    return {"target": name(event.target), "at": event.at, "release": event.release, **words}


def _decision_row(decision: Decision) -> dict[str, Any]:
    """Without its number."""
    return {
        "target": name(decision.target),
        "verb": decision.verb.value,
        "actor": clean(decision.actor),
        "at": decision.at,
        "because": clean(decision.because),
        "to": decision.to,
        "force": decision.force,
        "origin": name(decision.origin),
    }


def _decision(row: Row[Any]) -> Decision:
    said = (row.target, row.ordinal, known(Verb, row.verb), row.actor, row.at, row.because)
    return Decision(*said, row.to, row.force, row.origin)


def _deed_row(deed: Deed) -> dict[str, Any]:
    words = {"revision": clean(deed.revision), "title": clean(deed.title), "actor": clean(deed.actor)}
    words |= {"target": name(deed.target), "verdict": deed.verdict.value, "why": clean(deed.why)}
    return {**asdict(deed), **words}


def _deed(row: Row[Any]) -> Deed:
    return Deed(**{**row._asdict(), "verdict": known(Verdict, row.verdict)})
