"""Alembic runs this. The connection comes from `controller.adapters.history.opening`, in a transaction of its own."""

from alembic import context
from sqlalchemy import Connection, text

from controller.adapters.history.tables import METADATA

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
if connection.dialect.name == "postgresql":
    connection.execute(text("SELECT pg_advisory_xact_lock(77002)"))  # two controllers that start at once
with context.begin_transaction():
    context.run_migrations()
