"""Probes: 10,000 at 30 s on one core, and how many a second of CPU makes, each with a new connection.

Beside Debian's prometheus-blackbox-exporter, which is asked for the same target over HTTP as a Prometheus would, and
has the same core. Who is probed, and who asks the exporter, have the other one. Ours judges each sample as well.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from benchmarks._process import use_of
from benchmarks.model import Row, Skipped
from tests.scenarios.world import free_port

LATE = 250.0
"""Milliseconds: the goal for p99."""
TIMES = 1.2
PEER = "prometheus-blackbox-exporter"
MODULE = """
modules:
  it:
    prober: http
    timeout: 5s
    http: {preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [Welcome]}
"""
COUNT = 6000
AT_ONCE = 16
PATIENCE = 30.0


async def measure() -> list[Row]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Skipped("it needs two cores: one that probes, and one that answers")
    async with _answering(cores[1]) as url:
        rate = await _ours(cores[0], url, "rate")
        flat = await _ours(cores[0], url, "flat")
        peer = await _peer(cores, url)
    return [
        Row.at_most("10,000 probes at 30 s on one core: late by (p50)", rate["p50"], LATE, "ms"),
        Row.at_most("10,000 probes at 30 s on one core: late by (p99)", rate["p99"], LATE, "ms"),
        Row.at_most("10,000 probes at 30 s on one core: late by (most)", rate["most"], 10 * LATE, "ms"),
        Row.at_most("10,000 probes at 30 s: share of the core", rate["share"], 100, "%"),
        Row("10,000 probes at 30 s: samples a second", rate["a_second"], None, None, "", holds=rate["a_second"] > 325),
        Row.at_most("10,000 probes at 30 s: left out, or not passed", rate["left_out"] + rate["others"], 0, ""),
        _beside(flat["per_cpu_second"] if not flat["others"] else 0.0, peer),
    ]


def _beside(ours: float, peer: float | None) -> Row:
    name = "probes for each second of CPU, a new connection each"
    goal = TIMES * peer if peer is not None else None
    return Row(name, ours, peer, goal, "", holds=goal is None or ours >= goal, against=PEER if peer else "")


async def _ours(core: int, url: str, mode: str) -> dict[str, float]:
    program = [sys.executable, "-m", "benchmarks._prober", url, mode]
    process = await asyncio.create_subprocess_exec("taskset", "-c", str(core), *program, stdout=subprocess.PIPE)
    told, _ = await process.communicate()
    found: dict[str, float] = json.loads(told)
    return found


async def _peer(cores: Sequence[int], url: str) -> float | None:
    """Probes for each second of its CPU; None where it is not installed."""
    if shutil.which(PEER) is None:
        return None
    os.sched_setaffinity(0, {cores[1]})
    try:
        with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
            return await _asked(Path(folder), cores[0], url)
    finally:
        os.sched_setaffinity(0, cores)


async def _asked(folder: Path, core: int, url: str) -> float:
    config, port = folder / "blackbox.yml", free_port()
    config.write_text(MODULE)
    address = [f"--web.listen-address=127.0.0.1:{port}", f"--config.file={config}", "--log.level=error"]
    async with _running(["taskset", "-c", str(core), PEER, *address], port) as process:
        connector = aiohttp.TCPConnector(limit=AT_ONCE)
        async with aiohttp.ClientSession(connector=connector) as session:
            asked = f"http://127.0.0.1:{port}/probe"

            async def many(count: int) -> None:
                waiting = iter(range(count))

                async def line() -> None:
                    for _ in waiting:
                        async with session.get(asked, params={"target": url, "module": "it"}) as answer:
                            if "probe_success 1" not in await answer.text():
                                raise AssertionError("the peer's probe did not pass")

                await asyncio.gather(*[line() for _ in range(AT_ONCE)])

            await many(500)
            before = use_of(process.pid).cpu
            await many(COUNT)
            return COUNT / (use_of(process.pid).cpu - before)


@asynccontextmanager
async def _answering(core: int) -> AsyncIterator[str]:
    port = free_port()
    async with _running(["taskset", "-c", str(core), sys.executable, "-m", "benchmarks._answers", str(port)], port):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def _running(command: Sequence[str], port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """It listens when this begins. `taskset` becomes what it starts."""
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(PATIENCE):
            while not _is_open(port):  # noqa: ASYNC110  # of another process: nothing here can tell
                await asyncio.sleep(0.02)
        yield process
    finally:
        process.terminate()
        await process.wait()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)
