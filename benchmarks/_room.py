"""The room's part of a deploy, played for a benchmark: the same records, each step when the benchmark says so.

What is measured begins with a verdict, so nothing is checked here: a release is good or bad because we say so.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial

from starlette.applications import Starlette

from controller.common.nouns import Commit, PreviewKey
from controller.common.spec import Spec
from controller.deploys.changes import changed
from controller.deploys.model import MakingState, Release, Rollback, RolloutState, Seen
from controller.deploys.ports import Targets
from controller.deploys.steps import Apply, Make, RollBack, Settle, Step, Verify
from controller.gateway import Gateway
from controller.gateway.serving import Server

TARGET = "production"
HOST = f"{TARGET}.localhost"
GOOD, BAD = 1, 2
PATIENCE = 120.0
APP = """
import http.server, os, signal, sys

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{sys.argv[1]} {os.environ['GREETING']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
ANSWERS = {GOOD: "one good day", BAD: "two oops"}
"""What each release answers: its version, and the configuration that the operator gave it."""


def a_release(number: int, revision: str, web: dict[str, object], **more: object) -> Release:
    """`web` is its service, but for its configuration."""
    now, greeting = datetime.now(UTC), ANSWERS[number].partition(" ")[2]
    spec = Spec.model_validate({"services": {"web": web}} | more)
    return Release(number, Commit(revision, now), spec, (), now, "a push", env={"GREETING": greeting})


class Room:
    """Writes the records of one target, which is reached through a gateway at `port`."""

    def __init__(self, targets: Targets, port: int) -> None:
        self._targets, self._port = targets, port

    async def make(self, *releases: Release) -> None:
        """All of them; the first is verified, and live. Raises RuntimeError where one cannot be made."""
        for release in releases:
            await self._take(Make(release, "a push"))
            await self._until(partial(_made, release.number))
            if release.number == GOOD:
                await self.apply(GOOD)
                await self._take(Verify(GOOD, "it was seen to work"))

    async def apply(self, number: int, *, warm: bool = False) -> None:
        """Until it is rolled out, and answers."""
        await self._take(Apply(number, "it is made"), warm=warm)
        await self._until(partial(_rolled_out, number))
        await answers(number, self._port, HOST)

    async def roll_back(self) -> None:
        """Until the last good one is rolled out, and answers with its configuration."""
        rollback = Rollback(BAD, GOOD, "smoke failed", "mayfly", datetime.now(UTC))
        await self._take(RollBack(rollback))
        await answers(GOOD, self._port, HOST)
        await self._until(partial(_rolled_out, GOOD))

    async def settle(self) -> None:
        await self._take(Settle(restored=True, because="it works again"))

    async def _take(self, step: Step, *, warm: bool = False) -> None:
        seen = await self._targets.seen(TARGET)
        await self._targets.save(changed(seen.record, step, 10, datetime.now(UTC), warm=warm), seen.version)

    async def _until(self, wanted: Callable[[Seen], bool]) -> None:
        async def look() -> bool:
            return wanted(await self._targets.seen(TARGET))

        await until(look, every=0.02)


def _made(number: int, seen: Seen) -> bool:
    making = seen.makings.get(number)
    if making is not None and making.state is MakingState.FAILED:
        raise RuntimeError(f"#{number} cannot be made: {making.reason}\n{making.logs}")
    return making is not None and making.state is MakingState.DONE


def _rolled_out(number: int, seen: Seen) -> bool:
    rollout = seen.rollout
    if rollout is not None and rollout.release == number and rollout.state is RolloutState.FAILED:
        raise RuntimeError(f"#{number} does not start: {rollout.message}\n{rollout.logs}")
    return rollout is not None and (rollout.release, rollout.state) == (number, RolloutState.COMPLETE)


async def until(look: Callable[[], Awaitable[bool]], every: float = 0.005) -> None:
    """Looked at from outside, as people would; every so many seconds."""
    async with asyncio.timeout(PATIENCE):
        while not await look():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(every)


async def answers(number: int, port: int, host: str = "localhost") -> None:
    """Until that release answers, with its configuration."""

    async def look() -> bool:
        return await _answer(port, host) == ANSWERS[number]

    await until(look)


async def _answer(port: int, host: str) -> str:
    """The body; empty where nobody answers."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return (await reader.read()).partition(b"\r\n\r\n")[2].decode()
        finally:
            writer.close()
    return ""


@asynccontextmanager
async def room(targets: Targets) -> AsyncIterator[Room]:
    """With a gateway before it that answers for nothing else."""

    async def visited(_key: PreviewKey) -> None:
        pass

    gateway = Gateway(targets.route, Starlette(), "localhost", visited)
    server = Server(gateway, on_stop=gateway.cut)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield Room(targets, bound.getsockname()[1])
        finally:
            server.should_exit = True
            await serving
