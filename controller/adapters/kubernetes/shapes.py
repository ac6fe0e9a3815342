"""What is to be applied, in our words; `render` turns it into manifests. Pure, and frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from controller.common.nouns import PreviewKey

Obj = dict[str, Any]
"""An object of the Kubernetes API as JSON has it. None leaves this room."""


@dataclass(frozen=True, slots=True)
class Place:
    """The namespace of one preview, or of a target, and what everything in it is labelled with."""

    namespace: str
    key: PreviewKey
    instance: str
    target: str = ""
    """The target that main runs at; empty in a preview."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One value in a Secret of the same namespace."""

    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container. `command` is Kubernetes' `command`; empty, the image's own entrypoint runs.

    `source` names a ConfigMap whose binary key `source.tar.gz` is unpacked to /workspace, its working directory, before
    anything else; `build` runs there next. Both by init containers of the same image.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretKey] = field(default_factory=dict)
    """Variables whose value is in a Secret."""
    port: int | None = None
    health: str | None = None
    """Path that answers below 400 once it works; an open port is enough where there is none."""
    memory: int = 512 * 2**20
    """Bytes: the limit, and half of it the request."""
    cpu: float = 1.0
    """Cores: the limit; a tenth of it is the request."""
    source: str = ""
    build: tuple[str, ...] = ()
    user: int | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """A service of the preview: a Deployment, and a Service of the same name where it has a port."""

    container: Container
    revision: str
    deploy: int
    """Which deploy it is of; another one with the same container rolls its pods anew."""
    replicas: int = 1

    @property
    def name(self) -> str:
        return self.container.name


@dataclass(frozen=True, slots=True)
class Task:
    """Something that runs once: a seed or a migration. Tried once; `timeout` ends it."""

    name: str
    container: Container
    timeout: timedelta
    labels: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    """A ConfigMap that is mounted at /mayfly/config."""


@dataclass(frozen=True, slots=True)
class CheckTask:
    """One shard of a run of checks: smoke, and beside it a container per `command` check that names an image.

    The ConfigMap `config` is mounted at /mayfly/config in all of them, and an empty folder at /mayfly/run, where the
    containers beside leave their status, output and JUnit files for smoke to collect.
    """

    name: str
    smoke: Container
    beside: tuple[Container, ...]
    config: str
    timeout: timedelta
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL of the preview's own: a Deployment and a Service called `postgres`, port 5432, database `app`.

    The Secret `secret` has the superuser `postgres`'s password under `password`.
    """

    image: str
    secret: str
    seeded: bool = False
    """The image has its data already: it is started as it is."""
