"""A status page over 10 million samples: 20 probes every 15 seconds for 90 days, on SQLite.

What a reader waits for: GET /status of the real API over the real desk, by HTTP in this process, nothing cached but
what the database and the system keep. The figure holds while the machine has a core to spare; CPU is beside it. Of the
same samples: what they take on disk, all of them kept, and as a policy keeps them by default. Lasts about a minute.
"""

import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx

from benchmarks._ninety import ALL, BEGINS, DAYS, NOW, NUMBER, PROBES, fill
from benchmarks.model import Row
from controller.adapters.history import open_history, sqlite_url
from controller.adapters.history.samples.spans import FIVE_MINUTES, micros
from controller.adapters.history.sql import SqlHistory
from controller.api import create_api
from controller.api.probe_pages import create_probe_pages
from controller.gateway.serving import settle
from controller.probes.around import Around
from controller.probes.frontdesk import FrontDesk
from controller.probes.model import Sample
from controller.probes.watch import Watch
from controller.settings import HERE, Policy, Probe, Probing
from smoke.model import Outcome
from tests.fakes.desk import FakeDesk

GOAL = 200
"""Milliseconds."""
READ = 30
A_SECOND = 333
"""Samples that 10,000 probes make every 30 s."""
SECONDS = 300
CORE = "one core, kept busy by 10,000 probes every 30 s"
MILLION = f"{NUMBER / 1e6:.1f} million samples"


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
        pace, bytes_of_a_row = await _appended(Path(folder) / "rows.sqlite3")
        return [*await _whole(Path(folder) / "whole.sqlite3", bytes_of_a_row), pace]


async def _appended(file: Path) -> tuple[Row, float]:
    """In batches of a second, none rolled up; with the bytes of each."""
    chance = random.Random(1)
    batches = [[_sample(f"probe-{n}", chance) for n in range(A_SECOND)] for _ in range(SECONDS)]
    history = await open_history(sqlite_url(file))
    samples = history.samples(Probing())
    await samples.append(batches[0])
    took = await _cpu(*[samples.append(batch) for batch in batches[1:]])
    await history.close()
    rate = (SECONDS - 1) * A_SECOND / took
    name = f"samples appended per CPU-second, {A_SECOND} at once"
    row = Row(name, rate, A_SECOND, None, "", holds=rate > 20 * A_SECOND, against=CORE)
    return row, _size(file) / (SECONDS * A_SECOND)


async def _whole(file: Path, bytes_of_a_row: float) -> list[Row]:
    history = await open_history(sqlite_url(file))
    await fill(history.samples(ALL), file)
    all_day, of_one = [await _pages(history, path) for path in ("/status", f"/status/{PROBES[0]}")]
    await history.close()
    whole, as_rows = _size(file) / 1e6, NUMBER * bytes_of_a_row / 1e6
    return [
        *_waited(f"GET /status, {DAYS} days of {MILLION}", all_day),
        *_waited(f"GET /status of one of {len(PROBES)} probes", of_one),
        Row.at_most(f"{MILLION} on disk, each kept", whole, as_rows, "MB", peer=as_rows, against="a row of each"),
        Row("the same, kept as by default", _by_default(file), None, None, "MB", holds=True),
    ]


async def _pages(history: SqlHistory, path: str) -> list[tuple[float, float]]:
    """Milliseconds until a page was there whole, and milliseconds of CPU; the reader's own are in both."""
    async with _a_reader(history) as reader:
        page = await reader.get(path)
        assert page.status_code == 200, page.text
        assert ' aria-label="probe-0, 90 days: ' in page.text
        assert ' aria-label="Latency of probe-0 over 24 hours: ' in page.text
        settle()
        return [await _read(reader, path) for _ in range(READ)]


async def _read(reader: httpx.AsyncClient, path: str) -> tuple[float, float]:
    began, busy = time.perf_counter(), time.process_time()
    await reader.get(path)
    return (time.perf_counter() - began) * 1000, (time.process_time() - busy) * 1000


def _a_reader(history: SqlHistory) -> httpx.AsyncClient:
    said = {"url": "http://127.0.0.1:9", "every": "15s", "objective": "99.9% over 30 days"}
    probes = [Probe.model_validate({"name": name} | said) for name in PROBES]
    samples, policy = history.samples(ALL), Policy()
    watch = Watch(probes, ALL, samples, history.alerts, Around(_nobody, clock=lambda: NOW))
    desk = FrontDesk(probes, samples, history.alerts, watch)
    pages = [create_probe_pages(desk, policy, clock=lambda: NOW)]
    api = create_api(FakeDesk(), probes=desk, version="0", policy=policy, ready=_ready, routers=pages)
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://localhost:8080")


def _waited(name: str, pages: list[tuple[float, float]]) -> list[Row]:
    waits, busy = sorted(wait for wait, _ in pages), statistics.median(cpu for _, cpu in pages)
    return [
        Row.at_most(f"{name}, p50", statistics.median(waits), GOAL, "ms"),
        Row.at_most(f"{name}, p99 (of {READ}: the longest)", waits[int(0.99 * READ)], GOAL, "ms"),
        Row.at_most(f"{name}, CPU", busy, GOAL, "ms"),
    ]


def _by_default(file: Path) -> float:
    """Megabytes, once what is too old is forgotten: the controller does it little by little, day by day."""
    kept = Probing()
    raw, fives = (micros(NOW - lasts) // FIVE_MINUTES for lasts in (kept.raw_for, kept.five_minutes_for))
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM sample_chunks WHERE step < ?", (raw,))
        database.execute("DELETE FROM sample_steps WHERE minutes = 5 AND step < ?", (fives,))
        database.commit()
        database.execute("VACUUM")
    return _size(file) / 1e6


def _sample(probe: str, chance: random.Random) -> Sample:
    late, took = timedelta(microseconds=chance.randrange(5_000)), timedelta(seconds=chance.lognormvariate(-2.3, 0.4))
    return Sample(probe, HERE, BEGINS, late, took, Outcome.PASSED)


async def _nobody(_notices: object) -> None:
    """Is told."""


async def _ready() -> dict[str, str]:
    return {}


async def _cpu(*work: Awaitable[object]) -> float:
    """Seconds of this process, its threads included."""
    began = time.process_time()
    for one in work:
        await one
    return time.process_time() - began


def _size(file: Path) -> int:
    return sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*"))


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)
