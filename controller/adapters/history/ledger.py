"""What a forge says once, and when each revision was first seen, in SQL.

Deliveries take numbers as the other folded tables do (`fold.py`), one for each write. A controller knows the numbers of
its own writes, so that it hears of the others' only.
"""

from collections import deque
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import Delete, Row, Select, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history import tables
from controller.adapters.history.connections import Connections
from controller.adapters.history.fold import EVER, Fold, Rows
from controller.adapters.history.rows import Hourly, Insert, clean, key_of, named, next_change
from controller.common.nouns import PreviewKey
from controller.previews.model import Delivery

DELIVERIES = timedelta(days=7)
"""How long deliveries are kept. GitHub can be told to deliver one again for three days."""
HEADS = 20
"""Revisions kept of one pull request; older ones go."""
REMEMBERED = 20_000
"""Moments of heads kept in memory: a round asks for the same ones again."""
OWN = 1_000
"""Numbers of own writes kept in memory: many more than are made between two looks."""
AT_ONCE = 500
"""Rows of one statement; SQLite takes 32,766 values."""
Head = tuple[PreviewKey, str]


class SqlLedger:
    """Implements `controller.ports.Ledger`; `SqlHistory` has one."""

    def __init__(self, connections: Connections, insert: Insert) -> None:
        self._connections = connections
        self._insert = insert
        self._asked = Fold(self._asked_since, _add_asked)
        self._told = Fold(self._told_since, _add_told)
        self._own: deque[int] = deque(maxlen=OWN)
        self._heads: dict[Head, datetime] = {}
        self._forgetting = Hourly()

    async def keep_deliveries(self, deliveries: Collection[Delivery]) -> frozenset[str]:
        if not deliveries:
            return frozenset()
        by_kept = {clean(delivery.id): delivery for delivery in deliveries}
        rows = [_delivery_row(delivery) for _, delivery in sorted(by_kept.items())]
        statement = self._insert(tables.deliveries).on_conflict_do_nothing().returning(tables.deliveries.c.id)

        async def write(connection: AsyncConnection) -> tuple[int, set[str]]:
            change = await next_change(connection)
            kept = await connection.execute(statement, [{**row, "changed": change} for row in rows])
            new = {row.id for row in kept}
            await self._forget(connection, max(delivery.at for delivery in deliveries))
            return change, new

        change, new = await self._connections.write(write)
        self._own.append(change)
        return frozenset(by_kept[kept].id for kept in new)

    async def asked(self) -> Mapping[PreviewKey, tuple[Delivery, ...]]:
        return await self._asked.now()

    async def told(self) -> Mapping[PreviewKey, int]:
        """Number of the latest write of deliveries about each pull request; about none in particular: number 0."""
        return await self._told.now()

    def own(self) -> frozenset[int]:
        """Numbers of the latest writes of this very controller."""
        return frozenset(self._own)

    async def first_seen(self, heads: Mapping[Head, datetime]) -> Mapping[Head, datetime]:
        known = {head: self._heads[head] for head in heads if head in self._heads}
        new = [head for head in heads if head not in known]
        for start in range(0, len(new), AT_ONCE):
            known |= await self._first_seen({head: heads[head] for head in new[start : start + AT_ONCE]})
        self._heads = {**(self._heads if len(self._heads) < REMEMBERED else {}), **known}
        return known

    async def _first_seen(self, heads: Mapping[Head, datetime]) -> dict[Head, datetime]:
        """Rows go in one order everywhere: two controllers that insert the same ones wait, and never for each other."""
        by_kept = {(clean(key.repo), key.number, clean(revision)): (key, revision) for key, revision in heads}
        columns = tables.heads.c.repo, tables.heads.c.number, tables.heads.c.revision
        rows = [
            {"repo": repo, "number": number, "revision": revision, "at": heads[head]}
            for (repo, number, revision), head in sorted(by_kept.items())
        ]
        insert = self._insert(tables.heads).on_conflict_do_nothing().returning(*columns[:2])
        query = select(tables.heads).where(tuple_(*columns).in_(list(by_kept)))

        async def write(connection: AsyncConnection) -> list[Row[Any]]:
            grown = {(row.repo, row.number) for row in await connection.execute(insert, rows)}
            found = list((await connection.execute(query)).all())
            await connection.execute(_surplus_of(grown))
            return found

        found = await self._connections.write(write)
        return {by_kept[row.repo, row.number, row.revision]: row.at for row in found}

    async def _forget(self, connection: AsyncConnection, now: datetime) -> None:
        if self._forgetting.is_due():
            await connection.execute(delete(tables.deliveries).where(tables.deliveries.c.at < now - DELIVERIES))

    async def _asked_since(self, change: int) -> list[Row[Any]]:
        table = tables.deliveries
        wanted = select(table).where(table.c.asks != "", table.c.number > 0)
        return await self._connections.read(_since(wanted, change))

    async def _told_since(self, change: int) -> list[Row[Any]]:
        columns = tables.deliveries.c
        latest = select(columns.repo, columns.number, func.max(columns.changed).label("changed"))
        return await self._connections.read(_since(latest, change).group_by(columns.repo, columns.number))


def _surplus_of(pulls: Collection[tuple[str, int]]) -> Delete:
    """Deletes all but the latest heads of these pull requests."""
    columns = tables.heads.c
    of_pull = columns.repo, columns.number
    rank = func.row_number().over(partition_by=of_pull, order_by=columns.id.desc()).label("rank")
    ranked = select(columns.id, rank).where(tuple_(*of_pull).in_(list(pulls))).subquery()
    return delete(tables.heads).where(columns.id.in_(select(ranked.c.id).where(ranked.c.rank > HEADS)))


def _since(query: Select[Any], change: int) -> Select[Any]:
    return query if change == EVER else query.where(tables.deliveries.c.changed > change)


def _add_asked(known: Mapping[PreviewKey, tuple[Delivery, ...]], rows: Rows) -> dict[PreviewKey, tuple[Delivery, ...]]:
    new: dict[PreviewKey, list[Delivery]] = {}
    for row in rows:
        new.setdefault(key_of(row), []).append(_delivery(row))
    by_age = attrgetter("at", "id")
    return {**known, **{key: tuple(sorted((*known.get(key, ()), *asked), key=by_age)) for key, asked in new.items()}}


def _add_told(known: Mapping[PreviewKey, int], rows: Rows) -> dict[PreviewKey, int]:
    return {**known, **{key_of(row): row.changed for row in rows}}


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        **named(delivery.key or PreviewKey(delivery.repo, 0)),
        "id": clean(delivery.id),
        "at": delivery.at,
        "event": clean(delivery.event),
        "asks": clean(delivery.asks),
        "actor": clean(delivery.actor),
    }


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(row.id, row.at, row.event, row.repo, key_of(row), row.asks, row.actor)
