"""What the API server passes on to the kubelet: logs, and ports of pods."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

from aiohttp import WSMsgType, web

from tests.fakes.cluster.kubelet import Kubelet
from tests.fakes.cluster.objects import Objects
from tests.fakes.cluster.podrun import Container
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.programs import Log
from tests.fakes.cluster.resources import Obj, Target

PROTOCOL = "v4.channel.k8s.io"


class Subresources:
    def __init__(self, objects: Objects, kubelet: Kubelet) -> None:
        self._objects, self._kubelet = objects, kubelet

    async def log(self, request: web.Request, target: Target) -> web.StreamResponse:
        pod = self._objects.read(target.resource, target.name, target.namespace)
        log = self._log(pod, request.query)
        lines = log.lines
        if tail := request.query.get("tailLines"):
            lines = lines[-int(tail) :] if int(tail) else []
        text = "".join(f"{line}\n" for line in lines).encode()[: int(request.query.get("limitBytes", 2**40))]
        if request.query.get("follow") != "true":
            return web.Response(body=text, content_type="text/plain")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        with contextlib.suppress(ConnectionError):
            seen = len(log.lines)
            await response.prepare(request)
            await response.write(text)
            async for more in _rest(log, seen):
                await response.write(more)
        return response

    def _log(self, pod: Obj, query: object) -> Log:
        asked = dict(query)  # type: ignore[call-overload]
        container = self._container(pod, asked.get("container", ""))
        previous = asked.get("previous") == "true"
        about = f'container "{container.spec["name"]}" in pod "{pod["metadata"]["name"]}"'
        if previous and len(container.logs) < 2:
            raise ApiError(400, f"previous terminated {about} not found")
        if not container.logs:
            waiting = container.state.get("waiting", {}).get("reason", "ContainerCreating")
            waiting = "trying and failing to pull image" if waiting == "ImagePullBackOff" else waiting
            raise ApiError(400, f"{about} is waiting to start: {waiting}")
        return container.logs[-2 if previous else -1]

    def _container(self, pod: Obj, name: str) -> Container:
        names = [container["name"] for container in pod["spec"]["containers"]]
        if not name and len(names) > 1:
            told = f"choose one of: [{' '.join(names)}]"
            raise ApiError(400, f"a container name must be specified for pod {pod['metadata']['name']}, {told}")
        found = self._kubelet.container(pod, name or names[0])
        known = [*names, *(container["name"] for container in pod["spec"].get("initContainers") or ())]
        if name and name not in known:
            raise ApiError(400, f"container {name} is not valid for pod {pod['metadata']['name']}")
        if found is None:
            about = f'container "{name or names[0]}" in pod "{pod["metadata"]["name"]}"'
            raise ApiError(400, f"{about} is waiting to start: ContainerCreating")
        return found

    async def port_forward(self, request: web.Request, target: Target) -> web.StreamResponse:
        pod = self._objects.read(target.resource, target.name, target.namespace)
        ports = [int(port) for port in ",".join(request.query.getall("ports", [])).split(",") if port]
        if not ports:
            raise ApiError(400, 'query parameter "ports" is required')
        socket = web.WebSocketResponse(protocols=(PROTOCOL,))
        await socket.prepare(request)
        for index, port in enumerate(ports):
            for channel in (2 * index, 2 * index + 1):
                await socket.send_bytes(bytes([channel]) + struct.pack("<H", port))
        await self._forward(socket, pod, ports[0])
        return socket

    async def _forward(self, socket: web.WebSocketResponse, pod: Obj, port: int) -> None:
        address = self._kubelet.address(pod, port)
        try:
            if address is None:
                raise ConnectionRefusedError
            reader, writer = await asyncio.open_connection(*address)
        except OSError:
            told = f"failed to connect to localhost:{port} inside namespace: connection refused"
            await socket.send_bytes(b"\x01" + told.encode())
            await socket.close()
            return
        back = asyncio.create_task(_back(socket, reader))
        try:
            async for message in socket:
                if message.type is WSMsgType.BINARY and message.data[:1] == b"\x00":
                    writer.write(message.data[1:])
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            back.cancel()
            writer.close()


async def _back(socket: web.WebSocketResponse, reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(2**16):
            await socket.send_bytes(b"\x00" + data)
        await socket.close()


async def _rest(log: Log, seen: int) -> AsyncIterator[bytes]:
    """What is said from there on, until the container ends."""
    while True:
        news = log.news
        if len(log.lines) > seen:
            yield "".join(f"{line}\n" for line in log.lines[seen:]).encode()
            seen = len(log.lines)
        elif log.ended:
            return
        else:
            await news.wait()
