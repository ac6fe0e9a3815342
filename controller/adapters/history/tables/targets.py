"""What is kept of targets."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, UniqueConstraint, text

from controller.adapters.history.tables.base import METADATA, Moment, changed, counted, words

target_events = Table(
    "target_events",
    METADATA,
    counted(),
    Column("target", Text, nullable=False),
    Column("at", Moment, nullable=False),
    *words("kind", "text", "actor"),
    Column("release", BigInteger, nullable=False),
    Index("target_events_of_target", "target", "id"),
)

_SOMEWHERE = text("origin <> ''")

target_decisions = Table(
    "target_decisions",
    METADATA,
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    *words("target", "verb", "actor"),
    Column("at", Moment, nullable=False),
    Column("because", Text, nullable=False),
    Column("to", BigInteger, nullable=False),
    Column("force", Boolean, nullable=False),
    Column("origin", Text, nullable=False),
    changed(),
    Index("target_decisions_changed", "changed"),
    Index("target_decisions_of_verb", "target", "verb", "ordinal"),
    Index(
        "one_target_decision_of_an_origin",
        "target",
        "origin",
        unique=True,
        sqlite_where=_SOMEWHERE,
        postgresql_where=_SOMEWHERE,
    ),
)

deeds = Table(
    "deeds",
    METADATA,
    Column("target", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *words("revision", "title", "actor"),
    Column("committed_at", Moment, nullable=False),
    Column("ordered_at", Moment, nullable=False),
    Column("live_at", Moment),
    Column("verdict", Text, nullable=False),
    Column("decided_at", Moment),
    Column("why", Text, nullable=False),
    Column("restored_at", Moment),
    Index("deeds_of_target", "target", "ordered_at"),
)

target_runs = Table(
    "target_runs",
    METADATA,
    counted(),
    Column("target", Text, nullable=False),
    Column("release", BigInteger, nullable=False),
    *words("suite", "revision"),
    Column("ordinal", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("target", "release", "suite", "revision", "ordinal", name="one_target_run_of_an_order"),
    Index("target_runs_of_target", "target", "id"),
)

target_said = Table(
    "target_said",
    METADATA,
    Column("target", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    changed(),
    Index("target_said_changed", "changed"),
)
