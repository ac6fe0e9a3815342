"""Targets, alarms, what is to be told, and who may ask."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _targets()
    _outbox()
    _alerts()
    _access()


def _targets() -> None:
    op.create_table(
        "target_events", _counted(), *_words("target"), _moment("at"), *_words("kind", "text", "actor"), _big("release")
    )
    op.create_index("target_events_of_target", "target_events", ["target", "id"])
    op.create_table(
        "target_decisions",
        sa.Column("ordinal", sa.BigInteger, primary_key=True, autoincrement=False),
        *_words("target", "verb", "actor"),
        _moment("at"),
        *_words("because"),
        _big("to"),
        sa.Column("force", sa.Boolean, nullable=False),
        *_words("origin"),
        _changed(),
    )
    op.create_index("target_decisions_changed", "target_decisions", ["changed"])
    op.create_index("target_decisions_of_verb", "target_decisions", ["target", "verb", "ordinal"])
    somewhere = sa.text("origin <> ''")
    op.create_index(
        "one_target_decision_of_an_origin",
        "target_decisions",
        ["target", "origin"],
        unique=True,
        sqlite_where=somewhere,
        postgresql_where=somewhere,
    )
    op.create_table(
        "deeds",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        *_words("revision", "title", "actor"),
        *[_moment("committed_at"), _moment("ordered_at"), _perhaps("live_at")],
        *[*_words("verdict"), _perhaps("decided_at"), *_words("why"), _perhaps("restored_at")],
    )
    op.create_index("deeds_of_target", "deeds", ["target", "ordered_at"])
    op.create_table(
        "target_runs",
        _counted(),
        *[*_words("target"), _big("release"), *_words("suite", "revision"), _big("ordinal"), *_words("body")],
        sa.UniqueConstraint("target", "release", "suite", "revision", "ordinal", name="one_target_run_of_an_order"),
    )
    op.create_index("target_runs_of_target", "target_runs", ["target", "id"])
    op.create_table("target_said", _named("target"), _named("channel"), *_words("digest"), _changed())
    op.create_index("target_said_changed", "target_said", ["changed"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        _counted(),
        *_words("notice", "route"),
        _moment("at"),
        *_words("severity", "status", "about", "title", "text", "link", "labels", "routes"),
        sa.Column("attempts", sa.BigInteger, nullable=False, server_default="0"),
        _perhaps("again_at"),
        sa.Column("why", sa.Text, nullable=False, server_default=""),
        _perhaps("over_at"),
        sa.Column("given_up", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.UniqueConstraint("notice", "route", name="a_notice_goes_once_to_a_route"),
    )
    waits = sa.text("over_at IS NULL")
    op.create_index("outbox_that_waits", "outbox", ["about", "route", "id"], sqlite_where=waits, postgresql_where=waits)
    op.create_index("outbox_that_is_over", "outbox", ["given_up", "over_at"])
    op.create_index("outbox_at", "outbox", ["at"])


def _alerts() -> None:
    op.create_table(
        "healths",
        *[_named("probe"), _named("alarm"), _perhaps("firing_since"), _perhaps("told_at")],
        *_words("because", "suspect"),
    )
    op.create_table(
        "incidents",
        *[_named("probe"), _named("alarm")],
        sa.Column("began", sa.BigInteger, primary_key=True, autoincrement=False),
        *[_perhaps("ended"), *_words("because", "suspect")],
    )
    op.create_index("incidents_of_probe", "incidents", ["probe", "began"])
    op.create_index("incidents_ended", "incidents", ["ended"])
    op.create_table(
        "silences",
        *[_named("id"), *_words("probe"), _moment("begins"), _moment("ends"), *_words("actor", "because")],
    )
    op.create_index("silences_ends", "silences", ["ends"])


def _access() -> None:
    op.create_table(
        "tokens",
        *[_named("id"), *_words("name", "scope", "digest"), _moment("created_at"), *_words("created_by")],
        *[_perhaps("expires_at"), _perhaps("revoked_at"), _perhaps("used_at")],
    )
    op.create_table(
        "audit",
        *[_counted(), _moment("at"), *_words("actor", "token", "method", "path")],
        sa.Column("status", sa.Integer, nullable=False),
        *_words("address", "detail"),
    )
    op.create_index("audit_at", "audit", ["at", "id"])


def _counted() -> sa.Column[Any]:
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", counter, primary_key=True, autoincrement=True)


def _named(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, primary_key=True)


def _words(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _big(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _moment(name: str) -> sa.Column[Any]:
    """Microseconds since 1970."""
    return _big(name)


def _perhaps(name: str) -> sa.Column[Any]:
    """A moment that may not have come."""
    return sa.Column(name, sa.BigInteger)


def _changed() -> sa.Column[Any]:
    return sa.Column("changed", sa.BigInteger, nullable=False, server_default="0")
