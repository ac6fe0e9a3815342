"""The tables of samples. The order of their columns is that of their size where PostgreSQL pads."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, Table, Text, UniqueConstraint

from controller.adapters.history.tables import METADATA

names = Table(
    "sample_series",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("probe", Text, nullable=False),
    Column("location", Text, nullable=False),
    UniqueConstraint("probe", "location", name="one_series_of_a_location"),
)

fresh = Table(
    "fresh_samples",
    METADATA,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("late", BigInteger, nullable=False),
    Column("took", BigInteger, nullable=False),
    Column("series", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("message", Text),
)
"""`state` is that of `chunks.Raw`; `message` is null where there is none."""

chunks = Table(
    "sample_chunks",
    METADATA,
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

steps = Table(
    "sample_steps",
    METADATA,
    Column("minutes", SmallInteger, primary_key=True, autoincrement=False),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("total", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("broken", Integer, nullable=False),
    Column("excused", Integer, nullable=False),
    Column("latencies", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""`minutes` is how long the step is: 5, 60 or 1440. `excused` samples are in none of the other columns."""

batches = Table(
    "sample_batches",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("seen", BigInteger),
)
"""What agents delivered. `seen` is when it was first rolled up: the only clock there is here."""
