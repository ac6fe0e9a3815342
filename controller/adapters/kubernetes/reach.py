"""How the gateway reaches the services of a preview: by their names within the cluster, by forwarded ports outside."""

import asyncio
import os

from controller.adapters.kubernetes import services, troubles
from controller.adapters.kubernetes.api import Api
from controller.adapters.kubernetes.cell import Cell
from controller.adapters.kubernetes.forward import Forwards
from controller.adapters.kubernetes.kinds import SERVICE
from controller.adapters.kubernetes.shapes import Obj
from controller.errors import Refused, Unavailable
from controller.settings import Kubernetes


class Reach:
    """Keeps `Cell.addresses` true."""

    def __init__(self, api: Api, kubernetes: Kubernetes) -> None:
        inside = "KUBERNETES_SERVICE_HOST" in os.environ
        self._direct = kubernetes.reach == "direct" or (kubernetes.reach == "auto" and inside)
        self._api = api
        self._forwards = Forwards(api)

    async def refresh(self, cell: Cell) -> None:
        """The services that work have an address afterwards, the others none."""
        spec = cell.record.order.spec
        found: dict[str, tuple[str, int]] = {}
        pods: set[str] = set()
        for name, service in spec.services.items():
            deployment = services.behind(cell, name)
            if service.port is None or (deployment is None and spec.deploy is None):
                continue
            if deployment is not None and not troubles.deployment_ready(deployment):
                continue
            if self._direct:
                found[name] = (f"{name}.{cell.name}.svc", service.port)
            elif pod := await self._pod(cell, name):
                port = service.port if spec.deploy is None else await self._target(cell, name, service.port, pod)
                pods.add(pod["metadata"]["name"])
                opening = self._forwards.open(cell.name, pod["metadata"]["name"], port)
                found[name] = await asyncio.shield(opening)  # half a listener could not be closed
        cell.addresses = found
        await self._forwards.close(cell.name, frozenset(pods))

    async def _pod(self, cell: Cell, service: str) -> Obj | None:
        """The newest pod behind a Service that is ready."""
        deployment = services.behind(cell, service)
        candidates = services.pods_of(cell, deployment) if deployment else await self._selected(cell, service)
        return next((pod for pod in candidates if troubles.pod_ready(pod)), None)

    async def _target(self, cell: Cell, service: str, port: int, pod: Obj) -> int:
        """The port of the pod that a port of its Service leads to, which may have a name."""
        spec = (await self._service(cell, service)).get("spec", {})
        target = next((one.get("targetPort", port) for one in spec.get("ports") or () if one["port"] == port), port)
        ports = [one for container in pod["spec"]["containers"] for one in container.get("ports") or ()]
        named = next((one["containerPort"] for one in ports if one.get("name") == target), target)
        return named if isinstance(named, int) else port

    async def _selected(self, cell: Cell, service: str) -> list[Obj]:
        selector = (await self._service(cell, service)).get("spec", {}).get("selector") or {"": ""}
        return [pod for pod in cell.pods() if selector.items() <= pod["metadata"].get("labels", {}).items()]

    async def _service(self, cell: Cell, name: str) -> Obj:
        """Empty where it cannot be read now."""
        try:
            return await self._api.get(SERVICE, name, cell.name) or {}
        except (Unavailable, Refused):
            return {}

    async def forget(self, namespace: str) -> None:
        await self._forwards.close(namespace)

    async def close(self) -> None:
        await self._forwards.close_all()
