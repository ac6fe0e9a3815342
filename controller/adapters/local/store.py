"""`preview.json`: what one preview should be and how far it is. It is the truth; all else is found or made from it.

Written whole, beside itself, then renamed: a controller killed at any point leaves the old one or the new one.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from controller.adapters.shared.disk import trouble
from controller.adapters.shared.orders import Aim, Order, slug
from controller.common.nouns import CheckJob, Phase, PreviewKey, Step
from controller.previews.model import Database

FILE = "preview.json"


@dataclass(frozen=True, slots=True)
class Record:
    """One preview. `secrets` are redacted from all that leaves the platform."""

    key: PreviewKey
    uid: str
    order: Order
    aim: Aim
    phase: Phase
    phase_since: datetime
    created_at: datetime
    deployed: int = 0
    """How many deploys there were; names the tree of the current one."""
    deploy_order: int = 0
    rest_order: int = 0
    reason: str = ""
    logs: str = ""
    crashed: bool = False
    """It failed because a service keeps crashing; it is ready again when that one works again."""
    steps: tuple[Step, ...] = ()
    troubles: dict[str, str] = field(default_factory=dict)
    """Why a service did not start, by its name."""
    ports: dict[str, int] = field(default_factory=dict)
    database: Database | None = None
    database_name: str = ""
    """Written down before it is made, so that it is never forgotten."""
    database_url: str = ""
    database_clean: bool = False
    """The database may be kept: it was cloned and migrated whole, and nobody asked for another."""
    database_of: int = 0
    """The deploy that prepared it: one that is resumed does not prepare it again."""
    jobs: tuple[CheckJob, ...] = ()
    last_visit: datetime | None = None
    secrets: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        return slug(self.key)


_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


def write(folder: Path, record: Record, *, durable: bool) -> None:
    """As `put` does."""
    put(folder / FILE, _RECORD.dump_json(record), durable=durable)


def put(path: Path, data: bytes, *, durable: bool) -> None:
    """Writes a file whole. `durable`: it is on the disk when this returns. Raises Unavailable."""
    beside = path.with_name(f"{path.name}.new")
    with trouble(f"write {path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)


def read(folder: Path) -> Record | None:
    """None where there is none, or one that nobody can read (an interrupted disk): it is as good as gone."""
    try:
        return _RECORD.validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
