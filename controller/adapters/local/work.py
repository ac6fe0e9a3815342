"""The worker of a preview: brings it to its aim, one repeatable step after the other.

    aim      what is done                                                                       ends in phase
    -------  ---------------------------------------------------------------------------------  -------------
    deploy   checkout, build, stop what ran, database (seed, clone, migrate), start             ready, failed
    run      start what does not run                                                            ready, failed
    rest     stop the services, keep the database                                               sleeping
    stop     stop everything, keep it to be looked at                                           failed
    remove   stop everything, drop the database, delete the files                               gone

Killed anywhere and begun again, it ends at the same place. What may work later is tried again with back-off; what
cannot work stops with its reason.
"""

import asyncio
import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import structlog

from controller.adapters.local import checks, data, processes, services
from controller.adapters.local.building import build_all
from controller.adapters.local.cell import Cell
from controller.adapters.local.means import Means
from controller.adapters.local.store import FILE
from controller.adapters.shared.disk import discard, empty, trouble
from controller.adapters.shared.orders import Aim
from controller.adapters.shared.steps import StepFailed
from controller.common.nouns import Phase
from controller.errors import Refused, Unavailable

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
_log = structlog.get_logger()


async def work(cell: Cell, means: Means) -> None:
    """Returns when the aim is reached or cannot be; never raises but when cancelled."""
    pause = FIRST_PAUSE
    while True:
        try:
            await _once(cell, means)
        except Unavailable as error:
            _wait_for(cell, error.reason)
            await asyncio.sleep(error.retry_after.total_seconds() if error.retry_after else pause)
        except Exception as error:  # noqa: BLE001 - a bug must not leave a preview starting for ever
            _log.exception("a worker failed", preview=str(cell.record.key))
            if cell.record.aim not in {Aim.STOP, Aim.REMOVE}:
                with contextlib.suppress(Unavailable):
                    _fail(cell, StepFailed(f"a mistake in Mayfly itself: {type(error).__name__}: {error}"))
            await asyncio.sleep(pause)
        else:
            return
        pause = min(LONGEST_PAUSE, pause * 2)


def _wait_for(cell: Cell, reason: str) -> None:
    """Shows what it waits for; where not even that can be written, it is at least in the log."""
    _log.warning("a preview waits", preview=str(cell.record.key), reason=reason)
    cell.record = replace(cell.record, reason=cell.redact(reason))
    try:
        cell.save(cell.record)
    except Unavailable as error:
        _log.warning("its record cannot be written", preview=str(cell.record.key), reason=error.reason)


async def _once(cell: Cell, means: Means) -> None:
    try:
        await _towards(cell, means)
    except (StepFailed, Refused) as error:
        _fail(cell, error if isinstance(error, StepFailed) else StepFailed(error.reason))
        if cell.record.aim is Aim.STOP:
            await cell.stop("jobs", "services")


async def _towards(cell: Cell, means: Means) -> None:
    match cell.record.aim:
        case Aim.DEPLOY:
            await _deploy(cell, means)
        case Aim.RUN:
            await _run(cell, means)
        case Aim.REST:
            await checks.forget(cell)
            await cell.stop("jobs", "services")
            cell.enter(Phase.SLEEPING, Aim.REST)
        case Aim.STOP:
            await checks.forget(cell)
            await cell.stop("jobs", "services")
        case Aim.REMOVE:
            await _remove(cell, means)
        case _ as never:
            assert_never(never)


def _fail(cell: Cell, error: StepFailed) -> None:
    """A deploy that failed stops; a service that ran and fails now is given more chances by its shim."""
    aim = Aim.RUN if cell.record.aim is Aim.RUN else Aim.STOP
    if error.service and aim is Aim.STOP:
        troubles = cell.record.troubles | {error.service: cell.redact(error.reason)}
        cell.record = replace(cell.record, troubles=troubles)
    cell.enter(Phase.FAILED, aim, error.reason, error.logs, crashed=aim is Aim.RUN)


async def _deploy(cell: Cell, means: Means) -> None:
    await checks.forget(cell)
    await cell.stop("jobs")
    async with cell.step("checkout"):
        await asyncio.to_thread(_make_room, cell)
        order = cell.record.order
        await means.sources.checkout(cell.record.key.repo, order.revision, cell.record.slug, cell.tree)
    await build_all(cell, means)
    await cell.stop("services")
    for unit in cell.units("services"):
        unit.forget_log()
    await asyncio.to_thread(empty, cell.folder / "tmp")
    await data.prepare(cell, means)
    await services.start_all(cell, means)
    cell.enter(Phase.READY, Aim.RUN)
    await asyncio.to_thread(empty, cell.folder / "trees", cell.tree.name)


def _make_room(cell: Cell) -> None:
    """An empty place for the tree, whatever an interrupted attempt left there."""
    discard(cell.tree)
    with trouble("make a folder"):
        for name in ("home", "tmp", "trees"):
            (cell.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)


async def _run(cell: Cell, means: Means) -> None:
    if not cell.tree.is_dir():
        cell.enter(Phase.STARTING, Aim.DEPLOY, "its files were gone")
        await _deploy(cell, means)
        return
    if not cell.record.crashed:
        cell.enter(Phase.STARTING, Aim.RUN)
    if await data.reach(cell, means):
        await cell.stop("services")  # those that still run look for their database where it was
    await services.start_all(cell, means)
    cell.enter(Phase.READY, Aim.RUN)


async def _remove(cell: Cell, means: Means) -> None:
    """Processes first, as they cost most; the record last, as it is what makes us come back."""
    await checks.forget(cell)
    await cell.stop("jobs", "services", "checks")
    await processes.kill_marked(cell.mark)
    try:
        if cell.record.database_name:
            await means.databases.drop(cell.record.database_name)
        await means.sources.forget(cell.record.key.repo, cell.record.slug)
    finally:
        await asyncio.to_thread(empty, cell.folder, FILE)
    await asyncio.to_thread(discard, cell.folder)
    cell.gone = True


def home_mark(home: Path) -> str:
    """Begins the mark of every process of the previews in a home."""
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16] + "/"
