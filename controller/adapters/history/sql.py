"""What happened, in SQL. Every write begins with the statement that writes, so that SQLite never has to upgrade a lock.

Text comes from anywhere: what a database cannot keep (NUL, half a surrogate) is replaced before it gets there.
"""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Row, Select, Table, and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from controller.adapters.history import tables
from controller.adapters.history.failures import explained
from controller.errors import Refused
from controller.previews.model import Decision, Ending, Event, PreviewKey, Verb
from smoke.model import SuiteRun

TIMELINE = 1000
"""Events kept of one preview; older ones go."""
RUNS = 200
"""Runs kept of one suite of one preview."""


class SqlHistory:
    """Implements `controller.ports.History`. Made by `open_history`."""

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        self._engine = engine
        self._place = place
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

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
        with explained(self._place):
            async with self._engine.begin() as connection:
                await connection.execute(tables.events.insert(), rows)
                for key in {event.key for event in events}:
                    await _prune(connection, tables.events, _of(tables.events, key), TIMELINE)

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]:
        query = (
            select(tables.events)
            .where(_of(tables.events, key))
            .order_by(tables.events.c.id.desc())
            .limit(max(limit, 0))
        )
        return tuple(
            Event(_key(row), row.at, row.kind, row.text, row.actor, row.revision)
            for row in reversed(await self._rows(query))
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
        ordinal = decision.order
        with explained(self._place):
            async with self._engine.begin() as connection:
                while not await self._kept(connection, {**row, "ordinal": ordinal}):
                    if decision.origin and await _has_decided(connection, decision):
                        return False
                    ordinal += 1
        return True

    async def decisions(self) -> Mapping[PreviewKey, tuple[Decision, ...]]:
        found: dict[PreviewKey, list[Decision]] = {}
        for row in await self._rows(select(tables.decisions).order_by(tables.decisions.c.ordinal)):
            decision = Decision(
                key=_key(row),
                order=row.ordinal,
                verb=_verb(row.verb),
                actor=row.actor,
                at=row.at,
                argument=row.argument,
                because=row.because,
                origin=row.origin,
            )
            found.setdefault(decision.key, []).append(decision)
        return {key: tuple(made) for key, made in found.items()}

    async def record_run(self, key: PreviewKey, order: int, run: SuiteRun) -> bool:
        row = {**_named(key), "suite": run.suite, "revision": run.revision, "ordinal": order}
        body = run.to_json().decode()
        with explained(self._place):
            async with self._engine.begin() as connection:
                statement = self._insert(tables.runs).values(**row, body=body).on_conflict_do_nothing()
                is_new = (await connection.execute(statement.returning(tables.runs.c.id))).first() is not None
                await _prune(
                    connection, tables.runs, and_(_of(tables.runs, key), tables.runs.c.suite == run.suite), RUNS
                )
        return is_new

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]:
        of = and_(_of(tables.runs, key), tables.runs.c.suite == suite)
        rows = await self._rows(
            select(tables.runs.c.body).where(of).order_by(tables.runs.c.id.desc()).limit(max(limit, 0))
        )
        try:
            return tuple(SuiteRun.from_json(row.body.encode()) for row in reversed(rows))
        except ValidationError as error:
            raise Refused(f"the history ({self._place}) holds a run that cannot be read: {error}") from error

    async def end(self, ending: Ending) -> None:
        new = {"because": _clean(ending.because), "at": ending.at}
        insert = self._insert(tables.endings).values(**_named(ending.key), **new)
        later = tables.endings.c.at <= insert.excluded.at
        await self._write(insert.on_conflict_do_update(index_elements=["repo", "number"], set_=new, where=later))

    async def endings(self) -> Mapping[PreviewKey, Ending]:
        rows = await self._rows(select(tables.endings))
        return {_key(row): Ending(_key(row), row.because, row.at) for row in rows}

    async def said(self) -> Mapping[PreviewKey, Mapping[str, str]]:
        found: dict[PreviewKey, dict[str, str]] = {}
        for row in await self._rows(select(tables.said)):
            found.setdefault(_key(row), {})[row.channel] = row.digest
        return found

    async def remember_said(self, key: PreviewKey, channel: str, digest: str) -> None:
        insert = self._insert(tables.said).values(**_named(key), channel=channel, digest=digest)
        names = ["repo", "number", "channel"]
        await self._write(insert.on_conflict_do_update(index_elements=names, set_={"digest": digest}))

    async def close(self) -> None:
        await self._engine.dispose()

    async def _kept(self, connection: AsyncConnection, row: Mapping[str, Any]) -> bool:
        statement = self._insert(tables.decisions).values(**row).on_conflict_do_nothing()
        return (await connection.execute(statement.returning(tables.decisions.c.ordinal))).first() is not None

    async def _write(self, statement: postgresql.Insert | sqlite.Insert) -> None:
        with explained(self._place):
            async with self._engine.begin() as connection:
                await connection.execute(statement)

    async def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with explained(self._place):
            async with self._engine.connect() as connection:
                return list((await connection.execute(query)).all())


async def _has_decided(connection: AsyncConnection, decision: Decision) -> bool:
    same = and_(_of(tables.decisions, decision.key), tables.decisions.c.origin == _clean(decision.origin))
    return (await connection.execute(select(tables.decisions.c.ordinal).where(same))).first() is not None


async def _prune(connection: AsyncConnection, table: Table, of: ColumnElement[bool], keep: int) -> None:
    oldest = select(table.c.id).where(of).order_by(table.c.id.desc()).offset(keep).limit(1).scalar_subquery()
    await connection.execute(delete(table).where(of, table.c.id <= oldest))


def _of(table: Table, key: PreviewKey) -> ColumnElement[bool]:
    return and_(table.c.repo == _clean(key.repo), table.c.number == key.number)


def _of_suite(key: PreviewKey, suite: str) -> ColumnElement[bool]:
    return and_(_of(tables.runs, key), tables.runs.c.suite == suite)


def _named(key: PreviewKey) -> dict[str, str | int]:
    return {"repo": _clean(key.repo), "number": key.number}


def _key(row: Row[Any]) -> PreviewKey:
    return PreviewKey(row.repo, row.number)


def _verb(text: str) -> Verb:
    try:
        return Verb(text)
    except ValueError as error:
        raise Refused(f"the history holds the decision {text!r}, which this version of Mayfly does not know") from error


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
