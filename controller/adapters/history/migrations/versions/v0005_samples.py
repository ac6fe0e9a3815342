"""Samples of probes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "sample_series",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("probe", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.UniqueConstraint("probe", "location", name="one_series_of_a_location"),
    )
    op.create_table(
        "fresh_samples",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in ("at", "late", "took")],
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("message", sa.Text),
    )
    op.create_table(
        "sample_chunks",
        *[sa.Column(name, sa.Integer, primary_key=True, autoincrement=False) for name in ("step", "series")],
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sample_steps",
        sa.Column("minutes", sa.SmallInteger, primary_key=True, autoincrement=False),
        *[sa.Column(name, sa.Integer, primary_key=True, autoincrement=False) for name in ("step", "series")],
        *[sa.Column(name, sa.Integer, nullable=False) for name in ("total", "failed", "broken", "excused")],
        sa.Column("latencies", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table("sample_batches", sa.Column("id", sa.Text, primary_key=True), sa.Column("seen", sa.BigInteger))
