"""A controller is told to stop: nobody notices, and the time it was given is kept. Real processes, real signals."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import pytest

from controller.settings import Policy
from controller.stopping import pace_of

pytestmark = pytest.mark.processes


@dataclass
class Stoppable:
    process: asyncio.subprocess.Process
    port: int
    session: aiohttp.ClientSession
    said: list[str] = field(default_factory=list)

    async def get(self, path: str) -> int:
        async with self.session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            await answer.read()
            return answer.status

    def told(self, number: int = signal.SIGTERM) -> float:
        self.process.send_signal(number)
        return time.monotonic()

    async def hears(self, word: str) -> None:
        async with asyncio.timeout(10):
            while (line := (await self.process.stdout.readline()).decode().strip()) != word:
                assert line, f"it ended before it said {word}"

    async def ended(self, since: float) -> tuple[int, float]:
        """Exit code, and seconds since."""
        async with asyncio.timeout(15):
            self.said += (await self.process.stdout.read()).decode().splitlines()
            return await self.process.wait(), time.monotonic() - since


@asynccontextmanager
async def stoppable(
    *, within: float = 10, grace: float = 0, requests: float = 3, round_takes: float = 0
) -> AsyncIterator[Stoppable]:
    words = [str(one) for one in (within, grace, requests, round_takes)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.stoppable", *words, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        port = int(await process.stdout.readline())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        it = Stoppable(process, port, session)
        try:
            async with asyncio.timeout(10):
                while True:
                    try:
                        assert await it.get("/readyz") == 200
                        break
                    except aiohttp.ClientConnectorError:
                        await asyncio.sleep(0.02)
            yield it
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_it_says_that_it_stops_before_it_takes_nothing_new():
    async with stoppable(grace=1.5) as it:
        began = it.told()
        async with asyncio.timeout(1):
            while await it.get("/readyz") != 503:
                await asyncio.sleep(0.01)
        assert await it.get("/slow") == 200
        code, took = await it.ended(began)
    assert (code, took >= 1.5) == (0, True)


async def test_a_request_under_way_is_finished_and_a_new_one_is_not_taken():
    async with stoppable() as it:
        asked = asyncio.create_task(it.get("/slow"))
        await asyncio.sleep(0.2)  # it is under way: `/slow` takes a second
        began = it.told()
        async with asyncio.timeout(0.7):
            while True:
                try:
                    await it.get("/readyz")
                except aiohttp.ClientError:
                    break
                await asyncio.sleep(0.01)
        assert await asked == 200
        assert (await it.ended(began))[0] == 0


async def test_the_round_under_way_is_finished():
    async with stoppable(round_takes=1) as it:
        code, took = await it.ended(it.told())
    assert (code, it.said[-1]) == (0, "round finished")
    assert took < 5


async def test_a_round_that_takes_too_long_is_cut_within_the_time():
    async with stoppable(within=4, requests=0.5, round_takes=60) as it:
        code, took = await it.ended(it.told())
    assert (code, it.said[-1]) == (0, "round cut")
    assert took < 4


async def test_what_does_not_let_go_keeps_nobody_beyond_the_time():
    async with stoppable(within=1.5) as it:
        asked = asyncio.create_task(it.get("/deaf"))
        await it.hears("deaf")
        code, took = await it.ended(it.told())
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    assert (code, 1.5 <= took < 2.5) == (-signal.SIGALRM, True)


async def test_a_second_signal_stops_it_at_once():
    async with stoppable(grace=5, round_takes=60) as it:
        it.told(signal.SIGINT)
        async with asyncio.timeout(2):
            while await it.get("/readyz") != 503:
                await asyncio.sleep(0.01)
        _, took = await it.ended(it.told(signal.SIGTERM))
    assert took < 2


@pytest.mark.parametrize(
    ("listen", "grace", "requests"),
    [
        pytest.param("127.0.0.1:8080", timedelta(), timedelta(seconds=2), id="on one's own machine"),
        pytest.param("0.0.0.0:8080", timedelta(seconds=3), timedelta(seconds=8), id="behind a load balancer"),
    ],
)
def test_the_time_is_shared_out(listen: str, grace: timedelta, requests: timedelta):
    pace = pace_of(Policy(listen=listen))
    assert (pace.grace, pace.requests) == (grace, requests)
    assert pace.grace + pace.requests < pace.within
