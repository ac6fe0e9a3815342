"""What must hold whatever a service, the machine or a person does: survived or reported, and removal still removes."""

import asyncio
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from controller.adapters.local import processes
from controller.adapters.local.store import read
from controller.adapters.local.units import State
from controller.common.nouns import Phase, PreviewKey, ServiceState
from controller.errors import Refused
from controller.previews.model import DeployOrder, Preview
from tests.adapters.local.world import PYTHON, LocalWorld
from tests.contracts.platform import KEY, SOON, eventually, settled, until

pytestmark = pytest.mark.processes


async def running(world: LocalWorld, order: DeployOrder) -> Preview:
    await world.platform.deploy(order)
    return await settled(world.platform, Phase.READY)


async def removed(world: LocalWorld, uid: str) -> None:
    await world.platform.remove(KEY, uid)
    await until(world.platform, lambda preview: preview is None)
    assert world.leftovers(KEY.number) == []
    assert world.processes() == []


async def test_strangers_code_is_refused(world: LocalWorld) -> None:
    with pytest.raises(Refused, match="nothing fences strangers' code on one machine"):
        await world.platform.deploy(replace(world.push(), fork=True))
    assert await world.platform.previews() == ()
    assert world.leftovers(KEY.number) == []


def healthy(preview: Preview | None) -> bool:
    return preview is not None and all(one.state is ServiceState.HEALTHY for one in preview.services)


async def answers(world: LocalWorld, host: str) -> str:
    """What it answers, once it does: after a death the platform takes a moment to notice."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                if text := await world.ask(host):
                    return text
            except (AssertionError, OSError):
                await asyncio.sleep(0.05)


def shim_state(world: LocalWorld, name: str = "web") -> State:
    state = world.cell().service(name).state()
    assert state is not None
    return state


@pytest.mark.parametrize(
    "option",
    [
        pytest.param("deaf", id="a service that ignores SIGTERM"),
        pytest.param("daemon", id="a service that forks away"),
        pytest.param("chatty", id="a service that never stops writing"),
        pytest.param("late", id="a service that takes its time"),
    ],
)
async def test_it_runs_sleeps_wakes_and_is_removed_whole(world: LocalWorld, option: str) -> None:
    order = world.app(option)
    uid = (await running(world, order)).uid
    assert await answers(world, order.host) == "one"
    await world.platform.sleep(KEY, uid, 1)
    await settled(world.platform, Phase.SLEEPING)
    assert world.processes() == []
    await world.platform.wake(KEY, uid, 2)
    await settled(world.platform, Phase.READY)
    assert await answers(world, order.host) == "one"
    await removed(world, uid)


async def test_a_service_that_forks_away_is_found_again_and_stopped_after_a_restart(world: LocalWorld) -> None:
    order = world.app("daemon")
    uid = (await running(world, order)).uid
    await world.reopen()
    await until(world.platform, healthy)
    assert await answers(world, order.host) == "one"
    await removed(world, uid)


async def test_a_log_of_a_hundred_megabytes_a_second_stays_small(world: LocalWorld) -> None:
    uid = (await running(world, world.app("chatty"))).uid
    log = world.folder() / "services" / "web"
    await eventually((log / "log.1").exists)
    await asyncio.sleep(0.5)
    written = sum(path.stat().st_size for path in log.iterdir())
    assert written <= 2 * world.policy.local.log_size + 65536
    lines = [line async for line in world.platform.logs(KEY, "web", 5, follow=False)]
    assert [len(line) for line in lines] == [1023] * 5
    await removed(world, uid)


async def test_a_port_that_somebody_took_is_left_to_them(world: LocalWorld) -> None:
    """The thief listens between our choosing the port and the service's start."""
    order = world.app("late")
    await world.platform.deploy(order)
    await until(world.platform, lambda preview: bool(preview and preview.services[0].state is ServiceState.STARTING))
    record = read(world.folder())
    assert record is not None
    with socket.create_server(("127.0.0.1", record.ports["web"])):
        await settled(world.platform, Phase.READY)
        assert await world.ask(order.host) == "one"
        route = world.platform.route(order.host)
        assert route is not None
        assert route.address != ("127.0.0.1", record.ports["web"])


async def test_a_port_taken_while_it_slept_is_left_to_them(world: LocalWorld) -> None:
    order = world.app()
    uid = (await running(world, order)).uid
    await world.platform.sleep(KEY, uid, 1)
    await settled(world.platform, Phase.SLEEPING)
    record = read(world.folder())
    assert record is not None
    with socket.create_server(("127.0.0.1", record.ports["web"])):
        await world.platform.wake(KEY, uid, 2)
        await settled(world.platform, Phase.READY)
        assert await world.ask(order.host) == "one"


