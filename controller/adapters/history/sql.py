"""What happened, in SQL. Every write begins with the statement that writes, so that SQLite never has to upgrade a lock.

What a round reads of it is folded: a look costs what was written since the last one, in this process or another.
Text comes from anywhere: what a database cannot keep (NUL, half a surrogate) is replaced before it gets there.
"""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from operator import attrgetter
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Row, Table, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from controller.adapters.history import tables
from controller.adapters.history.connections import Connections
from controller.adapters.history.fold import EVER, Fold, Rows
from controller.errors import Refused
from controller.previews.model import Decision, Ending, Event, PreviewKey, Verb
from smoke.model import SuiteRun

TIMELINE = 1000
"""Events kept of one preview; older ones go."""
LISTENS_EVERY = timedelta(seconds=1)
RUNS = 200
"""Runs kept of one suite of one preview."""


class SqlHistory:
    """Implements `controller.ports.History`. Made by `open_history`."""

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        self._place = place
        self._connections = Connections(engine, place)
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._decisions = Fold(partial(self._since, tables.decisions), _add_decisions)
        self._endings = Fold(partial(self._since, tables.endings), _add_endings)
        self._said = Fold(partial(self._since, tables.said), _add_said)

    async def record(self, events: Collection[Event]) -> None:
        if not events:
            return
        rows = [
            {
                **_named(event.key),
                "at": event.at,
                "kind": _clean(event.kind),
                "text": _clean(event.text),
                "actor": _clean(event.actor),
                "revision": _clean(event.revision),
            }
            for event in events
        ]

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(tables.events.insert(), rows)
            for key in {event.key for event in events}:
                await _prune(connection, tables.events, _of(tables.events, key), TIMELINE)

        await self._connections.write(write)

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]:
        query = (
            select(tables.events)
            .where(_of(tables.events, key))
            .order_by(tables.events.c.id.desc())
            .limit(max(limit, 0))
        )
        return tuple(
            Event(_key(row), row.at, row.kind, row.text, row.actor, row.revision)
            for row in reversed(await self._connections.read(query))
        )

    async def decide(self, decision: Decision) -> bool:
        row = {
            **_named(decision.key),
            "verb": decision.verb.value,
            "actor": _clean(decision.actor),
            "at": decision.at,
            "argument": _clean(decision.argument),
            "because": _clean(decision.because),
            "origin": _clean(decision.origin),
        }

        async def write(connection: AsyncConnection) -> bool:
            numbered = {**row, "changed": await _next_change(connection)}
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
        row = {**_named(key), "suite": run.suite, "revision": run.revision, "ordinal": order}
        body = run.to_json().decode()
        insert = self._insert(tables.runs).values(**row, body=body).on_conflict_do_nothing()

        async def write(connection: AsyncConnection) -> bool:
            if (await connection.execute(insert.returning(tables.runs.c.id))).first() is None:
                return False
            of = and_(_of(tables.runs, key), tables.runs.c.suite == run.suite)
            await _prune(connection, tables.runs, of, RUNS)
            return True

        return await self._connections.write(write)

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]:
        of = and_(_of(tables.runs, key), tables.runs.c.suite == suite)
        rows = await self._connections.read(
            select(tables.runs.c.body).where(of).order_by(tables.runs.c.id.desc()).limit(max(limit, 0))
        )
        try:
            return tuple(SuiteRun.from_json(row.body.encode()) for row in reversed(rows))
        except ValidationError as error:
            raise Refused(f"the history ({self._place}) holds a run that cannot be read: {error}") from error

    async def end(self, ending: Ending) -> None:
        new = {"because": _clean(ending.because), "at": ending.at}
        insert = self._insert(tables.endings)
        await self._upsert(insert, [{**_named(ending.key), **new}], tables.endings.c.at <= insert.excluded.at)

    async def endings(self) -> Mapping[PreviewKey, Ending]:
        return await self._endings.now()

    async def said(self) -> Mapping[PreviewKey, Mapping[str, str]]:
        return await self._said.now()

    async def remember_said(self, key: PreviewKey, digests: Mapping[str, str]) -> None:
        rows = [{**_named(key), "channel": channel, "digest": digest} for channel, digest in digests.items()]
        if rows:
            await self._upsert(self._insert(tables.said), rows)

    async def bells(self) -> AsyncIterator[PreviewKey | None]:
        known = await self.decisions()
        while True:
            await asyncio.sleep(LISTENS_EVERY.total_seconds())
            before, known = known, await self.decisions()
            if known is not before:
                for key in [key for key, made in known.items() if made != before.get(key)]:
                    yield key

    async def close(self) -> None:
        await self._connections.close()

    async def _kept(self, connection: AsyncConnection, row: Mapping[str, Any]) -> bool:
        statement = self._insert(tables.decisions).values(**row).on_conflict_do_nothing()
        return (await connection.execute(statement.returning(tables.decisions.c.ordinal))).first() is not None

    async def _upsert(
        self,
        insert: postgresql.Insert | sqlite.Insert,
        rows: Sequence[Mapping[str, Any]],
        where: ColumnElement[bool] | None = None,
    ) -> None:
        at = [column.name for column in insert.table.primary_key]
        new = {column.name: column for column in insert.excluded if column.name not in at}

        async def write(connection: AsyncConnection) -> None:
            changed = await _next_change(connection)
            statement = insert.values([{**row, "changed": changed} for row in rows])
            await connection.execute(statement.on_conflict_do_update(index_elements=at, set_=new, where=where))

        await self._connections.write(write)

    async def _since(self, table: Table, change: int) -> list[Row[Any]]:
        return await self._connections.read(
            select(table) if change == EVER else select(table).where(table.c.changed > change)
        )


