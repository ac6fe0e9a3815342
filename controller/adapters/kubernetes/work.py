"""The worker of a preview: brings it to its aim, one repeatable step after the other.

    aim      what is done                                                                          ends in phase
    -------  ------------------------------------------------------------------------------------  -------------
    deploy   fences, images, checkout, database (seed, clone, migrate), services; then what the
             revision has not any more is removed                                                  ready, failed
    run      scale up what sleeps                                                                  ready, failed
    rest     scale the services to nothing, keep the database                                      sleeping
    stop     the same, to be looked at                                                             failed
    remove   drop the database, delete the namespace                                               gone

Killed anywhere and begun again, it ends at the same place. What may work later is tried again with back-off; what
cannot work stops with its reason.
"""

import asyncio
import contextlib
from dataclasses import replace
from typing import assert_never

import structlog

from controller.adapters.kubernetes import bring, data, environment, inventory, own_server, prepare, runs, services
from controller.adapters.kubernetes.api import NAMESPACE, Stale
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.events import heeded
from controller.adapters.shared.orders import Aim
from controller.adapters.shared.steps import StepFailed
from controller.common.nouns import Phase
from controller.errors import Refused, Unavailable

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
GIVE_WAY = 5.0
"""Seconds that another controller, which acted on a preview, is left alone with it: one of us leads no more."""
_log = structlog.get_logger()


async def work(cell: Cell, means: Means) -> None:
    """Returns when the aim is reached or cannot be; never raises but when cancelled."""
    pause = FIRST_PAUSE
    while True:
        try:
            await _once(cell, means)
        except Unavailable as error:
            _log.warning("a preview waits", preview=str(cell.key), reason=error.reason)
            cell.show(reason=error.reason)
            await asyncio.sleep(error.retry_after.total_seconds() if error.retry_after else pause)
        except Stale as error:
            _log.info("begun anew", preview=str(cell.key), reason=error.reason)
            await asyncio.sleep(GIVE_WAY)
            if cell.terminating:
                return
        except Exception as error:  # noqa: BLE001 - a bug must not leave a preview starting for ever
            _log.exception("a worker failed", preview=str(cell.key))
            if cell.record.aim not in {Aim.STOP, Aim.REMOVE}:
                with contextlib.suppress(Unavailable, Refused):
                    await _fail(cell, StepFailed(f"a mistake in Mayfly itself: {type(error).__name__}: {error}"))
            await asyncio.sleep(pause)
        else:
            return
        pause = min(LONGEST_PAUSE, pause * 2)


async def _once(cell: Cell, means: Means) -> None:
    try:
        await _towards(cell, means)
    except Stale:
        raise
    except (StepFailed, Refused) as error:
        if cell.record.aim is Aim.REMOVE:
            raise Unavailable(f"it cannot be removed yet: {error}") from error
        await _fail(cell, error if isinstance(error, StepFailed) else StepFailed(error.reason))
        if cell.record.aim is Aim.STOP:
            await services.stop_all(cell, means)


async def _towards(cell: Cell, means: Means) -> None:
    match cell.record.aim:
        case Aim.DEPLOY:
            await _deploy(cell, means)
        case Aim.RUN:
            await _run(cell, means)
        case Aim.REST:
            await runs.forget(cell, means)
            await services.stop_all(cell, means)
            await cell.enter(Phase.SLEEPING, Aim.REST)
        case Aim.STOP:
            await runs.forget(cell, means)
            await services.stop_all(cell, means)
        case Aim.REMOVE:
            await _remove(cell, means)
        case _ as never:
            assert_never(never)


async def _fail(cell: Cell, error: StepFailed) -> None:
    """A deploy that failed stops; a service that ran and fails now goes on trying, as Kubernetes has it."""
    aim = Aim.RUN if cell.record.aim is Aim.RUN else Aim.STOP
    if error.service and aim is Aim.STOP:
        found = cell.record.troubles | {error.service: cell.redact(error.reason)}
        cell.record = replace(cell.record, troubles=found)
    await cell.enter(Phase.FAILED, aim, error.reason, error.logs, crashed=aim is Aim.RUN)


async def _deploy(cell: Cell, means: Means) -> None:
    cell.applied = frozenset()
    await runs.forget(cell, means)
    await prepare.fences(cell, means)
    await prepare.images(cell, means, environment.images(cell.record, means.url(cell.record.order.host)))
    await prepare.sources(cell, means)
    await data.prepare(cell, means)
    async with heeded(cell, means):
        if cell.record.order.spec.deploy is None:
            await services.start_all(cell, means)
        else:
            await bring.start_all(cell, means, cell.record.order.spec.deploy)
        if services.asleep(cell):
            await services.wake_all(cell, means)
    await inventory.prune(cell, means)
    await means.reach(cell)
    await cell.enter(Phase.READY, Aim.RUN)


async def _run(cell: Cell, means: Means) -> None:
    why = own_server.why_lost(cell) if services.deployments(cell) else "its Deployments were gone"
    if why:
        await cell.enter(Phase.STARTING, Aim.DEPLOY, why)
        await _deploy(cell, means)
        return
    async with heeded(cell, means):
        await services.wake_all(cell, means)
    await means.reach(cell)
    await cell.enter(Phase.READY, Aim.RUN)


async def _remove(cell: Cell, means: Means) -> None:
    """The database first: the namespace is what makes us come back. While it cannot be dropped, nothing else runs."""
    await cell.confirm()
    try:
        await data.drop_on_server(cell.record, means.databases)
    except Unavailable:
        await services.stop_all(cell, means)
        raise
    await means.sources.forget(cell.key.repo, cell.record.slug)
    await means.api.delete(NAMESPACE, cell.name, uid=cell.uid)
