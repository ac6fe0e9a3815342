"""`preview.json`: what one preview should be and how far it is. It is the truth; all else is found or made from it.

Written whole, beside itself, then renamed: a controller killed at any point leaves the old one or the new one.
"""

import hashlib
import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from controller.adapters.local.disk import trouble
from controller.previews.model import CheckJob, Database, DeployOrder, Phase, PreviewKey, Step
from controller.previews.spec import Spec

FILE = "preview.json"
MAX_LABEL = 63


class Aim(StrEnum):
    """Where the worker brings the preview."""

    DEPLOY = "deploy"
    RUN = "run"
    REST = "rest"
    STOP = "stop"
    """It failed: nothing runs, everything stays to be looked at, until another order."""
    REMOVE = "remove"


def _spec(value: object) -> Spec:
    return value if isinstance(value, Spec) else Spec.model_validate(value)


def _said(spec: Spec) -> object:
    """Only what the document said: defaults are ours and may change."""
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


@dataclass(frozen=True, slots=True)
class Order:
    """The latest order to deploy."""

    revision: str
    spec: Annotated[Spec, PlainValidator(_spec), PlainSerializer(_said)]
    host: str
    number: int
    branch: str = ""

    @staticmethod
    def of(order: DeployOrder) -> "Order":
        return Order(order.revision, order.spec, order.host, order.key.number, order.branch)


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


def slug(key: PreviewKey) -> str:
    """Names the directory and the database: readable, and unlike that of any other key."""
    name = re.sub(r"[^a-z0-9]+", "-", key.repo.lower()).strip("-")[:24].strip("-")
    digest = hashlib.sha256(f"{key.repo}\0{key.number}".encode()).hexdigest()[:8]
    return f"pr-{key.number}-{name}-{digest}" if name else f"pr-{key.number}-{digest}"


def service_host(spec: Spec, host: str, service: str) -> str:
    """The host label of a service with a port: the preview's own for the main one. Empty where it has none."""
    if spec.services[service].port is None:
        return ""
    if service == spec.main_service:
        return host
    label = f"{host}--{service}"
    if len(label) <= MAX_LABEL:
        return label
    digest = hashlib.sha256(label.encode()).hexdigest()[:8]
    return f"{label[: MAX_LABEL - 9]}-{digest}"


def write(folder: Path, record: Record, *, durable: bool) -> None:
    """`durable`: it is on the disk when this returns. Raises Unavailable."""
    path = folder / FILE
    beside = folder / f"{FILE}.new"
    with trouble(f"write {path.name}"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_RECORD.dump_json(record))
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
