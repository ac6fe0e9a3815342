"""`mayfly agent`, the process, and the real API that it is told by and brings its samples to, over HTTP."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from controller.access.desk import AccessDesk
from controller.access.model import Scope
from controller.probes.around import Around, now
from controller.probes.frontdesk import FrontDesk
from controller.probes.watch import Watch
from controller.settings import Policy
from tests.api.api import an_api
from tests.fakes.access import FakeAccess
from tests.fakes.alerts import FakeAlerts
from tests.fakes.desk import FakeDesk
from tests.fakes.samples import FakeSamples
from tests.probes.shop import Shop, opened
from tests.scenarios.serving import served

pytestmark = pytest.mark.processes
SECOND = timedelta(seconds=1)
PATIENCE = 20


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.02)


class Controller:
    """Its History outlives it. Agents reach it at `url`, through whatever `between` makes of an answer."""

    def __init__(self, shop: Shop) -> None:
        self.samples, self.access = FakeSamples(), AccessDesk(FakeAccess(), FakeAccess(), now)
        probe = {"name": "shop", "url": shop.url, "every": "1s", "locations": ["berlin"]}
        self.policy = Policy.model_validate({"access": {"mode": "token"}, "probes": [probe]})
        self.between: Callable[[str, bytes], bytes | None] = lambda path, answer: answer
        self._running = AsyncExitStack()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        watch = Watch(self.policy.probes, self.policy.probing, self.samples, FakeAlerts(), Around(_nobody))
        desk = FrontDesk(self.policy.probes, self.samples, FakeAlerts(), watch)
        app = an_api(FakeDesk(), policy=self.policy, access=self.access, probes=desk)
        looking = asyncio.create_task(watch.run())
        self._running.push_async_callback(_ended, looking)
        api = await self._running.enter_async_context(served(app))
        await self._running.enter_async_context(self._reached(api))

    async def stop(self) -> None:
        await self._running.aclose()

    @asynccontextmanager
    async def _reached(self, api: str) -> AsyncIterator[None]:
        async def passed_on(request: web.Request) -> web.StreamResponse:
            headers = {
                name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers
            }
            body = await request.read()
            async with session.request(request.method, f"{api}{request.path}", data=body, headers=headers) as answer:
                said = self.between(request.path, await answer.read())
                if said is None and request.transport is not None:
                    request.transport.abort()
                return web.Response(status=answer.status, body=said)

        site = web.Application()
        site.router.add_route("*", "/{path:.*}", passed_on)
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
        async with aiohttp.ClientSession() as session:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port, reuse_address=True).start()
            yield
            await runner.cleanup()


async def _nobody(_notices: object) -> None:
    """Takes no notices."""


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class AnAgent:
    """The process, in one folder, and what it said."""

    def __init__(self, controller: Controller, token: str, folder: Path) -> None:
        self._words = ["--location", "berlin", "--controller", controller.url, "--folder", f"{folder}"]
        self._token = token
        self._folder = folder
        self._log = folder.with_suffix(".log")

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "controller.cli.main", "agent", *self._words],
                env={**os.environ, "MAYFLY_TOKEN": self._token},
                stderr=log,
            )

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    @property
    def waiting(self) -> int:
        return sum(len(file.read_bytes().splitlines()) for file in (self._folder / "samples").glob("*.jsonl"))

    def said(self, words: str) -> bool:
        return words in self._log.read_text()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as one:
        yield one


@pytest.fixture
async def controller(shop: Shop) -> AsyncIterator[Controller]:
    one = Controller(shop)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def agent(controller: Controller, tmp_path: Path) -> AsyncIterator[AnAgent]:
    _, token = await controller.access.make("berlin", Scope.AGENT, "ada")
    one = AnAgent(controller, token, tmp_path / "agent")
    await one.start()
    yield one
    await one.end(signal.SIGKILL)


async def test_nothing_is_lost_or_doubled_by_a_controller_that_stops_or_an_agent_that_is_killed(
    shop: Shop, controller: Controller, agent: AnAgent
):
    kept = controller.samples.kept
    await until(lambda: len(kept) >= 2)
    assert {(sample.probe, sample.location) for sample in kept} == {("shop", "berlin")}

    await controller.stop()
    await until(lambda: agent.waiting >= 2)
    await agent.end(signal.SIGKILL)
    buffered = agent.waiting
    await agent.start()
    await until(lambda: agent.waiting >= buffered + 2)

    answers = iter([None])
    controller.between = lambda path, answer: next(answers, answer) if path.endswith("samples") else answer
    await controller.start()
    await until(lambda: agent.waiting == 0)
    assert await agent.end() == 0

    assert next(answers, "told") == "told", "one answer to a delivery was lost on its way"
    times = sorted(sample.at for sample in kept)
    assert len(times) == len(set(times)), "nothing counts twice"
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert sum(gap > 1.5 * SECOND for gap in gaps) <= 1, "nothing is missing but while no agent ran"
    assert len(shop.asked) - len(kept) in {0, 1}, "but the one run that was under way when it was killed"


async def test_a_changed_assignment_is_refused_and_the_last_good_one_goes_on(
    shop: Shop, controller: Controller, agent: AnAgent
):
    await until(lambda: controller.samples.kept)
    assert await agent.end() == 0

    def changed(path: str, answer: bytes) -> bytes:
        if not path.endswith("assignment"):
            return answer
        signed = json.loads(answer)
        return json.dumps(signed | {"assignment": signed["assignment"].replace(shop.url, f"{shop.url}/evil")}).encode()

    controller.between = changed
    before = len(controller.samples.kept)
    await agent.start()
    await until(lambda: agent.said("the signature is wrong: the controller did not say this to this agent's token"))
    await until(lambda: len(controller.samples.kept) >= before + 2)
    assert set(shop.asked) == {"/"}
