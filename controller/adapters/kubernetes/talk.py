"""Logs of a preview's containers, for people."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from controller.adapters.kubernetes import names, services
from controller.adapters.kubernetes.api import Api
from controller.adapters.kubernetes.cell import Cell
from controller.adapters.kubernetes.shapes import Obj
from controller.errors import Refused, Unavailable

JOBS = ("seed", "migrate")
FROM_THE_BEGINNING = 1000
"""Lines of a container that takes the place of one that was followed."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One start of a container."""

    uid: str
    restarts: int
    pod: str
    container: str


def logs(cell: Cell, api: Api, service: str | None, lines: int, *, more: bool) -> AsyncIterator[str]:
    """All services' where none is named, each line prefixed. Raises Refused, naming those there are."""
    known = list(cell.record.order.spec.services)
    jobs = [name for name in JOBS if name not in known and cell.pods(TASK=name)]
    if service is not None and service not in (*known, *jobs):
        raise Refused(f"there is no service `{service}`; there are {', '.join(known + jobs)}")
    wanted = {f"{name} | ": name for name in known} if service is None else {"": service}
    return _following(cell, api, wanted, lines) if more else _last(cell, wanted, lines)


def _pod(cell: Cell, name: str) -> Obj | None:
    deployment = services.behind(cell, name)
    found = services.pods_of(cell, deployment) if deployment else cell.pods(TASK=name)
    return found[0] if found else None


def container(pod: Obj) -> str:
    """The one that matters: the service's or the task's own."""
    name: str = pod["metadata"].get("labels", {}).get(names.SERVICE, "run")
    known = [one["name"] for one in pod["spec"]["containers"]]
    return name if name in known else known[0]


async def _last(cell: Cell, wanted: Mapping[str, str], lines: int) -> AsyncIterator[str]:
    for prefix, name in wanted.items():
        if (pod := _pod(cell, name)) is not None:
            said = await cell.logs(pod, container(pod), lines=lines)
            for line in said.splitlines()[-lines:]:
                yield prefix + line


async def _following(cell: Cell, api: Api, wanted: Mapping[str, str], lines: int) -> AsyncIterator[str]:
    queue: asyncio.Queue[str | None] = asyncio.Queue(1000)
    await cell.know_secrets()

    async def read(prefix: str, name: str) -> None:
        try:
            async for line in _read(cell, api, name, lines):
                await queue.put(prefix + cell.redact(line))
        finally:
            await queue.put(None)

    tasks = [asyncio.create_task(read(prefix, name)) for prefix, name in wanted.items()]
    going = len(tasks)
    try:
        while going:
            line = await queue.get()
            if line is None:
                going -= 1
            else:
                yield line
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(cell: Cell, api: Api, name: str, lines: int) -> AsyncIterator[str]:
    """From one container to the next, whether it crashed or made way for another revision, for as long as there may be
    one."""
    seen: set[_Run] = set()
    while runs := await cell.until(lambda: _next(cell, name, seen)):
        for run in runs:
            most = max(lines, FROM_THE_BEGINNING) if seen else lines
            seen.add(run)
            try:
                async for line in api.follow(cell.name, run.pod, run.container, lines=most):
                    yield line
            except (Unavailable, Refused):
                continue  # its pod is gone, and another one comes


def _next(cell: Cell, name: str, seen: set[_Run]) -> tuple[_Run, ...] | None:
    """What was not read yet; None while there may be more, nothing where there will not."""
    if cell.leaving or (seen and name not in cell.record.order.spec.services):
        return ()
    pod = _pod(cell, name)
    run = _begun(pod) if pod is not None else None
    return None if run is None or run in seen else (run,)


def _begun(pod: Obj) -> _Run | None:
    name = container(pod)
    for one in pod.get("status", {}).get("containerStatuses") or ():
        if one["name"] == name and one.get("state", {}).keys() & {"running", "terminated"}:
            return _Run(pod["metadata"]["uid"], one.get("restartCount", 0), pod["metadata"]["name"], name)
    return None


async def last_lines(cell: Cell, ailing: Mapping[str, str]) -> str:
    """What the services that do not work said last."""
    pods = [pod for name in ailing if (pod := _pod(cell, name)) is not None]
    return "\n".join([await cell.logs(pod, container(pod), lines=30) for pod in pods])