async def test_while_the_database_is_down_a_deploy_waits_and_says_for_what(world: LocalWorld) -> None:
    world.databases.down = True
    order = world.push()
    await world.platform.deploy(order)
    waiting = await until(world.platform, lambda preview: bool(preview and preview.reason))
    assert waiting is not None
    assert (waiting.phase, waiting.reason) == (Phase.STARTING, "PostgreSQL does not answer")
    world.databases.down = False
    assert (await settled(world.platform, Phase.READY)).reason == ""
    assert await world.ask(order.host) == "one seeded,migrated"


async def test_while_the_database_is_down_all_else_is_removed_and_the_rest_later(world: LocalWorld) -> None:
    uid = (await running(world, world.push())).uid
    world.databases.down = True
    await world.platform.remove(KEY, uid)
    waiting = await until(world.platform, lambda preview: bool(preview and preview.reason))
    assert waiting is not None
    assert (waiting.phase, waiting.reason) == (Phase.TERMINATING, "PostgreSQL does not answer")
    assert [path.name for path in world.folder().iterdir()] == ["preview.json"]
    assert world.processes() == []
    await world.reopen()
    assert (await settled(world.platform, Phase.TERMINATING)).uid == uid
    world.databases.down = False
    await until(world.platform, lambda preview: preview is None)
    assert world.leftovers(KEY.number) == []


async def test_a_directory_that_is_gone_is_made_again(world: LocalWorld) -> None:
    order = world.push()
    uid = (await running(world, order)).uid
    shutil.rmtree(world.folder())
    await eventually((world.folder() / "preview.json").exists)
    await settled(world.platform, Phase.READY)
    assert await answers(world, order.host) == "one seeded,migrated"
    await removed(world, uid)


async def test_a_directory_that_is_gone_can_still_be_removed(world: LocalWorld) -> None:
    uid = (await running(world, world.push())).uid
    shutil.rmtree(world.folder())
    await removed(world, uid)


async def test_a_directory_gone_while_nobody_looked_leaves_no_process_and_no_database(world: LocalWorld) -> None:
    await running(world, world.push())
    await world.platform.close()
    shutil.rmtree(world.folder())
    await world.reopen()
    assert await world.platform.previews() == ()
    assert world.leftovers(KEY.number) == []
    assert world.processes() == []


async def test_a_database_gone_while_nobody_looked_is_made_again(world: LocalWorld) -> None:
    order = world.push()
    await running(world, order)
    await world.platform.close()
    shutil.rmtree(world.databases.folder(world.folder().name))
    await world.reopen()
    await settled(world.platform, Phase.READY)
    assert await answers(world, order.host) == "one seeded,migrated"


async def test_a_service_that_dies_is_started_again(world: LocalWorld) -> None:
    order = world.app()
    await running(world, order)
    before = shim_state(world).child
    await world.ask(order.host, "/die")
    await until(world.platform, lambda preview: healthy(preview) and preview.services[0].restarts == 1)
    assert shim_state(world).child != before
    assert await answers(world, order.host) == "one"


async def test_one_that_keeps_dying_is_reported_with_its_log_and_is_ready_again_when_it_works(
    world: LocalWorld,
) -> None:
    order = world.app()
    await running(world, order)
    page = world.cell().tree / "app.py"
    good = page.read_text()
    page.write_text("import sys\nprint('no such table: users', flush=True)\nsys.exit(3)")
    await world.ask(order.host, "/die")
    failed = await settled(world.platform, Phase.FAILED)
    assert failed.reason == "web keeps crashing: it exited with status 3"
    assert "no such table: users" in failed.logs
    assert failed.services[0].state is ServiceState.CRASHED
    page.write_text(good)
    assert (await settled(world.platform, Phase.READY)).reason == ""
    assert await answers(world, order.host) == "one"


async def test_a_supervisor_that_is_killed_is_replaced(world: LocalWorld) -> None:
    order = world.app("daemon")
    uid = (await running(world, order)).uid
    before = shim_state(world)
    os.kill(before.shim.pid, signal.SIGKILL)
    await until(world.platform, lambda preview: healthy(preview) and shim_state(world).shim != before.shim)
    assert await answers(world, order.host) == "one"
    await removed(world, uid)


async def test_a_supervisor_killed_while_nobody_looked_is_replaced(world: LocalWorld) -> None:
    order = world.app("daemon")
    uid = (await running(world, order)).uid
    shim = shim_state(world).shim
    await world.platform.close()
    os.kill(shim.pid, signal.SIGKILL)
    await world.reopen()
    await until(world.platform, healthy)
    assert await answers(world, order.host) == "one"
    await removed(world, uid)


async def test_a_supervisor_whose_directory_is_gone_ends_itself(world: LocalWorld) -> None:
    await running(world, world.app("deaf"))
    await world.platform.close()
    shutil.rmtree(world.folder())
    await eventually(lambda: not world.processes())


