"""A burst of webhooks over HTTP, a third of them told twice and a tenth by strangers; SIGKILL in the middle of one.

The inbox is a process of its own with a real History (SQLite, which waits for the disk); GitHub is this one. The
payloads are GitHub's own examples, each about another pull request, so that every ring too many shows.
"""

import asyncio
import hashlib
import hmac
import json
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp

import tests.adapters.github.webhooks
from benchmarks._inbox import SECRET
from benchmarks.model import Row
from tests.scenarios.world import free_port

BURST = 1000
AT_ONCE = 16
"""Connections."""
GOAL = 50.0
"""Milliseconds."""
PATIENCE = 30.0
INBOX = [sys.executable, "-m", "benchmarks._inbox"]
EXAMPLES = Path(tests.adapters.github.webhooks.__path__[0]) / "examples.json"


@dataclass(frozen=True, slots=True)
class Told:
    id: str
    body: bytes
    signature: str
    forged: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    id: str
    status: int
    """0: the line was cut."""
    took: float
    """Milliseconds."""


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as name:
        return [*await _a_burst(Path(name) / "whole"), *await a_burst_that_is_cut(Path(name) / "cut")]


async def _a_burst(folder: Path) -> list[Row]:
    told = a_burst()
    async with _inbox(folder) as (url, _):
        await _tell(url, a_burst(60, prefix="warm"), AT_ONCE)
        answers = await _tell(url, told, AT_ONCE)
        crowd = await _tell(url, a_burst(prefix="crowd"), BURST)
    genuine = {one.id for one in told if not one.forged}
    rings = Counter(_rung(folder))
    wrong = [one for one in answers if one.status != (202 if one.id in genuine else 401)]
    half, most = _quantiles(answers)
    last = max(one.took for one in crowd)
    return [
        Row.at_most(f"{BURST:,} webhooks, {AT_ONCE} at a time: an answer takes (p50)", half, GOAL, "ms"),
        Row.at_most(f"{BURST:,} webhooks, {AT_ONCE} at a time: an answer takes (p99)", most, GOAL, "ms"),
        Row(f"{BURST:,} webhooks, all at once: the last is answered after", last, None, None, "ms", holds=True),
        Row.at_most("webhooks answered other than they should be", len(wrong), 0, ""),
        Row.at_most("pull requests that nobody rang for", len(genuine - rings.keys()), 0, ""),
        Row.at_most("rings too many", sum(rings[one] - 1 for one in genuine & rings.keys()), 0, ""),
    ]


async def a_burst_that_is_cut(folder: Path, count: int = BURST) -> list[Row]:
    """Whatever was answered with 202 is kept. The rest GitHub knows to have failed, and a restart looks at all."""
    told = a_burst(count, prefix="cut")
    async with _inbox(folder) as (url, process):
        telling = asyncio.create_task(_tell(url, told, AT_ONCE))
        await _until(lambda: len(_rung(folder)) >= count // 4)
        process.kill()
        heard = {one.id for one in await telling if one.status == 202}
    kept = _kept(folder)
    async with _inbox(folder) as (url, _):
        await _tell(url, told, AT_ONCE)
    lost = {one.id for one in told if not one.forged} - set(_rung(folder)) - kept
    return [
        Row("answered before a SIGKILL in the middle", len(heard), None, None, "", holds=0 < len(heard) < count),
        Row.at_most("of these, not kept", len(heard - kept), 0, ""),
        Row.at_most("told again after the restart: neither kept before nor rung for", len(lost), 0, ""),
    ]


def a_burst(count: int = BURST, prefix: str = "burst") -> list[Told]:
    """In no order, but the same each time."""
    again, forged = count // 3, count // 10
    chance = random.Random(4)
    genuine = [_told(f"{prefix}-{number}", number) for number in range(1, count - again - forged + 1)]
    strangers = [_told(f"{prefix}-forged-{number}", number, forged=True) for number in range(1, forged + 1)]
    burst = [*genuine, *strangers, *chance.sample(genuine, again)]
    chance.shuffle(burst)
    return burst


def _told(name: str, number: int, *, forged: bool = False) -> Told:
    payload = _examples()[number % len(_examples())]
    body = json.dumps(payload | {"number": number, "pull_request": payload["pull_request"] | {"number": number}})
    secret = "a stranger's" if forged else SECRET
    return Told(name, body.encode(), hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest(), forged)


@cache
def _examples() -> list[dict[str, Any]]:
    examples: list[dict[str, Any]] = json.loads(EXAMPLES.read_text())["pull_request"]
    return examples


async def _tell(url: str, burst: Sequence[Told], at_once: int) -> list[Answer]:
    waiting = iter(burst)
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:

        async def line() -> list[Answer]:
            return [await _one(session, url, told) for told in waiting]

        return [answer for answers in await asyncio.gather(*[line() for _ in range(at_once)]) for answer in answers]


async def _one(session: aiohttp.ClientSession, url: str, told: Told) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": told.id,
        "X-Hub-Signature-256": f"sha256={told.signature}",
    }
    began = time.perf_counter()
    try:
        async with session.post(url, data=told.body, headers=headers) as answer:
            await answer.read()
    except aiohttp.ClientError:
        return Answer(told.id, 0, 0)
    return Answer(told.id, answer.status, (time.perf_counter() - began) * 1000)


@asynccontextmanager
async def _inbox(folder: Path) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    """It answers when this begins."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    with subprocess.Popen([*INBOX, str(port), str(folder)], stdout=subprocess.DEVNULL) as process:  # noqa: ASYNC220
        try:
            await _until(lambda: _is_open(port))
            yield f"http://127.0.0.1:{port}/webhooks/github", process
        finally:
            process.terminate()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  # of another process: nothing here can tell
            await asyncio.sleep(0.002)


def _rung(folder: Path) -> list[str]:
    """Ids of deliveries, as often as each rang."""
    file = folder / "rung"
    return [line.partition(" ")[0] for line in file.read_text().splitlines()] if file.exists() else []


def _kept(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "history.sqlite3")) as history:
        return {name for (name,) in history.execute("SELECT id FROM deliveries")}


def _quantiles(answers: Sequence[Answer]) -> tuple[float, float]:
    """p50 and p99."""
    cuts = quantiles([one.took for one in answers], n=100)
    return cuts[49], cuts[98]


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)
