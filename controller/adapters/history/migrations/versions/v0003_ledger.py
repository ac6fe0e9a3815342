"""What a forge told us unasked, and when each revision was first seen."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("repo", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        *[sa.Column(name, sa.Text, nullable=False) for name in ("event", "asks", "actor")],
        sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_index("deliveries_changed", "deliveries", ["changed"])
    op.create_index("deliveries_at", "deliveries", ["at"])
    op.create_table(
        "heads",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("repo", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("repo", "number", "revision", name="a_head_is_seen_first_once"),
    )
