"""Where the demo's previews run, and what there is of them: on this machine, or in a cluster."""

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import PostgresDatabases
from controller.errors import MayflyError
from controller.settings import Home, Kubernetes, Local

Left = Mapping[str, list[str]]
"""What there is, by kind; nothing of any kind once all previews are gone."""


class Traces(Protocol):
    @property
    def policy(self) -> Mapping[str, Any]:
        """What the policy says of this place."""
        ...

    def left(self, home: Home) -> Left: ...

    def clean(self, home: Home) -> None:
        """Ends what the place itself keeps running."""
        ...


class OnThisMachine:
    def __init__(self) -> None:
        self.policy = {"local": {"path": f"{Path(sys.executable).parent}:{Local().path}"}}

    def left(self, home: Home) -> Left:
        return {"processes": processes(home), "folders": _folders(home), "databases": _databases(home)}

    def clean(self, home: Home) -> None:
        with suppress(MayflyError):
            asyncio.run(EmbeddedPostgres(home.postgres).remove())


class InACluster:
    """`image` has Mayfly, PostgreSQL, and what the shop needs. Its previews are told from all others by their label."""

    def __init__(self, image: str) -> None:
        kubernetes = {
            "namespace": "default",
            "instance": f"demo-{secrets.token_hex(4)}",
            "images": {"mayfly": image, "runner": image, "postgres": image, "postgres_user": 10001},
        }
        self.policy = {"platform": "kubernetes", "kubernetes": kubernetes}
        self._kubernetes = Kubernetes.model_validate(kubernetes)

    def left(self, home: Home) -> Left:
        del home
        return {"namespaces": asyncio.run(_namespaces(self._kubernetes))}

    def clean(self, home: Home) -> None:
        """Previews are gone by now; the controller's Lease is left."""
        del home
        with suppress(MayflyError):
            asyncio.run(_forget_lease(self._kubernetes))


async def _namespaces(kubernetes: Kubernetes) -> list[str]:
    from controller.adapters.kubernetes.connect import connect  # noqa: PLC0415 - who has no cluster does not pay for it
    from controller.adapters.kubernetes.platform import namespaces_of  # noqa: PLC0415

    api = await connect(kubernetes)
    try:
        return await namespaces_of(api, kubernetes)
    finally:
        await api.close()


async def _forget_lease(kubernetes: Kubernetes) -> None:
    from controller.adapters.kubernetes.api import LEASE  # noqa: PLC0415 - as above
    from controller.adapters.kubernetes.connect import connect  # noqa: PLC0415

    api = await connect(kubernetes)
    try:
        await api.delete(LEASE, kubernetes.instance, kubernetes.namespace)
    finally:
        await api.close()


def _databases(home: Home) -> list[str]:
    async def names() -> frozenset[str]:
        postgres = EmbeddedPostgres(home.postgres)
        await postgres.start()
        return await PostgresDatabases(postgres.url).names()

    return sorted(asyncio.run(names()))


def _folders(home: Home) -> list[str]:
    previews = home.platform / "previews"
    return sorted(entry.name for entry in previews.iterdir()) if previews.is_dir() else []


def processes(home: Home) -> list[str]:
    """Those of previews: by what their environment or their folder says, wherever they forked to."""
    mark = os.fsencode(home.platform)
    return [found for entry in Path("/proc").glob("[0-9]*") if (found := _of_a_preview(entry, mark))]


def _of_a_preview(entry: Path, mark: bytes) -> str:
    try:
        about = (entry / "environ").read_bytes() + os.fsencode((entry / "cwd").readlink())
        if mark in about:
            return f"{entry.name} {(entry / 'cmdline').read_bytes().replace(bytes(1), b' ').decode(errors='replace')}"
    except OSError:  # it ended meanwhile, or is somebody else's
        pass
    return ""
