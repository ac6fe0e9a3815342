"""The tables. Whatever changes here comes with a migration: a test holds the two together."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Dialect, Index, Integer, MetaData, Table, Text, UniqueConstraint, text
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


_COUNTER = BigInteger().with_variant(Integer(), "sqlite")

changes = Table(
    "changes",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("latest", BigInteger, nullable=False),
)
"""One row: the number of the latest write to a table that is folded (`fold.py`)."""


def _changed() -> Column[int]:
    return Column("changed", BigInteger, nullable=False, server_default="0")


events = Table(
    "events",
    METADATA,
    Column("id", _COUNTER, primary_key=True, autoincrement=True),
    Column("repo", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Index("events_of_preview", "repo", "number", "id"),
)

decisions = Table(
    "decisions",
    METADATA,
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("repo", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("verb", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("argument", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("origin", Text, nullable=False),
    _changed(),
    Index("decisions_changed", "changed"),
    Index(
        "one_decision_of_an_origin",
        "repo",
        "number",
        "origin",
        unique=True,
        sqlite_where=text("origin <> ''"),
        postgresql_where=text("origin <> ''"),
    ),
)

runs = Table(
    "runs",
    METADATA,
    Column("id", _COUNTER, primary_key=True, autoincrement=True),
    Column("repo", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("suite", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("repo", "number", "suite", "revision", "ordinal", name="one_run_of_an_order"),
)

endings = Table(
    "endings",
    METADATA,
    Column("repo", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("because", Text, nullable=False),
    Column("at", Moment, nullable=False),
    _changed(),
    Index("endings_changed", "changed"),
)

said = Table(
    "said",
    METADATA,
    Column("repo", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    _changed(),
    Index("said_changed", "changed"),
)

deliveries = Table(
    "deliveries",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("repo", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("asks", Text, nullable=False),
    Column("actor", Text, nullable=False),
    _changed(),
    Index("deliveries_changed", "changed"),
    Index("deliveries_at", "at"),
)
"""`number` is 0 where the delivery is about no pull request in particular."""

heads = Table(
    "heads",
    METADATA,
    Column("id", _COUNTER, primary_key=True, autoincrement=True),
    Column("repo", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("revision", Text, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("repo", "number", "revision", name="a_head_is_seen_first_once"),
)