async def _next_change(connection: AsyncConnection) -> int:
    """Numbers the write that follows. Others wait for this one to be committed: see `fold.py`."""
    step = update(tables.changes).values(latest=tables.changes.c.latest + 1).returning(tables.changes.c.latest)
    return int((await connection.execute(step)).scalar_one())


def _add_decisions(
    known: Mapping[PreviewKey, tuple[Decision, ...]], rows: Rows
) -> dict[PreviewKey, tuple[Decision, ...]]:
    new: dict[PreviewKey, list[Decision]] = {}
    for row in rows:
        decision = _decision(row)
        new.setdefault(decision.key, []).append(decision)
    by_order = attrgetter("order")
    return {**known, **{key: tuple(sorted((*known.get(key, ()), *made), key=by_order)) for key, made in new.items()}}


def _add_endings(known: Mapping[PreviewKey, Ending], rows: Rows) -> dict[PreviewKey, Ending]:
    return {**known, **{_key(row): Ending(_key(row), row.because, row.at) for row in rows}}


def _add_said(known: Mapping[PreviewKey, Mapping[str, str]], rows: Rows) -> dict[PreviewKey, Mapping[str, str]]:
    new: dict[PreviewKey, dict[str, str]] = {}
    for row in rows:
        new.setdefault(_key(row), {})[sys.intern(row.channel)] = row.digest
    return {**known, **{key: {**known.get(key, {}), **words} for key, words in new.items()}}


async def _has_decided(connection: AsyncConnection, decision: Decision) -> bool:
    same = and_(_of(tables.decisions, decision.key), tables.decisions.c.origin == _clean(decision.origin))
    return (await connection.execute(select(tables.decisions.c.ordinal).where(same))).first() is not None


async def _prune(connection: AsyncConnection, table: Table, of: ColumnElement[bool], keep: int) -> None:
    oldest = select(table.c.id).where(of).order_by(table.c.id.desc()).offset(keep).limit(1).scalar_subquery()
    await connection.execute(delete(table).where(of, table.c.id <= oldest))


def _of(table: Table, key: PreviewKey) -> ColumnElement[bool]:
    return and_(table.c.repo == _clean(key.repo), table.c.number == key.number)


def _named(key: PreviewKey) -> dict[str, str | int]:
    return {"repo": _clean(key.repo), "number": key.number}


def _key(row: Row[Any]) -> PreviewKey:
    return PreviewKey(row.repo, row.number)


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        key=_key(row),
        order=row.ordinal,
        verb=_verb(row.verb),
        actor=row.actor,
        at=row.at,
        argument=row.argument,
        because=row.because,
        origin=row.origin,
    )


def _verb(text: str) -> Verb:
    try:
        return Verb(text)
    except ValueError as error:
        raise Refused(f"the history holds the decision {text!r}, which this version of Mayfly does not know") from error


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
