"""What is kept of alarms, and what is to be told."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, UniqueConstraint, text

from controller.adapters.history.tables.base import METADATA, Moment, counted, words

_WAITS = text("over_at IS NULL")

outbox = Table(
    "outbox",
    METADATA,
    counted(),
    *words("notice", "route"),
    Column("at", Moment, nullable=False),
    *words("severity", "status", "about", "title", "text", "link", "labels", "routes"),
    Column("attempts", BigInteger, nullable=False, server_default="0"),
    Column("again_at", Moment),
    Column("why", Text, nullable=False, server_default=""),
    Column("over_at", Moment),
    Column("given_up", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("notice", "route", name="a_notice_goes_once_to_a_route"),
    Index("outbox_that_waits", "about", "route", "id", sqlite_where=_WAITS, postgresql_where=_WAITS),
    Index("outbox_that_is_over", "given_up", "over_at"),
    Index("outbox_at", "at"),
)
"""`labels` and `routes` are JSON. `over_at`: when it was told or given up; it waits while that is NULL."""

healths = Table(
    "healths",
    METADATA,
    Column("probe", Text, primary_key=True),
    Column("alarm", Text, primary_key=True),
    Column("firing_since", Moment),
    Column("told_at", Moment),
    *words("because", "suspect"),
)

incidents = Table(
    "incidents",
    METADATA,
    Column("probe", Text, primary_key=True),
    Column("alarm", Text, primary_key=True),
    Column("began", Moment, primary_key=True, autoincrement=False),
    Column("ended", Moment),
    *words("because", "suspect"),
    Index("incidents_of_probe", "probe", "began"),
    Index("incidents_ended", "ended"),
)

silences = Table(
    "silences",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("probe", Text, nullable=False),
    Column("begins", Moment, nullable=False),
    Column("ends", Moment, nullable=False),
    *words("actor", "because"),
    Index("silences_ends", "ends"),
)
