"""What is kept of previews, and the counter of writes."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint, text

from controller.adapters.history.tables.base import METADATA, Moment, changed, counted

changes = Table(
    "changes",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("latest", BigInteger, nullable=False),
)
"""One row: the number of the latest write to a table that is folded (`fold.py`)."""

events = Table(
    "events",
    METADATA,
    counted(),
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
    changed(),
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
    counted(),
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
    changed(),
    Index("endings_changed", "changed"),
)

said = Table(
    "said",
    METADATA,
    Column("repo", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    changed(),
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
    changed(),
    Index("deliveries_changed", "changed"),
    Index("deliveries_at", "at"),
)
"""`number` is 0 where the delivery is about no pull request in particular."""

heads = Table(
    "heads",
    METADATA,
    counted(),
    Column("repo", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("revision", Text, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("repo", "number", "revision", name="a_head_is_seen_first_once"),
)
