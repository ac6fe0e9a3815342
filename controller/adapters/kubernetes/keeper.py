"""Looks after the previews there are: hears what the cluster says of them, and gives each a worker where it needs one.

Every replica hears; only the one that leads has workers.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import count

import structlog

from controller.adapters.kubernetes import names, record, runs, services, upkeep, view
from controller.adapters.kubernetes.api import NAMESPACE, Stale
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.reach import Reach
from controller.adapters.kubernetes.record import Record
from controller.adapters.kubernetes.roster import Roster
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.kubernetes.work import GIVE_WAY, work
from controller.adapters.shared.orders import Aim
from controller.common.bells import Broadcast
from controller.common.nouns import Phase, PreviewKey
from controller.errors import Refused, Unavailable
from controller.previews.model import Preview

TRIES = 5
TICK = 30.0
"""Seconds."""
TIDY = 20
"""Every so many ticks."""
log = structlog.get_logger()


class Keeper:
    def __init__(self, means: Means, reach: Reach) -> None:
        self.roster = Roster()
        self.broadcast: Broadcast[PreviewKey] = Broadcast()
        self._means, self._reach = means, reach
        self._seen: dict[PreviewKey, Preview] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leads = False
        self._round: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Finds everything. Raises Unavailable or Refused where the cluster cannot be read."""
        cache = self._means.cache
        heard = cache.changes()
        self.spawn(cache.run())
        await cache.synced()
        for namespace in cache.all(NAMESPACE):
            self._hear(namespace["metadata"]["name"])
        await asyncio.gather(*(self._reach.refresh(cell) for cell in self.roster if settled(cell)))
        self.spawn(self._listen(heard))

    async def lead(self) -> None:
        """Acts from here on: goes on with all that is under way."""
        self._leads = True
        for cell in self.roster:
            self.tend(cell)
        self._round = self.spawn(self._keep())

    async def stand_by(self) -> None:
        """Acts no more; hears all the same."""
        self._leads = False
        tasks = [task for cell in self.roster for task in _tasks_of(cell)]
        await _ended(*tasks, *([self._round] if self._round else []))

    async def close(self) -> None:
        await self.stand_by()
        for cell in self.roster:
            await patiently(cell, cell.keep_visit())
        await _ended(*self._tasks)
        await self._reach.close()

    def preview(self, cell: Cell) -> Preview:
        """Made anew only after something of it changed."""
        if (known := self._seen.get(cell.key)) is not None:
            return known
        self._seen[cell.key] = view.preview(cell, self._means.url(cell.record.order.host))
        return self._seen[cell.key]

    async def change(self, cell: Cell, change: Callable[[Record], Record]) -> None:
        """Writes what `change` makes of the record, on what is there by then; a worker goes on, also where it cannot be
        written."""
        cell.held += 1
        try:
            for attempt in range(TRIES):
                if change(cell.record) == cell.record:
                    return
                await _ended(*([cell.worker] if cell.worker else []))
                try:
                    await cell.save(change(cell.record))
                except Stale:
                    if attempt == TRIES - 1 or cell.terminating:
                        raise
        finally:
            cell.held -= 1
            self.roster.index(cell)
            self.tend(cell)

    def adopt(self, namespace: Obj, known: Record) -> Cell:
        """The one cell of a namespace: the watch may have told of it before the answer to its making came."""
        if (cell := self.roster.of(known.key, namespace["metadata"]["uid"])) is not None:
            return cell
        cell = Cell(self._means, namespace, known, self.changed)
        self.roster.add(cell)
        self.changed(known.key)
        return cell

    def changed(self, key: PreviewKey) -> None:
        self._seen.pop(key, None)
        self.broadcast.tell(key)

    async def _listen(self, heard: AsyncIterator[str]) -> None:
        async for namespace in heard:
            try:
                self._hear(namespace)
                if (cell := self.roster.named(namespace)) is not None:
                    self._refresh(cell)
            except Exception:
                log.exception("a change was not understood", namespace=namespace)

    def _refresh(self, cell: Cell) -> None:
        """Where it is reached now. The API server may have to be asked, and nobody else waits for that."""
        cell.moved = True
        if cell.refresher is None or cell.refresher.done():
            cell.refresher = self.spawn(self._refreshed(cell))

    async def _refreshed(self, cell: Cell) -> None:
        while cell.moved:
            cell.moved = False
            await self._reach.refresh(cell)
        self.changed(cell.key)

    def _hear(self, name: str) -> None:
        """Takes over what the cluster has of a preview now."""
        namespace, cell = self._means.cache.get(NAMESPACE, name), self.roster.named(name)
        if namespace is None or (cell is not None and namespace["metadata"]["uid"] != cell.uid):
            if cell is not None:
                self._drop(cell)
            cell = None
        if namespace is None:
            return
        if cell is None:
            if (known := record.read(namespace)) is None or names.namespace(self._prefix, known.key) != name:
                log.warning("a namespace of ours has no record that can be read", namespace=name)
                return
            cell = self.adopt(namespace, known)
        elif _newer(namespace, cell.version):
            self._take_over(cell, namespace)
        cell.stir()
        self._seen.pop(cell.key, None)
        if self._leads:
            self.tend(cell)

    @property
    def _prefix(self) -> str:
        return self._means.policy.kubernetes.prefix

    def _take_over(self, cell: Cell, namespace: Obj) -> None:
        """What another replica wrote: its record takes the place of ours."""
        theirs, before = record.read(namespace), record.read(cell.namespace)
        cell.see(namespace)
        if theirs is not None and theirs != before and not cell.wrote(namespace):
            if cell.worker is not None:  # it works for an order that is no more
                cell.worker.cancel()
                cell.worker = None
            if self._leads:
                cell.gives_way = time.monotonic() + GIVE_WAY
                self.spawn(self._tend_later(cell))
            cell.record = theirs
            self.roster.index(cell)
        elif theirs is None and self._leads:
            log.warning("the record of a preview cannot be read and is written anew", preview=str(cell.key))
            self.spawn(patiently(cell, cell.save(cell.record)))

    def _drop(self, cell: Cell) -> None:
        for task in _tasks_of(cell):
            task.cancel()
        self.roster.remove(cell)
        self.changed(cell.key)
        self.spawn(self._forget(cell))

    async def _forget(self, cell: Cell) -> None:
        if cell.refresher is not None:
            await _ended(cell.refresher)
        await self._reach.forget(cell.name)
        if self._leads:
            await upkeep.drop_database(cell, self._means)

    def tend(self, cell: Cell) -> None:
        """A worker where there is something to do and nobody does it."""
        if not self._leads or cell.terminating or time.monotonic() < cell.gives_way:
            return
        runs.collect(cell, self._means)
        if not cell.busy and not cell.held and (not settled(cell) or upkeep.why_again(cell)):
            cell.worker = self.spawn(self._work(cell))

    async def _tend_later(self, cell: Cell) -> None:
        await asyncio.sleep(cell.gives_way - time.monotonic())
        if self.roster.get(cell.key) is cell:
            self.tend(cell)

    async def _keep(self) -> None:
        """Looks after all of them every now and then, in case something was not heard of, or could not be done."""
        for turn in count(1):
            await asyncio.sleep(TICK)
            for cell in self.roster:
                self.tend(cell)
                await patiently(cell, runs.begin_anew(cell, self._means))
            if turn % TIDY == 0:
                await upkeep.tidy(self._means, self.roster)

    async def _work(self, cell: Cell) -> None:
        async with cell.working:
            if settled(cell):
                await patiently(cell, upkeep.mend(cell))
            if not settled(cell):
                await work(cell, self._means)
        self.changed(cell.key)

    def spawn(self, doing: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _tasks_of(cell: Cell) -> list[asyncio.Task[None]]:
    """Who works for it."""
    return [task for task in (cell.worker, *cell.readers.values()) if task is not None]


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def patiently(cell: Cell, doing: Coroutine[object, object, None]) -> None:
    """What cannot be done now is done another time."""
    try:
        await doing
    except (Unavailable, Refused) as error:
        log.warning("not now", preview=str(cell.key), reason=error.reason)


def settled(cell: Cell) -> bool:
    """Whether it is where it should be."""
    known = cell.record
    match known.aim:
        case Aim.RUN:
            return known.phase in {Phase.READY, Phase.FAILED} and not services.asleep(cell)
        case Aim.REST:
            return known.phase is Phase.SLEEPING
        case Aim.STOP:
            return services.all_stopped(cell)
        case Aim.DEPLOY | Aim.REMOVE:
            return False


def _newer(namespace: Obj, version: str) -> bool:
    theirs = namespace["metadata"]["resourceVersion"]
    return int(theirs) > int(version) if theirs.isdigit() and version.isdigit() else theirs != version
