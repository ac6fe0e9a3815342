"""What happened, in SQL. Every write begins with the statement that writes, so that SQLite never has to upgrade a lock.

What a round reads of it is folded: a look costs what was written since the last one, in this process or another.
Text comes from anywhere: what a database cannot keep (NUL, half a surrogate) is replaced before it gets there.
"""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Row, Table, and_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from controller.adapters.history import fold, tables
from controller.adapters.history.access import SqlAccess
from controller.adapters.history.alerts import SqlAlerts
from controller.adapters.history.connections import Connections
from controller.adapters.history.fold import EVER, Fold, Rows, changed
from controller.adapters.history.journal import SqlJournal
from controller.adapters.history.ledger import Head, SqlLedger
from controller.adapters.history.outbox import SqlOutbox
from controller.adapters.history.rows import (
    Insert,
    Inserting,
    clean,
    key_of,
    known,
    named,
    next_change,
    of,
    prune,
    upsert,
)
from controller.adapters.history.samples.store import SqlSamples
from controller.common.nouns import PreviewKey
from controller.errors import Refused
from controller.previews.model import Decision, Delivery, Ending, Event, Verb
from controller.settings import Probing
from smoke.model import SuiteRun

TIMELINE = 1000
"""Events kept of one preview; older ones go."""
RUNS = 200
"""Runs kept of one suite of one preview."""


class SqlHistory:
    """Implements `controller.ports.History` and `Ledger`, and has the other parts. Made by `open_history`."""

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        self._place = place
        self._connections = Connections(engine, place)
        self._insert: Insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._ledger = SqlLedger(self._connections, self._insert)
        self.journal = SqlJournal(self._connections, self._insert, place)
        self.outbox = SqlOutbox(self._connections, self._insert)
        self.alerts = SqlAlerts(self._connections, self._insert)
        self.access = SqlAccess(self._connections, self._insert)
        self._decisions = Fold(partial(self._since, tables.decisions), _add_decisions)
        self._endings = Fold(partial(self._since, tables.endings), _add_endings)
        self._said = Fold(partial(self._since, tables.said), _add_said)

    async def record(self, events: Collection[Event]) -> None:
        if not events:
            return
        rows = [
            {
                **named(event.key),
                "at": event.at,
                "kind": clean(event.kind),
                "text": clean(event.text),
                "actor": clean(event.actor),
                "revision": clean(event.revision),
            }
            for event in events
        ]

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(tables.events.insert(), rows)
            for key in {event.key for event in events}:
                await prune(connection, tables.events, of(tables.events, key), TIMELINE)

        await self._connections.write(write)

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]:
        query = (
            select(tables.events).where(of(tables.events, key)).order_by(tables.events.c.id.desc()).limit(max(limit, 0))
        )
        return tuple(
            Event(key_of(row), row.at, row.kind, row.text, row.actor, row.revision)
            for row in reversed(await self._connections.read(query))
        )

    async def decide(self, decision: Decision) -> bool:
        row = {
            **named(decision.key),
            "verb": decision.verb.value,
            "actor": clean(decision.actor),
            "at": decision.at,
            "argument": clean(decision.argument),
            "because": clean(decision.because),
            "origin": clean(decision.origin),
        }

        async def write(connection: AsyncConnection) -> bool:
            numbered = {**row, "changed": await next_change(connection)}
            for ordinal in itertools.count(decision.order):
                if await self._kept(connection, {**numbered, "ordinal": ordinal}):
                    return True
                if decision.origin and await _has_decided(connection, decision):
                    break
            return False

        return await self._connections.write(write)

    async def decisions(self) -> Mapping[PreviewKey, tuple[Decision, ...]]:
        return await self._decisions.now()

    async def record_run(self, key: PreviewKey, order: int, run: SuiteRun) -> bool:
        row = {**named(key), "suite": run.suite, "revision": run.revision, "ordinal": order}
        body = run.to_json().decode()
        insert = self._insert(tables.runs).values(**row, body=body).on_conflict_do_nothing()

        async def write(connection: AsyncConnection) -> bool:
            if (await connection.execute(insert.returning(tables.runs.c.id))).first() is None:
                return False
            of_suite = and_(of(tables.runs, key), tables.runs.c.suite == run.suite)
            await prune(connection, tables.runs, of_suite, RUNS)
            return True

        return await self._connections.write(write)

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]:
        of_suite = and_(of(tables.runs, key), tables.runs.c.suite == suite)
        rows = await self._connections.read(
            select(tables.runs.c.body).where(of_suite).order_by(tables.runs.c.id.desc()).limit(max(limit, 0))
        )
        try:
            return tuple(SuiteRun.from_json(row.body.encode()) for row in reversed(rows))
        except ValidationError as error:
            raise Refused(f"the history ({self._place}) holds a run that cannot be read: {error}") from error

    async def end(self, ending: Ending) -> None:
        new = {"because": clean(ending.because), "at": ending.at}
        insert = self._insert(tables.endings)
        await self._upsert(insert, [{**named(ending.key), **new}], tables.endings.c.at <= insert.excluded.at)

    async def endings(self) -> Mapping[PreviewKey, Ending]:
        return await self._endings.now()

    async def said(self) -> Mapping[PreviewKey, Mapping[str, str]]:
        return await self._said.now()

    async def remember_said(self, key: PreviewKey, digests: Mapping[str, str]) -> None:
        rows = [{**named(key), "channel": channel, "digest": digest} for channel, digest in digests.items()]
        if rows:
            await self._upsert(self._insert(tables.said), rows)

    async def keep_deliveries(self, deliveries: Collection[Delivery]) -> frozenset[str]:
        return await self._ledger.keep_deliveries(deliveries)

    async def asked(self) -> Mapping[PreviewKey, tuple[Delivery, ...]]:
        return await self._ledger.asked()

    async def first_seen(self, heads: Mapping[Head, datetime]) -> Mapping[Head, datetime]:
        return await self._ledger.first_seen(heads)

    async def bells(self) -> AsyncIterator[PreviewKey | None]:
        decisions, told = await self.decisions(), await self._ledger.told()
        while True:
            await asyncio.sleep(fold.LISTENS_EVERY.total_seconds())
            decided, decisions = decisions, await self.decisions()
            heard, told = told, await self._ledger.told()
            own = self._ledger.own()
            rings: set[PreviewKey | None] = {*changed(decided, decisions)}
            rings |= {key if key.number else None for key in changed(heard, told) if told[key] not in own}
            for ring in rings:
                yield ring

    def samples(self, probing: Probing) -> SqlSamples:
        """One for each process: it remembers the numbers of probes."""
        return SqlSamples(self._connections, self._insert, probing)

    async def close(self) -> None:
        await self._connections.close()

    async def _kept(self, connection: AsyncConnection, row: Mapping[str, Any]) -> bool:
        statement = self._insert(tables.decisions).values(**row).on_conflict_do_nothing()
        return (await connection.execute(statement.returning(tables.decisions.c.ordinal))).first() is not None

    async def _upsert(
        self, insert: Inserting, rows: Sequence[Mapping[str, Any]], where: ColumnElement[bool] | None = None
    ) -> None:
        async def write(connection: AsyncConnection) -> None:
            change = await next_change(connection)
            await connection.execute(upsert(insert, [{**row, "changed": change} for row in rows], where))

        await self._connections.write(write)

    async def _since(self, table: Table, change: int) -> list[Row[Any]]:
        return await self._connections.read(
            select(table) if change == EVER else select(table).where(table.c.changed > change)
        )


