"""The tables. Whatever changes here comes with a migration: a test holds the two together."""

from controller.adapters.history.tables.access import audit, tokens
from controller.adapters.history.tables.alerts import healths, incidents, outbox, silences
from controller.adapters.history.tables.base import METADATA, Moment
from controller.adapters.history.tables.previews import (
    changes,
    decisions,
    deliveries,
    endings,
    events,
    heads,
    runs,
    said,
)
from controller.adapters.history.tables.targets import (
    deeds,
    target_decisions,
    target_events,
    target_runs,
    target_said,
)

__all__ = [
    "METADATA",
    "Moment",
    "audit",
    "changes",
    "decisions",
    "deeds",
    "deliveries",
    "endings",
    "events",
    "heads",
    "healths",
    "incidents",
    "outbox",
    "runs",
    "said",
    "silences",
    "target_decisions",
    "target_events",
    "target_runs",
    "target_said",
    "tokens",
]
