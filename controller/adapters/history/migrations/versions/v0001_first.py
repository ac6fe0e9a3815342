"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "events",
        sa.Column("id", counter, primary_key=True, autoincrement=True),
        sa.Column("repo", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        *[sa.Column(name, sa.Text, nullable=False) for name in ("kind", "text", "actor", "revision")],
    )
    op.create_index("events_of_preview", "events", ["repo", "number", "id"])
    op.create_table(
        "decisions",
        sa.Column("ordinal", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("repo", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("verb", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        *[sa.Column(name, sa.Text, nullable=False) for name in ("argument", "because", "origin")],
    )
    somewhere = sa.text("origin <> ''")
    columns = ["repo", "number", "origin"]
    op.create_index(
        "one_decision_of_an_origin",
        "decisions",
        columns,
        unique=True,
        sqlite_where=somewhere,
        postgresql_where=somewhere,
    )
    op.create_table(
        "runs",
        sa.Column("id", counter, primary_key=True, autoincrement=True),
        sa.Column("repo", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("suite", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("ordinal", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("repo", "number", "suite", "revision", "ordinal", name="one_run_of_an_order"),
    )
    op.create_table(
        "endings",
        sa.Column("repo", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("because", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "said",
        sa.Column("repo", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
    )
