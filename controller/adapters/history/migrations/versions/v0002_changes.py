"""Numbers what is written, so that a look reads what changed since the one before."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    changes = op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("latest", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(changes, [{"id": 1, "latest": 0}])
    for table in ("decisions", "endings", "said"):
        op.add_column(table, sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"))
        op.create_index(f"{table}_changed", table, ["changed"])
