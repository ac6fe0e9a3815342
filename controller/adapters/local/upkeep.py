"""What is done beside the orders: finding everything after a restart, watching, and throwing away what nobody uses."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from controller.adapters.local import checks, data, processes, store
from controller.adapters.local.cell import Cell
from controller.adapters.local.crew import Roster
from controller.adapters.local.means import Means
from controller.adapters.local.store import Record
from controller.adapters.local.watch import watch
from controller.adapters.shared.disk import discard, trouble
from controller.adapters.shared.orders import Aim
from controller.common.nouns import Phase, PreviewKey
from controller.errors import Refused, Unavailable

LOOK_EVERY = 1.0
SAVE_VISITS_EVERY = 10.0
REACH_EVERY = 2.0
TIDY_EVERY = 3600.0
UNUSED_FOR = timedelta(days=7)
_log = structlog.get_logger()


def load(previews: Path) -> list[Record]:
    """Every preview that can be read. What cannot is nobody's: its directory goes, its processes and database follow.

    A directory without a record is one whose removal was cut off, or whose first record was never written.
    """
    found = []
    with trouble("read the previews"):
        folders = sorted(previews.iterdir())
    for folder in folders:
        record = store.read(folder)
        if record is not None and record.slug == folder.name:
            found.append(record)
            continue
        _log.warning("a directory without a readable record is removed", folder=folder.name)
        discard(folder)
    return found


async def end_strays(cells: Collection[Roster], mark: str) -> None:
    """Ends steps that an earlier controller left half done, and whatever runs for a unit that has no supervisor."""
    await asyncio.gather(*(cell.stop("jobs") for cell in cells))
    supervised = {unit.mark for cell in cells for unit in cell.units("services", "checks") if unit.alive}
    found = await asyncio.to_thread(processes.marked, mark)
    strays = [process for process, whose in found.items() if whose not in supervised]
    for process in strays:
        processes.send(process, signal.SIGKILL)
    await asyncio.gather(*(processes.ended(process) for process in strays))


async def compare_databases(means: Means, cells: Iterable[Cell], previews: Path) -> None:
    """A preview whose database is gone is deployed again; a database whose preview is gone is dropped.

    Both only on what the server itself says; where it does not answer, nothing is concluded.
    """
    try:
        there = await means.databases.names()
    except (Unavailable, Refused) as error:
        _log.warning("the databases cannot be compared", reason=error.reason)
        return
    for cell in cells:
        record = cell.record
        if record.database_url and record.database_name not in there and record.aim in {Aim.RUN, Aim.REST}:
            anew = replace(record, deployed=record.deployed + 1, database_clean=False, steps=())
            cell.save(replace(anew, aim=Aim.DEPLOY, phase=Phase.STARTING, phase_since=datetime.now(UTC)))
    for name in there:
        if name.startswith("pr-") and not (previews / name).exists():
            _log.warning("a database without a preview is dropped", database=name)
            await quietly(means.databases.drop(name))


async def look_once(cells: Iterable[Cell]) -> None:
    """So that what answers is reached from the start; what does not at once is looked at again soon."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.gather(*(watch(cell) for cell in cells), return_exceptions=True)


async def keep(means: Means, cells: Mapping[PreviewKey, Cell], revive: Callable[[Cell], None]) -> None:
    """For ever: watches, saves visits, tidies."""
    saved_at = tidied_at = reached_at = time.monotonic()
    async with asyncio.TaskGroup() as group:
        while True:
            for cell in list(cells.values()):
                if cell.watcher is None or cell.watcher.done():  # a slow one delays no other
                    cell.watcher = group.create_task(_watch(cell, means, revive))
            now = time.monotonic()
            if now - saved_at > SAVE_VISITS_EVERY:
                saved_at = now
                for cell in list(cells.values()):
                    save_visit(cell)
            if now - reached_at > REACH_EVERY:
                reached_at = now
                group.create_task(follow_databases(means, cells, revive))
            if now - tidied_at > TIDY_EVERY:
                tidied_at = now
                group.create_task(tidy(means, cells))
            await asyncio.sleep(LOOK_EVERY)


async def _watch(cell: Cell, means: Means, revive: Callable[[Cell], None]) -> None:
    try:
        await checks.resume(cell, means)
        if await watch(cell):
            revive(cell)
    except Unavailable as error:
        _log.warning("a preview cannot be watched", preview=str(cell.record.key), reason=error.reason)
    except Exception:  # noqa: BLE001 - a mistake about one preview must not end the watch over the others
        _log.exception("a preview cannot be watched", preview=str(cell.record.key))


async def follow_databases(means: Means, cells: Mapping[PreviewKey, Cell], revive: Callable[[Cell], None]) -> None:
    """Keeps the database server running for those who use it; one that came back elsewhere restarts its previews."""
    for cell in list(cells.values()):
        if cell.record.aim is Aim.RUN and cell.record.database_url and (cell.worker is None or cell.worker.done()):
            try:
                if await data.moved(cell.record.database_url, means):
                    revive(cell)
            except (Unavailable, Refused) as error:
                _log.warning("the database server cannot be reached", reason=error.reason)
                return


def save_visit(cell: Cell) -> None:
    if cell.last_visit == cell.record.last_visit or cell.gone:
        return
    try:
        cell.save(replace(cell.record, last_visit=cell.last_visit))
    except Unavailable as error:
        _log.warning("a visit cannot be written down", preview=str(cell.record.key), reason=error.reason)


async def tidy(means: Means, cells: Mapping[PreviewKey, Cell]) -> None:
    """Drops templates that no preview was made from and nobody cloned for a week; packs the mirrors."""
    await quietly(_drop_unused_templates(means, list(cells.values())))
    await forget_lost_sources(means, cells)
    await quietly(means.sources.tidy())


async def forget_lost_sources(means: Means, cells: Mapping[PreviewKey, Cell]) -> None:
    """Objects that only a preview needed whose directory is gone."""
    await quietly(means.sources.forget_others(lambda: {cell.record.slug for cell in cells.values()}))


async def _drop_unused_templates(means: Means, cells: list[Cell]) -> None:
    used = [cell.record.database.seed for cell in cells if cell.record.database and cell.record.database.seed]
    now = datetime.now(UTC)
    for seed, cloned_at in (await means.databases.templates()).items():
        if now - cloned_at > UNUSED_FOR and not seed.startswith(tuple(used)):
            await means.databases.drop_template(seed)


async def quietly(doing: Coroutine[object, object, None]) -> None:
    """Upkeep that did not work is tried again later; it must not stop anything."""
    try:
        await doing
    except (Unavailable, Refused) as error:
        _log.warning("upkeep has to wait", reason=error.reason)
