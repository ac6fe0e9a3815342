"""What only the embedded platform does for main: real processes that switch, die, outlive us, and are found again."""

import asyncio
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from controller.adapters.local.processes import MARK, send
from controller.adapters.local.work import home_mark
from controller.common.nouns import ServiceState
from controller.deploys.model import Release, RolloutState
from controller.errors import Refused
from tests.adapters.local.main_world import TARGET, MainWorld
from tests.contracts.targets import deploy, eventually, go_live, make, roll_back, rolled_out, until, write

pytestmark = pytest.mark.processes


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[MainWorld]:
    world = MainWorld(tmp_path)
    await world.open()
    yield world
    await world.close()


async def test_main_answers_all_the_time(world: MainWorld) -> None:
    await deploy(world, world.release(1, "plain"))
    answers: list[str] = []
    over = asyncio.Event()

    async def visit() -> None:
        while not over.is_set():
            answers.append((await world.ask()).partition(" ")[0])

    visitor = asyncio.create_task(visit())
    await deploy(world, world.release(2, "late", version="two"))
    await eventually(lambda: "two" in answers)
    await roll_back(world, bad=2, to=1)
    await rolled_out(world, 1)
    await eventually(lambda: world.running() == {(1, "web")} and answers[-1] == "one")
    over.set()
    await visitor
    turns = [answers[0], *(new for old, new in pairwise(answers) if old != new)]
    assert turns == ["one", "two", "one"]


@pytest.mark.parametrize("warm", [pytest.param(0, id="sealed"), pytest.param(1, id="warm")])
async def test_a_rollback_takes_as_long_as_its_service_starts(world: MainWorld, warm: int) -> None:
    start = 0.0 if warm else 0.7
    await deploy(world, world.release(1, "late"))
    await deploy(world, world.release(2, version="two"), warm=warm)
    began = time.monotonic()
    await roll_back(world, bad=2, to=1)
    async with asyncio.timeout(30):
        while not (await world.ask()).startswith("one"):
            await asyncio.sleep(0.005)
    assert time.monotonic() - began < start + 1.0


async def test_a_service_that_keeps_crashing_after_it_was_rolled_out_is_a_failed_rollout(world: MainWorld) -> None:
    await deploy(world, world.release(1, "plain"))

    async def dies() -> bool:
        try:
            await world.ask("/die")
        except (OSError, AssertionError):
            await asyncio.sleep(0.05)
        rollout = (await world.targets.seen(TARGET)).rollout
        return rollout is not None and rollout.state is RolloutState.FAILED

    async with asyncio.timeout(60):
        while not await dies():
            pass
    rollout = (await world.targets.seen(TARGET)).rollout
    assert rollout is not None
    assert rollout.message == "web keeps crashing: it exited with status 7"
    await rolled_out(world, 1)
    assert (await world.ask()).startswith("one")


async def test_a_supervisor_that_was_killed_is_started_again(world: MainWorld) -> None:
    await deploy(world, world.release(1, "plain"))
    site = world.targets._sites[TARGET]
    state = site.tested.service("web").state()
    assert state is not None
    send(state.shim, signal.SIGKILL)
    await until(world, lambda seen: seen.services[0].state is not ServiceState.HEALTHY)
    await until(world, lambda seen: seen.services[0].state is ServiceState.HEALTHY)
    assert (await world.ask()).startswith("one")


async def test_a_command_that_is_not_there_is_a_failed_rollout(world: MainWorld) -> None:
    release = world.release(1, "plain")
    web = release.spec.services["web"].model_copy(update={"command": ("no-such-program",)})
    spec = release.spec.model_copy(update={"services": {"web": web}})
    await make(world, replace(release, spec=spec))
    await go_live(world, 1)
    rollout = (await rolled_out(world, 1, RolloutState.FAILED)).rollout
    assert rollout is not None
    assert "cannot run 'no-such-program'" in rollout.logs
    await eventually(lambda: world.running() == set())


async def test_what_was_halted_starts_with_the_next_open_and_stays_rolled_out(world: MainWorld) -> None:
    await deploy(world, world.release(1, "plain"))
    await deploy(world, world.release(2, "plain", version="two"), warm=1)
    await world.targets.halt()
    assert world.marks() == set()
    await world.open()
    rollout = (await world.targets.seen(TARGET)).rollout
    assert rollout is not None
    assert rollout.state is RolloutState.COMPLETE
    await until(world, lambda seen: seen.services[0].state is ServiceState.HEALTHY)
    await eventually(lambda: world.running() == {(1, "web"), (2, "web")})
    assert (await world.ask()).startswith("two")


