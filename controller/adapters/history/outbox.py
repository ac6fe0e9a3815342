"""What is to be told, in SQL: a row for each notice and route.

A row waits until it was told or given up, and is kept for 90 days of notices after that, a million rows at most: so
long the same id is not told again. What waits goes to its route in the order in which it was posted, one of an `about`
at a time: nobody hears that something is over before they heard that it began. Whoever is killed between telling and
`told` tells once more.
"""

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, false, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history import tables
from controller.adapters.history.connections import Connections
from controller.adapters.history.rows import Hourly, Insert, clean, known, name, next_change
from controller.common.notices import Notice, Outgoing, Severity, Status

KEPT = timedelta(days=90)
MOST = 1_000_000
SHOWN = timedelta(days=7)
"""How long `undelivered` tells of what was given up."""
_COLUMNS = tables.outbox.c
_WAITS = _COLUMNS.over_at.is_(None)


class SqlOutbox:
    """Implements `controller.ports.Outbox`; `SqlHistory` has one. `clock` says when something was given up."""

    def __init__(
        self, connections: Connections, insert: Insert, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._connections = connections
        self._insert = insert
        self._clock = clock
        self._forgetting = Hourly()

    async def post(self, notices: Collection[Notice], routes: Collection[str]) -> None:
        """Two that post at once take turns: rows are numbered in the order in which they can be seen."""
        rows = [{**_row(notice), "route": name(route)} for notice in notices for route in routes]
        if not rows:
            return

        async def write(connection: AsyncConnection) -> None:
            await next_change(connection)
            await connection.execute(self._insert(tables.outbox).on_conflict_do_nothing(), rows)
            if self._forgetting.is_due():
                await connection.execute(delete(tables.outbox).where(_too_old(max(row["at"] for row in rows))))

        await self._connections.write(write)

    async def waiting(self, now: datetime, limit: int = 100) -> tuple[Outgoing, ...]:
        first = select(func.min(_COLUMNS.id)).where(_WAITS).group_by(_COLUMNS.about, _COLUMNS.route)
        due = or_(_COLUMNS.again_at.is_(None), _COLUMNS.again_at <= now)
        turn = func.row_number().over(partition_by=_COLUMNS.route, order_by=_COLUMNS.id).label("turn")
        ranked = select(_COLUMNS.id, turn).where(_COLUMNS.id.in_(first), due).subquery()
        next_ones = select(ranked.c.id).where(ranked.c.turn <= limit)
        query = select(tables.outbox).where(_COLUMNS.id.in_(next_ones)).order_by(_COLUMNS.id)
        return tuple(_outgoing(row) for row in await self._connections.read(query))

    async def told(self, outgoing: Outgoing, at: datetime) -> None:
        over = update(tables.outbox).where(_of(outgoing)).values(over_at=at, given_up=False, again_at=None)
        await self._connections.execute(over)

    async def failed(self, outgoing: Outgoing, why: str, again_at: datetime | None) -> None:
        """Nothing comes of it where somebody else has told it meanwhile."""
        tried = update(tables.outbox).where(_of(outgoing), _WAITS)
        tried = tried.values(attempts=_COLUMNS.attempts + 1, why=clean(why), again_at=again_at)
        given_up = {"given_up": True, "over_at": self._clock()} if again_at is None else {}
        await self._connections.execute(tried.values(given_up))

    async def undelivered(self) -> tuple[Outgoing, ...]:
        lately = and_(_COLUMNS.given_up == true(), _COLUMNS.over_at > self._clock() - SHOWN)
        still = and_(_COLUMNS.given_up == false(), _WAITS)
        rows = await self._connections.read(select(tables.outbox).where(or_(still, lately)))
        return tuple(_outgoing(row) for row in sorted(rows, key=attrgetter("id")))


def _of(outgoing: Outgoing) -> ColumnElement[bool]:
    return and_(_COLUMNS.notice == name(outgoing.notice.id), _COLUMNS.route == name(outgoing.route))


def _too_old(now: datetime) -> ColumnElement[bool]:
    too_many = _COLUMNS.id <= select(func.max(_COLUMNS.id) - MOST).scalar_subquery()
    return and_(or_(_COLUMNS.at < now - KEPT, too_many), ~_WAITS)


def _row(notice: Notice) -> dict[str, Any]:
    """Without its route."""
    labels = {clean(label): clean(value) for label, value in notice.labels.items()}
    return {
        "notice": name(notice.id),
        "at": notice.at,
        "severity": notice.severity.value,
        "status": notice.status.value,
        "about": name(notice.about),
        "title": clean(notice.title),
        "text": clean(notice.text),
        "link": clean(notice.link),
        "labels": json.dumps(labels),
        "routes": json.dumps([clean(route) for route in notice.routes]),
    }


def _outgoing(row: Row[Any]) -> Outgoing:
    severity, status = known(Severity, row.severity), known(Status, row.status)
    words = (row.about, row.title, row.text, row.link)
    notice = Notice(row.notice, row.at, severity, status, *words, json.loads(row.labels), tuple(json.loads(row.routes)))
    return Outgoing(notice, row.route, row.attempts, row.again_at, row.why, row.given_up)
