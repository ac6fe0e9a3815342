"""Tokens, and who changed what with them, in SQL.

tokens   until a year after they were over
audit    for a year of entries, a million at most
"""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.access.model import Entry, Scope, Token
from controller.adapters.history import tables
from controller.adapters.history.connections import Connections
from controller.adapters.history.rows import Hourly, Insert, clean, known, name
from controller.errors import Refused

KEPT = timedelta(days=365)
ENTRIES = 1_000_000
LONGEST = 2_000
"""Characters of any word of an entry: what is asked may be as long as an address can be."""
REMEMBERED = 10_000
"""Tokens of which it is remembered in memory when they were used."""


class SqlAccess:
    """Implements `controller.access.ports.Tokens` and `Audit`; `SqlHistory` has one."""

    def __init__(self, connections: Connections, insert: Insert) -> None:
        self._connections = connections
        self._insert = insert
        self._forgetting = Hourly()
        self._used: dict[str, datetime] = {}

    async def add_token(self, token: Token) -> None:
        """Raises Refused where there is one with that id."""
        table = tables.tokens
        row = {**asdict(token), "id": name(token.id), "name": clean(token.name), "scope": token.scope.value}
        row |= {"digest": clean(token.digest), "created_by": clean(token.created_by)}
        insert = self._insert(table).values(row).on_conflict_do_nothing().returning(table.c.id)
        long_ago = token.created_at - KEPT

        async def write(connection: AsyncConnection) -> bool:
            added = (await connection.execute(insert)).first() is not None
            await connection.execute(
                delete(table).where(or_(table.c.revoked_at < long_ago, table.c.expires_at < long_ago))
            )
            return added

        if not await self._connections.write(write):
            raise Refused(f"there is a token {token.id} already")

    async def token(self, token_id: str) -> Token | None:
        rows = await self._connections.read(select(tables.tokens).where(tables.tokens.c.id == name(token_id)))
        return _token(rows[0]) if rows else None

    async def tokens(self) -> tuple[Token, ...]:
        columns = tables.tokens.c
        rows = await self._connections.read(select(tables.tokens).order_by(columns.created_at, columns.id))
        return tuple(_token(row) for row in rows)

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        columns = tables.tokens.c
        statement = update(tables.tokens).where(columns.id == name(token_id), columns.revoked_at.is_(None))

        async def write(connection: AsyncConnection) -> bool:
            revoked = await connection.execute(statement.values(revoked_at=at).returning(columns.id))
            return revoked.first() is not None

        return await self._connections.write(write)

    async def token_used(self, token_id: str, at: datetime) -> None:
        """Costs a write a minute at most."""
        columns, minute = tables.tokens.c, at.replace(second=0, microsecond=0)
        if token_id in self._used and minute <= self._used[token_id]:
            return
        later = or_(columns.used_at.is_(None), columns.used_at < minute)
        of_token = update(tables.tokens).where(columns.id == name(token_id), later)
        await self._connections.execute(of_token.values(used_at=minute))
        self._used = {**(self._used if len(self._used) < REMEMBERED else {}), token_id: minute}

    async def audit(self, entry: Entry) -> None:
        row = {key: clean(said[:LONGEST]) if isinstance(said, str) else said for key, said in asdict(entry).items()}

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(tables.audit.insert(), row)
            if self._forgetting.is_due():
                await _forget(connection, entry.at)

        await self._connections.write(write)

    async def audited(self, limit: int = 200, before: datetime | None = None) -> tuple[Entry, ...]:
        columns = tables.audit.c
        query = select(tables.audit).order_by(columns.at.desc(), columns.id.desc()).limit(max(limit, 0))
        rows = await self._connections.read(query if before is None else query.where(columns.at < before))
        return tuple(_entry(row) for row in rows)


async def _forget(connection: AsyncConnection, now: datetime) -> None:
    columns = tables.audit.c
    too_many = columns.id <= select(func.max(columns.id) - ENTRIES).scalar_subquery()
    await connection.execute(delete(tables.audit).where(columns.at < now - KEPT))
    await connection.execute(delete(tables.audit).where(too_many))


def _token(row: Row[Any]) -> Token:
    return Token(**{**row._asdict(), "scope": known(Scope, row.scope)})


def _entry(row: Row[Any]) -> Entry:
    said = (row.at, row.actor, row.token, row.method, row.path, row.status, row.address, row.detail)
    return Entry(*said)
