"""What the tables are made of."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Dialect, Integer, MetaData, Text
from sqlalchemy.types import TypeDecorator

METADATA = MetaData()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970: exact, sortable, and the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


def counted() -> Column[int]:
    """The row's number, in the order in which they were written."""
    counter = BigInteger().with_variant(Integer(), "sqlite")
    return Column("id", counter, primary_key=True, autoincrement=True)


def words(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def changed() -> Column[int]:
    """The number of the write, in a table that is folded (`fold.py`)."""
    return Column("changed", BigInteger, nullable=False, server_default="0")
