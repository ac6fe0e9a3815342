"""Who may ask, and what was asked."""

from sqlalchemy import Column, Index, Integer, Table, Text

from controller.adapters.history.tables.base import METADATA, Moment, counted, words

tokens = Table(
    "tokens",
    METADATA,
    Column("id", Text, primary_key=True),
    *words("name", "scope", "digest"),
    Column("created_at", Moment, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("used_at", Moment),
)

audit = Table(
    "audit",
    METADATA,
    counted(),
    Column("at", Moment, nullable=False),
    *words("actor", "token", "method", "path"),
    Column("status", Integer, nullable=False),
    *words("address", "detail"),
    Index("audit_at", "at", "id"),
)
