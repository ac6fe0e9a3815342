"""An order to deploy as a platform remembers it, and the names that follow from it. Pure."""

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from controller.common.nouns import PreviewKey
from controller.common.spec import Spec
from controller.previews.model import DeployOrder

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
    return value if isinstance(value, Spec) else _shared(json.dumps(value))


@lru_cache(maxsize=2000)
def _shared(said: str) -> Spec:
    """Most previews of a repository have the same one."""
    return Spec.model_validate(json.loads(said))


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
    fork: bool = False
    """Strangers' code. Orders from before there were any say nothing of it."""

    @staticmethod
    def of(order: DeployOrder) -> "Order":
        return Order(order.revision, order.spec, order.host, order.key.number, order.branch, order.fork)


def keeps_data(order: DeployOrder) -> bool:
    """Whether what people entered stays in the database; otherwise it begins from the seed."""
    postgres = order.spec.postgres
    return postgres is not None and postgres.on_push == "keep" and not order.fresh_database


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
