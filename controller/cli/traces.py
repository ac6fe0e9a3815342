"""Where the demo's previews and main run, and what there is of them: on this machine, or in a cluster."""

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
from controller.cli.itself import mayfly
from controller.cli.operator import TARGET
from controller.cli.proof import Unmet, until
from controller.errors import MayflyError
from controller.settings import Home, Kubernetes, Local

Left = Mapping[str, list[str]]
"""What there is of previews, by kind; nothing of any kind once all of them are gone."""
GONE_WITHIN = 60
"""Seconds until a namespace that was deleted is no more."""


class Traces(Protocol):
    @property
    def policy(self) -> Mapping[str, Any]:
        """What the policy says of this place."""
        ...

    @property
    def target(self) -> Mapping[str, Any]:
        """What it says of main there."""
        ...

    def left(self, home: Home) -> Left: ...

    def main(self, home: Home) -> list[str]:
        """What runs of main."""
        ...

    def end(self, home: Home) -> None:
        """Ends main, which goes on without a controller. Raises Unmet, Failure or MayflyError."""
        ...

    def clean(self, home: Home) -> None:
        """Ends what the place itself keeps running."""
        ...


class OnThisMachine:
    def __init__(self) -> None:
        self.policy = {"local": {"path": f"{Path(sys.executable).parent}:{Local().path}"}}
        self.target: Mapping[str, Any] = {}

    def left(self, home: Home) -> Left:
        return {"processes": processes(home.platform), "folders": _folders(home), "databases": _databases(home)}

    def main(self, home: Home) -> list[str]:
        return processes(home.targets)

    def end(self, home: Home) -> None:
        mayfly(home, "stop")
        if left := processes(home.path):
            raise Unmet("no process is left", "\n".join(left))

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
        self.target = {"namespace": f"{self._kubernetes.instance}-{TARGET}"}

    def left(self, home: Home) -> Left:
        del home
        return {"namespaces": asyncio.run(_namespaces(self._kubernetes))}

    def main(self, home: Home) -> list[str]:
        del home
        return asyncio.run(_namespace_of_main(self._kubernetes, self.target["namespace"]))

    def end(self, home: Home) -> None:
        asyncio.run(_delete(self._kubernetes, self.target["namespace"]))
        until("the namespace of main is gone", GONE_WITHIN, lambda: ", ".join(self.main(home)), 0.5)

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


async def _namespace_of_main(kubernetes: Kubernetes, name: str) -> list[str]:
    """The pods that stay there, or its name where there are none."""
    from controller.adapters.kubernetes.api import NAMESPACE, POD  # noqa: PLC0415 - as above
    from controller.adapters.kubernetes.connect import connect  # noqa: PLC0415

    api = await connect(kubernetes)
    try:
        if await api.get(NAMESPACE, name) is None:
            return []
        pods, _ = await api.list(POD, namespace=name)
        return sorted(pod["metadata"]["name"] for pod in pods if _stays(pod)) or [name]
    finally:
        await api.close()


def _stays(pod: dict[str, Any]) -> bool:
    """Neither a Job's, nor on its way out."""
    about = pod["metadata"]
    owners = {owner["kind"] for owner in about.get("ownerReferences", [])}
    return "Job" not in owners and "deletionTimestamp" not in about


async def _delete(kubernetes: Kubernetes, namespace: str) -> None:
    from controller.adapters.kubernetes.api import NAMESPACE  # noqa: PLC0415 - as above
    from controller.adapters.kubernetes.connect import connect  # noqa: PLC0415

    api = await connect(kubernetes)
    try:
        await api.delete(NAMESPACE, namespace)
    finally:
        await api.close()


def _databases(home: Home) -> list[str]:
    """But for main's."""

    async def names() -> frozenset[str]:
        postgres = EmbeddedPostgres(home.postgres)
        await postgres.start()
        return await PostgresDatabases(postgres.url).names()

    return sorted(name for name in asyncio.run(names()) if name != f"main-{TARGET}")


def _folders(home: Home) -> list[str]:
    previews = home.platform / "previews"
    return sorted(entry.name for entry in previews.iterdir()) if previews.is_dir() else []


def processes(folder: Path) -> list[str]:
    """Those that were started in it: by what their environment or their folder says, wherever they forked to."""
    mark = os.fsencode(folder)
    return [found for entry in Path("/proc").glob("[0-9]*") if (found := _started_there(entry, mark))]


def _started_there(entry: Path, mark: bytes) -> str:
    try:
        about = (entry / "environ").read_bytes() + os.fsencode((entry / "cwd").readlink())
        if mark in about:
            return f"{entry.name} {(entry / 'cmdline').read_bytes().replace(bytes(1), b' ').decode(errors='replace')}"
    except OSError:  # it ended meanwhile, or is somebody else's
        pass
    return ""
