"""What every table's rows have in common: whose they are, text that any database keeps, and the number of a write."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Row, Table, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history import tables
from controller.common.nouns import PreviewKey
from controller.errors import Refused

Word = TypeVar("Word", bound=StrEnum)
Inserting = postgresql.Insert | sqlite.Insert
Insert = Callable[[Table], Inserting]
"""That of the database behind: both know conflicts."""
NAME = 200
"""Characters of what is looked up by an index: PostgreSQL takes 2,704 bytes of an entry, all its columns together."""
FORGETS_EVERY = timedelta(hours=1)


def clean(text: str) -> str:
    """Without what a database cannot keep: NUL, half a surrogate."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def name(text: str) -> str:
    """The same for what is looked up by an index: of a longer one its beginning and its digest, so that two differ."""
    kept = clean(text)
    return kept if len(kept) <= NAME else f"{kept[: NAME - 65]}…{hashlib.sha256(kept.encode()).hexdigest()}"


def known(words: type[Word], text: str) -> Word:
    """Raises Refused where a later version of Mayfly wrote it."""
    try:
        return words(text)
    except ValueError as error:
        what = f"the {words.__name__.lower()} {text!r}"
        raise Refused(f"the history holds {what}, which this version of Mayfly does not know") from error


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


def upsert(insert: Inserting, rows: Sequence[Mapping[str, Any]], where: ColumnElement[bool] | None = None) -> Inserting:
    """In place of the rows with the same primary key, where those are as `where` says."""
    at = [column.name for column in insert.table.primary_key]
    new = {column.name: column for column in insert.excluded if column.name in rows[0] and column.name not in at}
    return insert.values(rows).on_conflict_do_update(index_elements=at, set_=new, where=where)


async def prune(
    connection: AsyncConnection, table: Table, of: ColumnElement[bool], keep: int, by: Column[Any] | None = None
) -> None:
    """Leaves the latest `keep`, by `id` or another column, and those that are as late as the last of them."""
    age = table.c.id if by is None else by
    last = select(age).where(of).order_by(age.desc()).offset(keep - 1).limit(1).scalar_subquery()
    await connection.execute(delete(table).where(of, age < last))


class Hourly:
    """When what is too old is to be forgotten: at the first time, and an hour after the last."""

    def __init__(self) -> None:
        self._again_at = 0.0

    def is_due(self) -> bool:
        time = asyncio.get_running_loop().time()
        if time < self._again_at:
            return False
        self._again_at = time + FORGETS_EVERY.total_seconds()
        return True
