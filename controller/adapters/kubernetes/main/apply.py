"""Brings a release about: what it needs, its migration, its workloads, and then the ways that lead to it.

Begun again anywhere, it ends at the same place; nothing is rendered, resolved or checked out.
"""

import asyncio
from datetime import UTC, datetime

from controller.adapters.kubernetes import bring, prepare, services, troubles
from controller.adapters.kubernetes.api import STATEFUL_SET, Kind, kind_of
from controller.adapters.kubernetes.cell import Means
from controller.adapters.kubernetes.events import heeded
from controller.adapters.kubernetes.kinds import CLAIM, SERVICE
from controller.adapters.kubernetes.main import database, sets, standing
from controller.adapters.kubernetes.main.hand import Hand, hand
from controller.adapters.kubernetes.main.main import Main
from controller.adapters.kubernetes.main.state import Kept
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.shared.steps import StepFailed
from controller.deploys.model import Rollback, RolloutState
from controller.deploys.rollout import rollout_status


async def undo(main: Main, rollback: Rollback) -> None:
    """What the releases that are given up say has to be done, newest first. Raises StepFailed."""
    restored = main.record.release(rollback.to)
    for number in sorted(rollback.undo, reverse=True):
        release, kept = main.record.release(number), await main.kept(number)
        if release is None or kept is None or restored is None:
            raise StepFailed(f"undo #{number}: it is not kept any more")
        one = await hand(main, release, kept)
        await prepare.apply(one, main.means, _some(kept, sets.CONFIGURATION))
        async with heeded(one, main.means):
            await database.undo(one, main.means, release, restored.revision)


async def bring_about(it: Hand, means: Means, kept: Kept) -> None:
    """Returns once all of it is rolled out and leads people to it. Raises StepFailed, Refused, Unavailable, Stale."""
    await prepare.apply(it, means, _some(kept, sets.CONFIGURATION))
    async with heeded(it, means):
        await database.ensure(it, means)
        await database.migrate(it, means)
        await (_in_place(it, means, kept) if kept.in_place else _beside(it, means, kept))


async def _beside(it: Hand, means: Means, kept: Kept) -> None:
    """Each service once those it needs work; nobody is led to them before all do, but where nobody is led at all."""
    await prepare.register(it, kept.objects)
    ways = _some(kept, sets.LEAD)
    for way in ways:
        if way["kind"] == "Service" and await means.api.get(SERVICE, way["metadata"]["name"], it.name) is None:
            await prepare.apply(it, means, [way])
    spec = it.record.order.spec
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            for workload, name in zip(_workloads(kept), spec.start_order(), strict=True):
                needs = [tasks[other] for other in spec.services[name].depends_on]
                tasks[name] = group.create_task(_start(it, means, name, workload, needs))
    except BaseExceptionGroup as several:
        raise services.first(several) from None
    await prepare.apply(it, means, ways)


async def _start(it: Hand, means: Means, name: str, workload: Obj, needs: list[asyncio.Task[None]]) -> None:
    if needs:
        await asyncio.wait(needs)
        if any(task.cancelled() or task.exception() for task in needs):
            return
    async with it.step(f"start {name}"):
        await prepare.apply(it, means, [workload])
        await _rolled_out(it, name, workload)


async def _in_place(it: Hand, means: Means, kept: Kept) -> None:
    """The repository's own: over what is there, in their order."""
    await prepare.register(it, kept.objects)
    for obj in kept.objects:
        await bring.make_way(it, means, obj)
        if kind_of(obj) is CLAIM:
            await means.api.create(obj)  # one that is there has data, and may be larger by now
        else:
            await prepare.apply(it, means, [obj])
        if kind_of(obj) is STATEFUL_SET:
            await bring.unstick(it, means, obj["metadata"]["name"])
    for workload in _workloads(kept):
        name = workload["metadata"]["name"]
        async with it.step(f"start {name}"):
            await _rolled_out(it, name, workload)


async def _rolled_out(it: Hand, name: str, workload: Obj) -> None:
    """Shows what it waits for. Raises StepFailed where waiting is of no use."""
    kind, full = kind_of(workload), workload["metadata"]["name"]
    trouble = await it.until(lambda: _look(it, name, full, kind))
    if trouble.fatal:
        said = await services.last_words(it, it.deployment(full, kind), trouble)
        raise StepFailed(f"start {name}: {trouble.reason}", said, name)


def _look(it: Hand, name: str, full: str, kind: Kind) -> troubles.Trouble | None:
    found = it.deployment(full, kind)
    if found is None:
        return None
    now = rollout_status(standing.observed({"kind": kind.kind, **found}))
    if now.state is RolloutState.COMPLETE:
        return troubles.Trouble("", fatal=False)
    trouble = services.trouble(it, found, datetime.now(UTC))
    if trouble is not None and trouble.fatal:
        return trouble
    reason = trouble.reason if trouble else now.message
    if now.state is RolloutState.FAILED:
        said = f"{now.message}: {trouble.reason}" if trouble else now.message
        return troubles.Trouble(said, fatal=True, container=trouble.container if trouble else _first(found))
    it.show(reason=f"start {name}: {reason}")
    return None


def _first(workload: Obj) -> str:
    found: str = workload["spec"]["template"]["spec"]["containers"][0]["name"]
    return found


def _some(kept: Kept, kinds: frozenset[str]) -> list[Obj]:
    return [obj for obj in kept.objects if obj["kind"] in kinds]


def _workloads(kept: Kept) -> list[Obj]:
    return [obj for obj in kept.objects if sets.is_workload(obj)]
