"""What every table's rows have in common: whose they are, text that any database keeps, and the number of a write."""

from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history import tables
from controller.common.nouns import PreviewKey


def clean(text: str) -> str:
    """Without what a database cannot keep: NUL, half a surrogate."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def named(key: PreviewKey) -> dict[str, str | int]:
    return {"repo": clean(key.repo), "number": key.number}


def key_of(row: Row[Any]) -> PreviewKey:
    return PreviewKey(row.repo, row.number)


def of(table: Table, key: PreviewKey) -> ColumnElement[bool]:
    return and_(table.c.repo == clean(key.repo), table.c.number == key.number)


async def next_change(connection: AsyncConnection) -> int:
    """Numbers the write that follows. Others wait for this one to be committed: see `fold.py`."""
    step = update(tables.changes).values(latest=tables.changes.c.latest + 1).returning(tables.changes.c.latest)
    return int((await connection.execute(step)).scalar_one())


async def prune(connection: AsyncConnection, table: Table, of: ColumnElement[bool], keep: int) -> None:
    """Leaves the latest `keep`, by `id`."""
    oldest = select(table.c.id).where(of).order_by(table.c.id.desc()).offset(keep).limit(1).scalar_subquery()
    await connection.execute(delete(table).where(of, table.c.id <= oldest))
