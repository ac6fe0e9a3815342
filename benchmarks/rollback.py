"""On this machine, from the verdict (the record says so) until the last good release answers at its URL again, with its
configuration; through the gateway, with a real PostgreSQL.

Cold, the good release has to be started again; warm, it runs on beside the bad one. The peer is the bare start of the
same command, until its health answers: nobody who starts it can be faster.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from benchmarks._ground import commit
from benchmarks._room import ANSWERS, APP, BAD, GOOD, TARGET, Room, a_release, answers, room, until
from benchmarks.model import Row
from controller.adapters.local import processes
from controller.adapters.local.ports import free_port
from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.local.targets import LocalTargets
from controller.adapters.local.work import home_mark
from controller.adapters.postgres.databases import PostgresDatabases
from controller.common.nouns import Source
from controller.deploys.model import Release
from controller.settings import Local, Policy, Target

ROUNDS = 10
MARGIN = 1.0
"""Seconds that a rollback may take longer than the bare start."""


async def measure() -> list[Row]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
            async with _main(Path(folder)) as targets, room(targets) as here:
                return await _Race(here, Path(folder)).rows()
    finally:
        structlog.reset_defaults()


class _Race:
    def __init__(self, here: Room, folder: Path) -> None:
        self._here, self._folder = here, folder

    async def rows(self) -> list[Row]:
        await self._here.make(_release(self._folder, GOOD), _release(self._folder, BAD))
        laps = [await self._lap() for _ in range(ROUNDS)]
        cold, warm, bare = zip(*laps, strict=True)
        return [*_rows("cold", cold, bare), *_rows("warm", warm, bare)]

    async def _lap(self) -> tuple[float, float, float]:
        """Seconds: cold, warm, and the bare start."""
        return await self._cold(), await self._warm(), await _bare(self._folder / "checkout")

    async def _cold(self) -> float:
        await self._here.apply(BAD)
        await until(self._good_has_ended, every=0.02)
        return await self._rolled_back()

    async def _good_has_ended(self) -> bool:
        return not self._runs(GOOD)

    async def _warm(self) -> float:
        await self._here.apply(BAD, warm=True)
        if not self._runs(GOOD):
            raise RuntimeError("it is not warm")
        return await self._rolled_back()

    async def _rolled_back(self) -> float:
        began = time.perf_counter()
        await self._here.roll_back()
        took = time.perf_counter() - began
        await self._here.settle()
        return took

    def _runs(self, number: int) -> bool:
        home = home_mark(self._folder / "main")
        return any(mark.startswith(f"{home}{TARGET}/{number}/") for mark in processes.marked(home).values())


def _release(folder: Path, number: int) -> Release:
    version = ANSWERS[number].partition(" ")[0]
    web: dict[str, object] = {"command": [sys.executable, "app.py", version], "port": 8000, "health": "/"}
    database = {"postgres": {"seed": ["seed.sql"]}, "rollback": "safe"}
    files = {"app.py": APP, "seed.sql": "CREATE TABLE things (n int);", "version": version}
    return a_release(number, commit(folder, files), web, database=database)


async def _bare(checkout: Path) -> float:
    """By hand, in a checkout of it."""
    port = free_port(set())
    env = {"HOST": "127.0.0.1", "PORT": str(port), "GREETING": "good day", "PATH": os.environ["PATH"]}
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "app.py", "one", cwd=checkout, env=env)
    try:
        await answers(GOOD, port)
        return time.perf_counter() - began
    finally:
        process.kill()
        await process.wait()


def _rows(how: str, ours: tuple[float, ...], bare: tuple[float, ...]) -> list[Row]:
    start = statistics.median(bare)
    against, name = "the bare start of its service", f"verdict → the last good release answers, {how}"
    return [
        Row.at_most(f"{name}: p50", statistics.median(ours), start + MARGIN, "s", peer=start, against=against),
        Row.at_most(f"{name}: at most", max(ours), start + MARGIN, "s", peer=max(bare), against=against),
    ]


@asynccontextmanager
async def _main(folder: Path) -> AsyncIterator[LocalTargets]:
    """Nothing of it runs on afterwards."""
    postgres = EmbeddedPostgres(folder / "postgres")
    local = Local(path=os.environ["PATH"], stop_within=timedelta(seconds=1))

    async def source(_repo: str) -> Source:
        return Source(str(folder / "checkout"))

    targets = LocalTargets(
        folder / "main",
        policy=Policy(local=local, targets=[Target(name=TARGET, repository="shop")]),
        source=source,
        databases=PostgresDatabases(postgres.url, awake=postgres.ensure),
        psql=lambda: postgres.binary("psql"),
        secrets={},
    )
    try:
        await postgres.start()
        await targets.open()
        yield targets
    finally:
        await targets.halt()
        await postgres.remove()


if __name__ == "__main__":
    print(asyncio.run(measure()))
