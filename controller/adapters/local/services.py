"""The services of a preview: started in dependency order, each once those it needs work, and watched from then on."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from controller.adapters.local import environment, processes
from controller.adapters.local.cell import Cell, Means
from controller.adapters.local.health import why_unhealthy
from controller.adapters.local.ports import free_port, is_free
from controller.adapters.local.units import CRASHES, Command, State
from controller.adapters.shared.steps import StepFailed
from controller.common.spec import ServiceSpec
from controller.errors import Unavailable

FIRST_LOOK = 0.02
SLOWEST_LOOK = 1.0
GRACE = 10.0
"""Seconds after which a port that answers is taken for the service's, though no process of its own listens there."""
UP_FOR = 0.3
"""Seconds that a service without a port must run to count as working."""


async def start_all(cell: Cell, means: Means) -> None:
    """Returns when every service works; those that do already are left alone. Raises StepFailed."""
    spec = cell.record.order.spec
    _choose_ports(cell, means)
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            for name in spec.start_order():
                needs = [tasks[other] for other in spec.services[name].depends_on]
                tasks[name] = group.create_task(_start(cell, means, name, needs))
    except BaseExceptionGroup as several:
        raise _first(several) from None


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """What the person who wrote the spec should read, if it is among them."""
    return next((error for error in several.exceptions if isinstance(error, StepFailed)), several.exceptions[0])


def _choose_ports(cell: Cell, means: Means) -> None:
    """Written down before any is used, as each service is told the others'."""
    spec, known = cell.record.order.spec, cell.record.ports
    chosen: dict[str, int] = {}
    for name, service in spec.services.items():
        if service.port is not None:
            usable = name in known and (cell.service(name).alive or is_free(known[name]))
            chosen[name] = known[name] if usable else free_port(means.taken_ports() | set(chosen.values()))
    if chosen != known:
        cell.save(replace(cell.record, ports=chosen))


async def _start(cell: Cell, means: Means, name: str, needs: list[asyncio.Task[None]]) -> None:
    if needs:
        await asyncio.wait(needs)
        if any(task.cancelled() or task.exception() for task in needs):
            return
    async with cell.step(f"start {name}") as progress:
        if await look(cell, name):
            progress.reused()
            return
        if not cell.service(name).alive:
            await _launch(cell, means, name)
        await _until_it_works(cell, means, name)


async def _launch(cell: Cell, means: Means, name: str) -> None:
    service, local = cell.record.order.spec.services[name], means.policy.local
    if service.command is None:
        raise StepFailed(f"start {name}: it has an `image` and no `command`; there are no containers here", "", name)
    unit = cell.service(name)
    if (before := unit.state()) is not None and before.status != "ended":
        await processes.kill_marked(unit.mark)
    url = means.url(cell.record.order.host)
    env = environment.base(local.path, cell.folder) | environment.of_service(cell.record, name, url)
    argv = environment.command(service.command, environment.values(cell.record, url, cell.record.ports.get(name)))
    memory = min(service.resources.memory, means.policy.allow.memory)
    cell.healthy.pop(name, None)
    unit.start(Command(argv, env, cell.tree, memory=memory))


async def _until_it_works(cell: Cell, means: Means, name: str) -> None:
    pause, moves = FIRST_LOOK, 0
    while not await look(cell, name):
        state = cell.service(name).state()
        if moves < 3 and state is not None and state.exits and _taken(cell, name):
            await cell.service(name).stop()
            _move(cell, means, name)
            await _launch(cell, means, name)
            pause, moves = FIRST_LOOK, moves + 1
        elif crash_looping(state):
            raise StepFailed(f"start {name}: it {_last(state)}", "\n".join(cell.service(name).tail()), name)
        elif not cell.service(name).alive:
            if state is None:
                raise Unavailable(f"the supervisor of {name} did not start")
            await _launch(cell, means, name)
        await asyncio.sleep(pause)
        pause = min(SLOWEST_LOOK, pause * 1.2)


def _taken(cell: Cell, name: str) -> bool:
    """Whether somebody else listens where the service should."""
    port = cell.record.ports.get(name)
    return port is not None and not is_free(port) and not cell.service(name).child_listens(port)


def _move(cell: Cell, means: Means, name: str) -> None:
    ports = cell.record.ports | {name: free_port(means.taken_ports())}
    cell.save(replace(cell.record, ports=ports))


async def look(cell: Cell, name: str) -> bool:
    """Whether the service works now. A process that answered once is believed for as long as it lives."""
    unit = cell.service(name)
    state = unit.state()
    if state is None or state.child is None or not unit.alive or state.status != "running":
        cell.healthy.pop(name, None)
        return False
    if cell.healthy.get(name) == state.child:
        return True
    cell.healthy.pop(name, None)
    cell.ailing[name] = await _why_ailing(cell, name, cell.record.order.spec.services[name], _age(unit.folder))
    if cell.ailing[name]:
        return False
    cell.healthy[name] = state.child
    del cell.ailing[name]
    return True


async def _why_ailing(cell: Cell, name: str, service: ServiceSpec, age: float) -> str:
    port = cell.record.ports.get(name)
    if port is None:
        return "" if age > UP_FOR else "it has just started"
    if why := await why_unhealthy(port, service.health):
        return why
    if age < GRACE and not cell.service(name).child_listens(port):
        return f"another process listens on its port {port}"
    return ""


def _age(folder: Path) -> float:
    """Seconds since the shim last had news: since the process started, where it runs."""
    try:
        return datetime.now(UTC).timestamp() - (folder / "state.json").stat().st_mtime
    except OSError:
        return 0.0


def crash_looping(state: State | None) -> bool:
    return state is not None and state.crashes(datetime.now(UTC)) >= CRASHES


def _last(state: State | None) -> str:
    return state.last_words if state else ""


def why_crashed(cell: Cell, name: str) -> str:
    """Why a service that ran keeps ending; empty where it does not."""
    state = cell.service(name).state()
    return f"{name} keeps crashing: it {_last(state)}" if crash_looping(state) and not cell.works(name) else ""