def _add_decisions(
    before: Mapping[PreviewKey, tuple[Decision, ...]], rows: Rows
) -> dict[PreviewKey, tuple[Decision, ...]]:
    new: dict[PreviewKey, list[Decision]] = {}
    for row in rows:
        decision = _decision(row)
        new.setdefault(decision.key, []).append(decision)
    by_order = attrgetter("order")
    return {**before, **{key: tuple(sorted((*before.get(key, ()), *made), key=by_order)) for key, made in new.items()}}


def _add_endings(before: Mapping[PreviewKey, Ending], rows: Rows) -> dict[PreviewKey, Ending]:
    return {**before, **{key_of(row): Ending(key_of(row), row.because, row.at) for row in rows}}


def _add_said(before: Mapping[PreviewKey, Mapping[str, str]], rows: Rows) -> dict[PreviewKey, Mapping[str, str]]:
    new: dict[PreviewKey, dict[str, str]] = {}
    for row in rows:
        new.setdefault(key_of(row), {})[sys.intern(row.channel)] = row.digest
    return {**before, **{key: {**before.get(key, {}), **words} for key, words in new.items()}}


async def _has_decided(connection: AsyncConnection, decision: Decision) -> bool:
    same = and_(of(tables.decisions, decision.key), tables.decisions.c.origin == clean(decision.origin))
    return (await connection.execute(select(tables.decisions.c.ordinal).where(same))).first() is not None


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        key=key_of(row),
        order=row.ordinal,
        verb=known(Verb, row.verb),
        actor=row.actor,
        at=row.at,
        argument=row.argument,
        because=row.because,
        origin=row.origin,
    )
