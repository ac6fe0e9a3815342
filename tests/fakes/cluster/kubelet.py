"""The one node: runs every pod as tasks of this very process, at an address of loopback of its own."""

import asyncio
import contextlib
import itertools
import os
import zlib
from collections.abc import Callable
from typing import Any

from tests.fakes.cluster.furnish import Missing
from tests.fakes.cluster.objects import Objects, now
from tests.fakes.cluster.podrun import Container, PodRun
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.programs import Folder, Programs
from tests.fakes.cluster.resources import CONFIG_MAP, EVENT, POD, SECRET, SERVICE, Obj
from tests.fakes.cluster.store import Event
from tests.fakes.cluster.work import Work

NODE = "node-1"
_networks = itertools.count()


class Kubelet:
    def __init__(self, objects: Objects, work: Work, programs: Programs) -> None:
        self.objects, self.store, self._work, self.programs = objects, objects.store, work, programs
        self.missing_images: dict[str, str] = {}
        """By image, why it cannot be pulled; see `images_changed`."""
        self.no_room = ""
        self.crash_pause = 0.05
        """Seconds before a container that crashed for the second time is started again; doubled each time."""
        self.probe_pause = 0.02
        self._pods: dict[str, tuple[PodRun, asyncio.Task[None]]] = {}
        self._claims: dict[tuple[str, str], Folder] = {}
        self._news = asyncio.Event()
        self._network = f"127.{20 + (os.getpid() + next(_networks)) % 230}"
        self._addresses = itertools.count(1)
        self.store.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if event.resource in {SECRET, CONFIG_MAP}:
            self.look_again()
        if event.resource is not POD:
            return
        uid = event.object["metadata"]["uid"]
        if event.type == "DELETED":
            self._work.soon(self._drop, uid)
        elif "deletionTimestamp" in event.object["metadata"]:
            self._work.soon(self._stop, uid)
        elif event.type == "ADDED":
            self._work.soon(self._start, event.object)

    def look_again(self) -> None:
        """Whatever waits for something looks whether it is there."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        await self._news.wait()

    def pull(self, image: str) -> None:
        if image in self.missing_images:
            told = self.missing_images[image] or f'failed to resolve reference "{image}": {image}: not found'
            raise Missing("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {told}')

    def _start(self, pod: Obj) -> None:
        metadata = pod["metadata"]
        live = self.store.get(POD, metadata["name"], metadata["namespace"])
        if live is None or live["metadata"]["uid"] != metadata["uid"]:
            return
        number = next(self._addresses)
        run = PodRun(self, pod, f"{self._network}.{number // 250 % 250 + 1}.{number % 250 + 1}")
        self._pods[metadata["uid"]] = run, self._work.start(run.run())

    def _drop(self, uid: str) -> None:
        if uid in self._pods:
            self._pods.pop(uid)[1].cancel()

    def _stop(self, uid: str) -> None:
        if uid in self._pods:
            self._work.start(self._stopped(*self._pods[uid]))

    async def _stopped(self, run: PodRun, task: asyncio.Task[None]) -> None:
        """A pod ends as soon as it is told to: no program here is deaf."""
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        run.stopped()
        metadata = run.pod["metadata"]
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        with contextlib.suppress(ApiError):
            self.objects.delete(POD, metadata["name"], metadata["namespace"], options)

    def broken(self, error: Exception) -> None:
        """A program raised something: that its peer does not answer may happen, anything else is its mistake."""
        if not isinstance(error, OSError):
            self._work.failed(error)

    def bind(self, pod: Obj) -> None:
        metadata = pod["metadata"]
        with contextlib.suppress(ApiError):
            self.objects.patch(
                POD,
                lambda obj: obj | {"spec": obj["spec"] | {"nodeName": NODE}},
                metadata["name"],
                metadata["namespace"],
            )

    def status(self, pod: Obj) -> Obj:
        metadata = pod["metadata"]
        live = self.store.get(POD, metadata["name"], metadata["namespace"]) or {}
        return dict(live.get("status") or {})

    def tell(self, about: Obj, reason: str, message: str) -> None:
        """An Event; one that was told before is counted."""
        metadata = about["metadata"]
        name = f"{metadata['name']}.{zlib.crc32(f'{reason}{message}'.encode()):08x}"
        known = self.store.get(EVENT, name, metadata["namespace"])
        with contextlib.suppress(ApiError):
            if known is not None:
                count = {"count": known["count"] + 1, "lastTimestamp": now()}
                self.objects.patch(EVENT, lambda obj: obj | count, name, metadata["namespace"])
                return
            self.objects.create(EVENT, _event(name, about, reason, message), metadata["namespace"])

    def volumes(self, pod: Obj) -> dict[str, Folder]:
        """Empty folders for as long as the pod is there, and claims for as long as the cluster is."""
        found: dict[str, Folder] = {}
        for volume in pod["spec"].get("volumes") or ():
            if "emptyDir" in volume:
                found[volume["name"]] = {}
            if "persistentVolumeClaim" in volume:
                claim = (pod["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"])
                found[volume["name"]] = self._claims.setdefault(claim, {})
        return found

    def reach(self, namespace: str) -> Callable[[str, int], Any]:
        def reached(host: str, port: int) -> Any:
            service = self.store.get(SERVICE, host.partition(".")[0], namespace)
            selector = (service or {}).get("spec", {}).get("selector") or {}
            for run, _ in self._pods.values():
                metadata = run.pod["metadata"]
                if metadata["namespace"] == namespace and selector and selector.items() <= metadata["labels"].items():
                    for container in run.containers:
                        if container.run and port in container.run.published:
                            return container.run.published[port]
            raise ConnectionRefusedError(f"nothing answers at {host}:{port}")

        return reached

    def container(self, pod: Obj, name: str = "") -> Container | None:
        run = self._pods.get(pod["metadata"]["uid"])
        found = [*run[0].before, *run[0].containers] if run else []
        return next((container for container in found if container.spec["name"] == name), None)

    def address(self, pod: Obj, port: int) -> tuple[str, int] | None:
        """Where a port of a pod really listens."""
        run = self._pods.get(pod["metadata"]["uid"])
        for container in run[0].containers if run else ():
            if container.run is not None and port in container.run.ports:
                return container.run.ports[port]
        return None


def _event(name: str, about: Obj, reason: str, message: str) -> Obj:
    metadata = about["metadata"]
    involved = {key: metadata.get(key) for key in ("name", "namespace", "uid")} | {"kind": about["kind"]}
    told = {"reason": reason, "message": message, "type": "Warning", "count": 1}
    times = {"firstTimestamp": now(), "lastTimestamp": now()}
    address = {"metadata": {"name": name}, "involvedObject": involved | {"apiVersion": about["apiVersion"]}}
    return {"apiVersion": "v1", "kind": "Event"} | address | told | times
