"""What containers run: functions that print lines, answer requests, and end with a status.

async def app(run: Run) -> int:
    run.print("listening")
    await run.serve(lambda path: (200, f"hello {run.env['NAME']}"))   # until the container is stopped

cluster.programs.add(app, image="registry.test/*", command="serve *")  # the latest that matches is taken
"""

import asyncio
import fnmatch
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.fakes.cluster.resources import Obj

Folder = dict[str, bytes]
Answer = Callable[[str], tuple[int, str]]
"""From a path to a status and a text."""


class Log:
    """What a container said; ends with it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ended = False
        self.news = asyncio.Event()

    def add(self, text: str) -> None:
        self.lines += text.split("\n")
        self._tell()

    def end(self) -> None:
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


@dataclass
class Run:
    """One start of a container. `files` are those of mounted ConfigMaps and Secrets by path; `folders` the shared
    volumes by mount path, empty at first, to read and write."""

    pod: Obj
    container: Obj
    command: tuple[str, ...]
    env: dict[str, str]
    files: dict[str, bytes]
    folders: dict[str, Folder]
    log: Log
    address: str
    reach: Callable[[str, int], Any]
    """What another pod's program published: `run.reach("postgres", 5432)`, by the name of its Service."""
    published: dict[int, Any] = field(default_factory=dict)
    ports: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Where its ports really listen."""
    answer: Answer | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _servers: list[asyncio.Server] = field(default_factory=list)

    def print(self, text: object) -> None:
        self.log.add(str(text))

    @property
    def port(self) -> int:
        """The first that the container names."""
        return next((port["containerPort"] for port in self.container.get("ports") or ()), 0)

    def publish(self, port: int, thing: Any) -> None:
        """Something that other programs reach as long as this one runs; probes find it ready."""
        self.published[port] = thing
        self.ready.set()

    async def pretend(self, answer: Answer) -> None:
        """Answers probes only; costs no socket."""
        self.answer = answer
        self.ready.set()
        await asyncio.Event().wait()

    async def serve(self, answer: Answer, port: int = 0) -> None:
        """HTTP at the pod's own address, until the container is stopped."""
        self.answer = answer
        await self.listen(port or self.port, self._connected)
        await asyncio.Event().wait()

    async def listen(self, port: int, connected: Callable[..., Awaitable[None]]) -> None:
        try:
            server = await asyncio.start_server(connected, self.address, port)
        except OSError:  # not every system has the whole of 127.0.0.0/8
            server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self._servers.append(server)
        self.ports[port] = server.sockets[0].getsockname()[:2]
        self.ready.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            words = (await reader.readuntil(b"\r\n\r\n")).split(b" ")
            status, text = (self.answer or _nothing)(unquote(words[1].decode()))
            body = text.encode()
            head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def close(self) -> None:
        self.published.clear()
        for server in self._servers:
            server.close()


def _nothing(path: str) -> tuple[int, str]:
    return 404, path


Program = Callable[[Run], Awaitable[int | None]]


async def idle(run: Run) -> int:
    """What a container does that no program is known for: a service stays, anything else has done its work."""
    if run.pod["spec"]["restartPolicy"] != "Always" or run.container in run.pod["spec"].get("initContainers", ()):
        return 0
    await run.pretend(lambda _path: (200, "ok"))
    return 0


class Programs:
    def __init__(self) -> None:
        self._known: list[tuple[str, str, Program]] = []

    def add(self, program: Program, image: str = "*", command: str = "*") -> None:
        """For images and commands (their words joined by blanks) that match these globs."""
        self._known.insert(0, (image, command, program))

    def find(self, image: str, command: tuple[str, ...]) -> Program:
        words = " ".join(command)
        for images, commands, program in self._known:
            if fnmatch.fnmatchcase(image, images) and fnmatch.fnmatchcase(words, commands):
                return program
        return idle
