"""The parts put together, on one port of loopback."""

import asyncio
import socket
from collections import Counter
from pathlib import Path
from types import TracebackType

import yaml
from aiohttp import web

from tests.fakes.cluster.controllers import Controllers
from tests.fakes.cluster.faults import Faults
from tests.fakes.cluster.housekeeping import Housekeeping
from tests.fakes.cluster.kubelet import Kubelet
from tests.fakes.cluster.objects import Objects
from tests.fakes.cluster.programs import Programs
from tests.fakes.cluster.resources import ALL, NAMESPACE, Obj, Resource
from tests.fakes.cluster.server import Server
from tests.fakes.cluster.store import Store
from tests.fakes.cluster.subresources import Subresources
from tests.fakes.cluster.work import Work

KINDS = {resource.kind: resource for resource in ALL}


class FakeCluster:
    def __init__(self, *, bookmark_every: float = 60.0, port: int = 0) -> None:
        self.store = Store()
        self.objects = Objects(self.store)
        self.faults = Faults()
        self.server = Server(self.objects, self.faults)
        self.server.bookmark_every = bookmark_every
        self.faults._cut, self.faults._hang_up = self.server.cut_watches, self.server.hang_up
        self.dead_api_services: set[str] = set()
        """Group versions that do not answer: no namespace can be deleted meanwhile; see `look_again`."""
        self._work = Work()
        self._housekeeping = Housekeeping(self.objects, self._work.soon, self.dead_api_services)
        self.programs = Programs()
        self._controllers = Controllers(self.objects, self._work)
        self.kubelet = Kubelet(self.objects, self._work, self.programs)
        parts = Subresources(self.objects, self.kubelet)
        self.server.extras = {"log": parts.log, "portforward": parts.port_forward}
        self._port = port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "FakeCluster":
        self._work.begin()
        for name in ("default", "kube-system"):
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._runner = web.AppRunner(
            self.server.application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.5
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.cut_watches()
        self.server.hang_up()
        await self._work.end()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        return self.server.requests

    def kubeconfig(self, path: Path) -> Path:
        """Writes one, and returns its path."""
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": {"token": "a-token"}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def get(self, kind: str, name: str, namespace: str = "") -> Obj | None:
        return self.store.get(KINDS[kind], name, namespace)

    def all(self, kind: str, namespace: str = "") -> list[Obj]:
        return self.store.all(KINDS[kind], namespace)

    def create(self, obj: Obj) -> Obj:
        """As somebody else would: an administrator, another controller."""
        return self.objects.create(KINDS[obj["kind"]], obj, obj["metadata"].get("namespace", ""))

    def change(self, obj: Obj, **parts: object) -> Obj:
        """Puts these top-level parts (`spec={...}`) into what there is; `metadata` is merged."""
        metadata = obj["metadata"]
        resource = KINDS[obj["kind"]]

        def changed(live: Obj) -> Obj:
            new = live | parts
            return new | {"metadata": live["metadata"] | (parts.get("metadata") or {})}

        return self.objects.patch(resource, changed, metadata["name"], metadata.get("namespace", ""))

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        self.objects.delete(KINDS[kind], name, namespace, {"propagationPolicy": "Background"})

    def namespaces(self) -> list[str]:
        """All but those that every cluster has."""
        names = [space["metadata"]["name"] for space in self.store.all(NAMESPACE)]
        return [name for name in names if name not in {"default", "kube-system"}]

    def contents(self, namespace: str) -> list[tuple[Resource, Obj]]:
        return self.store.within(namespace)

    def compact(self) -> None:
        self.server.compact()

    def miss_image(self, image: str, message: str = "") -> None:
        """It cannot be pulled, until `push_image`."""
        self.kubelet.missing_images[image] = message

    def push_image(self, image: str) -> None:
        self.kubelet.missing_images.pop(image, None)
        self.kubelet.look_again()

    def no_room(self, message: str = "0/1 nodes are available: 1 Insufficient memory.") -> None:
        """No pod is scheduled from now on; any is again where the message is empty."""
        self.kubelet.no_room = message
        self.kubelet.look_again()

    def address(self, pod: Obj, port: int) -> tuple[str, int] | None:
        """Where a port of a running pod listens."""
        return self.kubelet.address(pod, port)

    def look_again(self) -> None:
        """Namespaces that could not be deleted are tried once more."""
        self._housekeeping.again()

    async def settled(self) -> None:
        """Returns once the cluster has nothing to do by itself at this moment."""
        await asyncio.sleep(0)
        await self._work.idle()
