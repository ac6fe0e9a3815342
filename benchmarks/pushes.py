"""A push until its URL answers, against the same service started by hand; twenty at once; the controller's memory.

A whole Mayfly in its own process, real pushes, a real PostgreSQL. The service answers from its database.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.model import Row
from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import PostgresDatabases
from tests.scenarios.world import World, free_port, get

ROUNDS = 7
AT_ONCE = 20
MANY = 50
PATIENCE = 180.0
POLICY = "previews: {max_alive: 60, max_removals: 60}"


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
        world = World(Path(folder), POLICY)
        world.start()
        try:
            idle = _memory(world)
            pushed = [_push(world, n) for n in range(ROUNDS)]
            by_hand = await _by_hand(world)
            crowd = _crowd(world, AT_ONCE)
            _crowd(world, MANY - 1, first=AT_ONCE)
            many = _memory(world)
        finally:
            world.kill()
            await world.clean()
    hand, push = statistics.median(by_hand), statistics.median(pushed[1:])
    return [
        Row.at_most(
            "push → URL answers (median; without the first)",
            push,
            hand + 1.0,
            "s",
            peer=hand,
            against="the same service started by hand",
        ),
        Row("the first push: starts PostgreSQL, seeds", pushed[0], None, None, "s", holds=True),
        Row(
            f"{AT_ONCE} pull requests at once: all URLs answer",
            crowd,
            AT_ONCE * hand / 2,
            None,
            "s",
            holds=True,
            against="as many starts by hand, two at a time",
        ),
        Row.at_most("memory of the controller, idle", idle, 150.0, "MB"),
        Row.at_most(f"memory of the controller with {MANY} previews", many, 150.0, "MB"),
    ]


def _push(world: World, n: int) -> float:
    head = world.commit(f"push {n}")
    began = time.perf_counter()
    world.push()
    _until(lambda: world.page().get("revision") == head)
    return time.perf_counter() - began


async def _by_hand(world: World) -> list[float]:
    """The service with a database of its own, from exec to its first answer."""
    postgres = EmbeddedPostgres(world.home.postgres)
    databases = PostgresDatabases(postgres.url, awake=postgres.ensure)
    [seed] = await databases.templates()
    took = []
    for n in range(ROUNDS):
        url = await databases.clone(f"byhand{n}", seed)
        with _service(world.checkout, url) as port:
            began = time.perf_counter()
            _until(partial(_answers, port))
            took.append(time.perf_counter() - began)
        await databases.drop(f"byhand{n}")
    return took


def _answers(port: int) -> bool:
    return get(f"http://127.0.0.1:{port}/") is not None


@contextmanager
def _service(folder: Path, database: str) -> Iterator[int]:
    port = free_port()
    env = {"DATABASE_URL": database, "PORT": str(port), "REVISION": "by hand", "PATH": os.environ["PATH"]}
    with subprocess.Popen([sys.executable, "app.py"], cwd=folder, env=env) as process:
        yield port
        process.terminate()


def _crowd(world: World, count: int, first: int = 0) -> float:
    """So many branches in one push."""
    names = [f"branch-{n}" for n in range(first, count)]
    for name in names:
        world.git("branch", name)
    began = time.perf_counter()
    world.push(*names)
    _until(lambda: world.ready() >= count + 1)
    return time.perf_counter() - began


def _memory(world: World) -> float:
    """Resident megabytes, after a while without work."""
    time.sleep(3)
    status = Path(f"/proc/{world.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen within {PATIENCE:.0f} s")
        time.sleep(0.01)


if __name__ == "__main__":
    print(asyncio.run(measure()))
