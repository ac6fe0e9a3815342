"""200 HTTP checks against a server that takes 20 ms for each answer: from `python -m smoke run` to its report."""

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.model import Row
from smoke.model import Outcome, SuiteRun

CHECKS = 200
DELAY = 0.020
ROUNDS = 5
LIMIT = 60.0
_BODY = b"Welcome"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


async def measure() -> list[Row]:
    checks = [{"name": f"page {n}", "http": {"path": f"/{n}", "expect": {"body": "Welcome"}}} for n in range(CHECKS)]
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    try:
        with tempfile.TemporaryDirectory() as folder:
            file, report = Path(folder) / "checks.json", Path(folder) / "report.json"
            file.write_text(json.dumps({"checks": checks}))
            command = ["-m", "smoke", "run", str(file), "--url", f"http://127.0.0.1:{port}", "--json", str(report)]
            ours = statistics.median([await _run(command, report) for _ in range(ROUNDS)])
            start = statistics.median([await _time(["-I", "-c", "pass"]) for _ in range(ROUNDS)])
    finally:
        server.close()
    limit = start + DELAY
    return [Row.at_most(f"{CHECKS} HTTP checks, start to report", ours, 0.5, "s", peer=limit, against=_PEER)]


_PEER = "physical limit: Python's start and one round trip"


async def _run(command: Sequence[str], report: Path) -> float:
    took = await _time(command)
    run = SuiteRun.from_json(report.read_bytes())
    if run.outcome is not Outcome.PASSED or len(run.results) != CHECKS:
        raise RuntimeError(f"{len(run.results)} checks ran, and {run.outcome} is what came of it")
    return took


async def _time(command: Sequence[str]) -> float:
    """Seconds from the start of the interpreter to its end."""
    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, errors = await asyncio.wait_for(process.communicate(), LIMIT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    took = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"it ended with {process.returncode}: {errors.decode(errors='replace')[-500:]}")
    return took


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every request of a connection, each after the delay; no request has a body."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(DELAY)
            writer.write(_ANSWER)
            await writer.drain()
    writer.close()
