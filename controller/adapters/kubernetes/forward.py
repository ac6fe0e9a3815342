"""Ports of pods, through the API server: how the gateway gets in where it runs outside the cluster.

Each forwarded port is a listener on loopback; each connection to it is one WebSocket to the API server
(`v4.channel.k8s.io` of pods/portforward: channel 0 is data, 1 is errors, each begins with the port in two bytes).

The protocol cannot say that one side has no more to send. Where the visitor says so, the pod's answer is still waited
for, but not longer than it is silent for half a minute.
"""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import structlog

from controller.adapters.kubernetes.api import POD, Api
from controller.adapters.kubernetes.kinds import path
from controller.errors import Refused, Unavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = b"\0", b"\1"
_PORT_BYTES = 2
_CHUNK = 64 * 2**10
_LINGER_SECONDS = 30.0
Tunnel = aiohttp.ClientWebSocketResponse[bool]


class Forwards:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._open: dict[tuple[str, str, int], _Forward] = {}
        self._turn = asyncio.Lock()

    async def open(self, namespace: str, pod: str, port: int) -> tuple[str, int]:
        """The loopback address that leads there; the same one as long as the pod and port are the same."""
        async with self._turn:
            forward = self._open.get((namespace, pod, port))
            if forward is None:
                forward = _Forward(self._api, namespace, pod, port)
                await forward.listen()
                self._open[namespace, pod, port] = forward
            return forward.address

    async def close(self, namespace: str, keep: frozenset[str] = frozenset()) -> None:
        """Ends those into a namespace, but for the pods to keep."""
        async with self._turn:
            for key in [key for key in self._open if key[0] == namespace and key[1] not in keep]:
                await self._open.pop(key).close()

    async def close_all(self) -> None:
        async with self._turn:
            while self._open:
                await self._open.popitem()[1].close()


class _Forward:
    """One port of one pod."""

    def __init__(self, api: Api, namespace: str, pod: str, port: int) -> None:
        self._api = api
        self._path = f"{path(POD, namespace, pod)}/portforward?ports={port}"
        self._log = log.bind(pod=f"{namespace}/{pod}", port=port)
        self._connections: set[asyncio.Task[None]] = set()
        self.address = ("", 0)

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        def over(connection: asyncio.Task[None]) -> None:
            self._connections.discard(connection)
            if connection.cancelled():  # perhaps before it had begun
                _break_off(writer)

        connection = asyncio.create_task(self._carry(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(over)

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Whatever goes wrong, the visitor's connection breaks off: it must not look like an answer that is whole."""
        whole = False
        try:
            async with self._api.wire.socket(self._path, _PROTOCOL) as tunnel:
                whole = await _both_ways(tunnel, reader, writer)
        except (Unavailable, Refused) as error:
            self._log.info("no way to the pod", reason=error.reason)
        except (aiohttp.ClientError, OSError) as error:
            self._log.info("the connection broke off", reason=str(error))
        finally:
            if whole:
                writer.close()
            else:
                _break_off(writer)


def _break_off(writer: StreamWriter) -> None:
    """With a reset: the end of an answer without a length looks like any other close."""
    with suppress(OSError):  # the visitor is gone already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _both_ways(tunnel: Tunnel, reader: StreamReader, writer: StreamWriter) -> bool:
    """Whether the pod ended it, and not something that went wrong."""
    heard = _Heard()
    there = asyncio.create_task(_send(tunnel, reader))
    back = asyncio.create_task(_receive(tunnel, writer, heard))
    try:
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        if not back.done():
            there.result()
            await _linger(back, heard)
        return back.done() and back.result()
    finally:
        there.cancel()
        back.cancel()
        await asyncio.gather(there, back, return_exceptions=True)


@dataclass(slots=True)
class _Heard:
    messages: int = 0


async def _send(tunnel: Tunnel, reader: StreamReader) -> None:
    while data := await reader.read(_CHUNK):
        await tunnel.send_bytes(_DATA + data)


async def _receive(tunnel: Tunnel, writer: StreamWriter, heard: _Heard) -> bool:
    begun: set[bytes] = set()
    while (message := await tunnel.receive()).type is aiohttp.WSMsgType.BINARY:
        channel, data = message.data[:1], message.data[1:]
        if channel not in begun:
            begun.add(channel)
            data = data[_PORT_BYTES:]
        if channel == _ERROR and data:
            raise Unavailable(data.decode(errors="replace").strip())
        heard.messages += 1
        writer.write(data)
        await writer.drain()
    return message.type is aiohttp.WSMsgType.CLOSE and message.data == aiohttp.WSCloseCode.OK


async def _linger(back: "asyncio.Task[bool]", heard: _Heard) -> None:
    before = -1
    while not back.done() and heard.messages != before:
        before = heard.messages
        await asyncio.wait({back}, timeout=_LINGER_SECONDS)
