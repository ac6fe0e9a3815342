"""Services: started in dependency order, each once those it needs work, and watched from then on."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from controller.adapters.local import environment, processes
from controller.adapters.local.crew import Crew
from controller.adapters.local.health import why_unhealthy
from controller.adapters.local.means import Means
from controller.adapters.local.ports import free_port, is_free
from controller.adapters.local.units import CRASHES, Command, State
from controller.adapters.shared.steps import StepFailed
from controller.common.spec import ServiceSpec
from controller.errors import Unavailable

FIRST_LOOK = 0.02
GRACE = 10.0
"""Seconds after which a port that answers is taken for the service's, though no process of its own listens there."""
UP_FOR = 0.3
"""Seconds that a service without a port must run to count as working."""


async def start_all(crew: Crew, means: Means) -> None:
    """Returns when every service works; those that do already are left alone. Raises StepFailed."""
    spec = crew.spec
    _choose_ports(crew, means)
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            for name in spec.start_order():
                needs = [tasks[other] for other in spec.services[name].depends_on]
                tasks[name] = group.create_task(_start(crew, means, name, needs))
    except BaseExceptionGroup as several:
        raise _first(several) from None


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """What the person who wrote the spec should read, if it is among them."""
    return next((error for error in several.exceptions if isinstance(error, StepFailed)), several.exceptions[0])


def _choose_ports(crew: Crew, means: Means) -> None:
    """Written down before any is used, as each service is told the others'."""
    spec, known = crew.spec, crew.ports
    chosen: dict[str, int] = {}
    for name, service in spec.services.items():
        if service.port is not None:
            usable = name in known and (crew.service(name).alive or is_free(known[name]))
            chosen[name] = known[name] if usable else free_port(means.taken_ports() | set(chosen.values()))
    if chosen != known:
        crew.use_ports(chosen)


async def _start(crew: Crew, means: Means, name: str, needs: list[asyncio.Task[None]]) -> None:
    if needs:
        await asyncio.wait(needs)
        if any(task.cancelled() or task.exception() for task in needs):
            return
    async with crew.step(f"start {name}") as progress:
        if await look(crew, name):
            progress.reused()
            return
        if not crew.service(name).alive:
            await _launch(crew, means, name)
        await _until_it_works(crew, means, name)


async def _launch(crew: Crew, means: Means, name: str) -> None:
    service, local = crew.spec.services[name], means.policy.local
    if service.command is None:
        raise StepFailed(f"start {name}: it has an `image` and no `command`; there are no containers here", "", name)
    unit = crew.service(name)
    if (before := unit.state()) is not None and before.status != "ended":
        await processes.kill_marked(unit.mark)
    facts = crew.facts(means.url)
    env = environment.base(local.path, crew.home) | environment.of_service(facts, name)
    argv = environment.command(service.command, environment.values(facts, facts.ports.get(name)))
    memory = min(service.resources.memory, means.policy.allow.memory)
    crew.healthy.pop(name, None)
    unit.start(Command(argv, env, crew.tree, memory=memory))


async def _until_it_works(crew: Crew, means: Means, name: str) -> None:
    pause, moves = FIRST_LOOK, 0
    while not await look(crew, name):
        state = crew.service(name).state()
        if moves < 3 and state is not None and state.exits and _taken(crew, name):
            await crew.service(name).stop()
            _move(crew, means, name)
            await _launch(crew, means, name)
            pause, moves = FIRST_LOOK, moves + 1
        elif crash_looping(state):
            raise StepFailed(f"start {name}: it {_last(state)}", "\n".join(crew.service(name).tail()), name)
        elif not crew.service(name).alive:
            if state is None:
                raise Unavailable(f"the supervisor of {name} did not start")
            await _launch(crew, means, name)
        await asyncio.sleep(pause)
        pause = min(crew.slowest_look, pause * 1.2)


def _taken(crew: Crew, name: str) -> bool:
    """Whether somebody else listens where the service should."""
    port = crew.ports.get(name)
    return port is not None and not is_free(port) and not crew.service(name).child_listens(port)


def _move(crew: Crew, means: Means, name: str) -> None:
    crew.use_ports({**crew.ports, name: free_port(means.taken_ports())})


async def look(crew: Crew, name: str) -> bool:
    """Whether the service works now. A process that answered once is believed for as long as it lives."""
    unit = crew.service(name)
    state = unit.state()
    if state is None or state.child is None or not unit.alive or state.status != "running":
        crew.healthy.pop(name, None)
        return False
    if crew.healthy.get(name) == state.child:
        return True
    crew.healthy.pop(name, None)
    crew.ailing[name] = await _why_ailing(crew, name, crew.spec.services[name], _age(unit.folder))
    if crew.ailing[name]:
        return False
    crew.healthy[name] = state.child
    del crew.ailing[name]
    return True


async def _why_ailing(crew: Crew, name: str, service: ServiceSpec, age: float) -> str:
    port = crew.ports.get(name)
    if port is None:
        return "" if age > UP_FOR else "it has just started"
    if why := await why_unhealthy(port, service.health):
        return why
    if age < GRACE and not crew.service(name).child_listens(port):
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


def why_crashed(crew: Crew, name: str) -> str:
    """Why a service that ran keeps ending; empty where it does not."""
    state = crew.service(name).state()
    return f"{name} keeps crashing: it {_last(state)}" if crash_looping(state) and not crew.works(name) else ""