async def test_what_nothing_names_any_more_is_gone_after_a_restart(world: MainWorld) -> None:
    await deploy(world, world.release(1, "plain"))
    await world.targets.close()
    (world.folder(9) / "tree").mkdir(parents=True)
    env = {MARK: f"{home_mark(world.home)}{TARGET}/9/services/web/"}
    stray = await asyncio.to_thread(subprocess.Popen, ["sleep", "600"], env=env)
    await world.open()
    await asyncio.to_thread(stray.wait, 30)
    await eventually(lambda: world.leftovers(9) == [])
    assert world.running() == {(1, "web")}


async def test_a_secret_is_kept_for_our_eyes_only_and_for_a_rollback(world: MainWorld) -> None:
    release = world.release(1, "plain", secret="the first one")
    await deploy(world, release)
    [kept] = (world.home / TARGET / "secrets").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == (release.secrets["API_KEY"], 0o600)
    assert "the first one" not in (world.folder(1) / "release.json").read_text()
    assert "the first one" not in (world.home / TARGET / "target.json").read_text()


async def test_a_database_that_the_server_lost_begins_from_the_seed(world: MainWorld) -> None:
    await deploy(world, world.release(1))
    await world.ask("/add/typed")
    await world.targets.halt()
    await world.databases.drop(f"main-{TARGET}")
    await world.open()
    await until(world, lambda seen: seen.services[0].state is ServiceState.HEALTHY)
    assert await world.ask() == "one seeded,migrated"


async def test_a_record_that_cannot_be_read_is_for_a_person(world: MainWorld) -> None:
    await deploy(world, world.release(1, "plain"))
    await world.targets.close()
    (world.home / TARGET / "target.json").write_text("{")
    with pytest.raises(Refused, match=r"target.json"):
        await world.open()
    assert world.running() == {(1, "web")}


async def test_those_who_follow_the_logs_are_led_to_the_next_release(world: MainWorld) -> None:
    await deploy(world, world.release(1, "plain"))
    async with aclosing(world.targets.logs(TARGET, "web", 10, follow=True)) as lines:  # type: ignore[type-var]
        assert await anext(lines) == "listening"
        following = asyncio.ensure_future(anext(lines))
        await deploy(world, world.release(2, "plain", version="two"))
        async with asyncio.timeout(30):
            assert await following == "listening"


async def test_an_unknown_target_is_refused(world: MainWorld) -> None:
    with pytest.raises(Refused, match="there is no target `staging`; there are production"):
        await world.targets.seen("staging")


async def drive(world: MainWorld, first: Release, second: Release) -> None:
    """The room's part, from wherever it stands: deploys one, then two, and rolls two back."""
    record = (await world.targets.seen(TARGET)).record
    if not record.releases:
        record = await write(world, first, live=1, live_since=datetime.now(UTC))
    if len(record.releases) == 1:
        await rolled_out(world, 1)
        record = await write(world, second, live=2, live_since=datetime.now(UTC))
    if record.live == 2:
        await rolled_out(world, 2)
        await roll_back(world, bad=2, to=1, undo=(2,))
    await rolled_out(world, 1)


KILLED = """
import asyncio, os, pickle, signal, sys
from pathlib import Path
from controller.adapters.local import store
from tests.adapters.local.main_world import MainWorld
from tests.adapters.local.test_targets import drive

real, count = store.put, 0
def put(*words, **named):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(*words, **named)
store.put = put

async def main():
    world = MainWorld(Path(sys.argv[1]))
    await world.open()
    await drive(world, *pickle.loads((world.root / "releases").read_bytes()))
    print(count)

asyncio.run(main())
"""


@pytest.mark.parametrize("at", [5, 13, 21, 29, 36])
async def test_a_controller_killed_anywhere_converges_after_a_restart(tmp_path: Path, at: int) -> None:
    world = MainWorld(tmp_path)
    releases = world.release(1), world.release(2, "undoing", version="two")
    (tmp_path / "releases").write_bytes(pickle.dumps(releases))
    words = [sys.executable, "-c", KILLED, str(tmp_path), str(at)]
    dead = await asyncio.to_thread(subprocess.run, words, capture_output=True, timeout=100, check=False)
    assert dead.returncode == -signal.SIGKILL, (dead.stdout, dead.stderr.decode())
    try:
        await world.open()
        await drive(world, *releases)
        assert (await world.ask()).startswith("one seeded,migrated")
        assert "undone-two" in await world.ask()
        await eventually(lambda: world.running() == {(1, "web")})
        assert {mark.split("/")[2] for mark in world.marks()} == {"services"}
        assert list((world.home / ".builds").glob(".new-*")) == []
    finally:
        await world.close()
