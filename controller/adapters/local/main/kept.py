"""`target.json`: the record of a target, and how far this machine is with it. It is the truth; all else is found.

Written whole, beside itself, then renamed: a controller killed at any point leaves the old one or the new one.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from controller.adapters.local import store
from controller.common.nouns import CheckJob
from controller.deploys.model import Making, Record, Rollout

FILE = "target.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """One target. Numbers are those of releases."""

    record: Record
    version: int = 0
    """How often the record was saved."""
    makings: dict[int, Making] = field(default_factory=dict)
    ports: dict[int, dict[str, int]] = field(default_factory=dict)
    """Of each release's services, by their names."""
    rollout: Rollout | None = None
    serving: int = 0
    """The release that the host leads to; it was rolled out once."""
    jobs: tuple[CheckJob, ...] = ()
    database_name: str = ""
    """Written down before it is made, so that it is never forgotten."""
    database_url: str = ""
    """Empty until it is whole. It is never made again while the server has it."""
    migrated: frozenset[int] = frozenset()
    """Whose migration ran to its end: it does not run again."""
    migrating: dict[int, str] = field(default_factory=dict)
    """The database's fingerprint before a migration that was begun; empty where there was none to be had."""
    changed: frozenset[int] = frozenset()
    """Whose migration left another database than it found."""
    undone: frozenset[int] = frozenset()
    """Whose undo command ran, and whose migration did not since."""

    @property
    def aim(self) -> tuple[int, datetime | None, datetime | None]:
        """What is being brought about: another one begins a rollout of its own."""
        record = self.record
        return record.live, record.live_since, record.rollback.at if record.rollback else None


_KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)


def write(folder: Path, kept: Kept, *, durable: bool) -> None:
    """`durable`: it is on the disk when this returns. Raises Unavailable."""
    store.put(folder / FILE, _KEPT.dump_json(kept), durable=durable)


def read(folder: Path) -> Kept | None:
    """None where there is none. Raises ValidationError or OSError: main is not forgotten for what cannot be read."""
    try:
        return _KEPT.validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None


Unreadable = (OSError, ValidationError)