async def test_after_a_reboot_of_the_machine_everything_is_started_again(world: LocalWorld) -> None:
    order = world.push()
    uid = (await running(world, order)).uid
    await world.platform.close()
    await processes.kill_marked(world.mark)
    state = world.folder() / "services" / "web" / "state.json"
    state.write_text(state.read_text().replace(processes.boot_id(), "another boot"))
    await world.reopen()
    await until(world.platform, healthy)
    assert await answers(world, order.host) == "one seeded,migrated"
    await removed(world, uid)


async def test_one_preview_whose_service_does_not_answer_delays_no_other(world: LocalWorld) -> None:
    """Its port is open and silent; the other one is noticed to have died, and is back, all the same."""
    silent = "import os, socket, time; s = socket.create_server(('127.0.0.1', int(os.environ['PORT']))); time.sleep(99)"
    await world.platform.deploy(world.app(command=[*PYTHON, "-c", silent]))
    other = PreviewKey("shop", 8)
    order = world.push(number=8)
    await world.platform.deploy(order)
    await settled(world.platform, Phase.READY, key=other)
    before = world.cell(8).service("web").state()
    await world.ask(order.host, "/die")
    await eventually(lambda: world.cell(8).works("web") and world.cell(8).service("web").state() != before)
    assert (await settled(world.platform, Phase.STARTING)).key == KEY


async def test_nothing_of_the_controller_s_environment_leaks_in(
    world: LocalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAYFLY_TEST_SECRET", "hunter2")
    order = world.app(env={"STAGE": "preview {number} at {sha}", "DOLLAR": "$(id) `id` {other}"})
    await running(world, order)
    told = dict(line.split("=", 1) for line in (await world.ask(order.host, "/environment")).splitlines())
    port = told.pop("PORT")
    assert told.pop(processes.MARK)
    told.pop("LC_CTYPE", None)  # Python's own
    assert told == {
        "PATH": world.policy.local.path,
        "HOME": str(world.folder() / "home"),
        "TMPDIR": str(world.folder() / "tmp"),
        "LANG": "C.UTF-8",
        "HOST": "127.0.0.1",
        "WEB_URL": f"http://127.0.0.1:{port}",
        "MAYFLY_URL": "http://pr-7-shop.localhost:8080",
        "MAYFLY_NUMBER": "7",
        "MAYFLY_SHA": order.revision,
        "STAGE": f"preview 7 at {order.revision}",
        "DOLLAR": "$(id) `id` {other}",
    }


async def test_a_process_has_no_more_memory_than_it_is_given(world: LocalWorld) -> None:
    words = [sys.executable, "-I", "-S", "-c", "x = bytearray(300 << 20)"]
    await world.platform.deploy(world.app(command=words, resources={"memory": "64Mi"}))
    assert "MemoryError" in (await settled(world.platform, Phase.FAILED)).logs


async def test_a_command_that_does_not_exist_is_reported(world: LocalWorld) -> None:
    await world.platform.deploy(world.app(command=["no-such-program", "--serve"]))
    preview = await settled(world.platform, Phase.FAILED)
    assert "cannot run 'no-such-program': No such file or directory" in preview.logs


def _kill_at_write(number: int) -> str:
    """A controller that dies, unasked, right before it writes a record for the nth time."""
    return f"""
import asyncio, os, pickle, signal, sys
from pathlib import Path
from controller.adapters.local import store
from tests.adapters.local.world import LocalWorld
from tests.contracts.platform import KEY, settled
from controller.previews.model import Phase

real, count = store.write, 0
def write(*words, **named):
    global count
    count += 1
    if count == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*words, **named)
store.write = write

async def main():
    world = LocalWorld(Path(sys.argv[1]))
    order = world.push()
    Path(sys.argv[2]).write_bytes(pickle.dumps(order))
    await world.platform.open()
    await world.platform.deploy(order)
    preview = await settled(world.platform, Phase.READY)
    await world.platform.remove(KEY, preview.uid)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("write", [pytest.param(n, id=f"at write {n}") for n in (1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 18)])
async def test_a_controller_killed_anywhere_converges_after_a_restart(tmp_path: Path, write: int) -> None:
    told = tmp_path / "order"
    words = [sys.executable, "-c", _kill_at_write(write), str(tmp_path / "world"), str(told)]
    dead = await asyncio.to_thread(subprocess.run, words, capture_output=True, timeout=100, check=False)
    assert dead.returncode == -signal.SIGKILL, dead.stderr.decode()
    order: DeployOrder = pickle.loads(told.read_bytes())
    world = LocalWorld(tmp_path / "world")
    try:
        await world.platform.open()
        if await world.platform.preview(KEY) is None:
            await world.platform.deploy(order)
        preview = await until(world.platform, lambda now: now is None or now.phase is Phase.READY)
        if preview is not None:
            await until(world.platform, healthy)
            assert await answers(world, order.host) == "one seeded,migrated"
            await removed(world, preview.uid)
        assert world.leftovers(KEY.number) == []
        assert world.processes() == []
    finally:
        await world.close()
