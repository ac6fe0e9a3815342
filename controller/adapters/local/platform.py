"""The embedded platform: previews as processes of this machine, each in a directory that says what it should be.

An order is written down and a worker started; the caller does not wait. The processes outlive us. After a restart
every directory is read, what runs is recognised (pid and start time, never the pid alone), and what is not as it
should be gets its worker again.
"""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakValueDictionary

from controller.adapters.local import checks, upkeep, view
from controller.adapters.local.builds import Builds
from controller.adapters.local.cell import JOBS, Cell
from controller.adapters.local.logs import follow as lines_of
from controller.adapters.local.means import Means
from controller.adapters.local.processes import MARK
from controller.adapters.local.store import Record
from controller.adapters.local.work import home_mark, work
from controller.adapters.shared.disk import trouble
from controller.adapters.shared.orders import Aim, Order, keeps_data, service_host
from controller.adapters.shared.sources import Sources, Where
from controller.common.bells import Broadcast
from controller.common.nouns import Phase, PreviewKey, Route
from controller.errors import Refused, Unavailable
from controller.ports import Databases
from controller.previews.model import DeployOrder, Preview
from controller.settings import Policy

SMOKE = (sys.executable, "-P", "-m", "smoke")
"""`-P`: what a check left in its folder is not imported."""


class LocalPlatform:
    """Implements `controller.ports.Platform`.

    `home` holds everything; one controller at a time may have it open. `source` gives what `git fetch` takes for a
    repository (`Forge.source`), `psql` the program that loads seeds, `smoke` the command that runs checks. Call `open`
    before anything else, and `close` at the end, which leaves the previews running.
    """

    def __init__(
        self,
        home: Path,
        *,
        policy: Policy,
        source: Where,
        databases: Databases,
        psql: Callable[[], Path],
        smoke: tuple[str, ...] = SMOKE,
    ) -> None:
        self._home, self._mark = home, home_mark(home)
        self._means = Means(
            policy=policy,
            url=policy.url,
            databases=databases,
            psql=psql,
            sources=Sources(home / "sources", source, {MARK: f"{self._mark}git/"}),
            builds=Builds(home / "builds", self._mark),
            seeding=WeakValueDictionary(),
            taken_ports=self._taken_ports,
            turns=asyncio.Semaphore(2 * (os.cpu_count() or 1)),
            smoke=smoke,
        )
        self._cells: dict[PreviewKey, Cell] = {}
        self._hosts: dict[str, tuple[Cell, str]] = {}
        self._broadcast: Broadcast[PreviewKey] = Broadcast()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Finds everything again and goes on where it stopped. Raises Unavailable where the home cannot be used."""
        with trouble(f"use {self._home.name}"):
            for name in ("sources", "builds", "previews"):
                (self._home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for record in await asyncio.to_thread(upkeep.load, self._home / "previews"):
            self._adopt(record)
        await upkeep.end_strays(list(self._cells.values()), self._mark)
        await asyncio.to_thread(self._means.builds.sweep)
        await asyncio.to_thread(self._means.sources.sweep)
        await upkeep.compare_databases(self._means, list(self._cells.values()), self._home / "previews")
        await upkeep.forget_lost_sources(self._means, self._cells)
        for cell in self._cells.values():
            await checks.resume(cell, self._means)
            if cell.record.aim is not Aim.RUN or cell.record.phase is Phase.STARTING:
                self._start(cell)
        await upkeep.look_once(self._cells.values())
        self._index()
        self._spawn(upkeep.keep(self._means, self._cells, self._start))

    async def close(self) -> None:
        """Ends our own tasks, and the steps of a deploy under way; the previews run on."""
        cells = list(self._cells.values())
        tasks = self._tasks | {checker for cell in cells for checker in cell.checkers.values()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for cell in cells:
            upkeep.save_visit(cell)

    async def halt(self) -> None:
        """Closes, and ends every process of every preview. What they are is kept: the next `open` starts them again."""
        await self.close()
        await asyncio.gather(*(cell.stop("jobs", "services", "checks") for cell in self._cells.values()))

    async def previews(self) -> tuple[Preview, ...]:
        return tuple(self._seen(cell) for cell in self._cells.values())

    async def preview(self, key: PreviewKey) -> Preview | None:
        cell = self._cells.get(key)
        return self._seen(cell) if cell else None

    async def deploy(self, order: DeployOrder) -> None:
        """Raises Unavailable while an old environment of this key is being removed, or the disk is full; Refused for
        strangers' code."""
        if order.fork:
            raise Refused("it comes from a fork, and nothing fences strangers' code on one machine")
        known = self._cells.get(order.key)
        if known is not None and known.record.aim is Aim.REMOVE:
            raise Unavailable("the old preview is being removed")
        if known is not None and (known.record.order, known.record.deploy_order) == (Order.of(order), order.order):
            return
        cell = known or self._adopt(_first_record(order))
        try:
            cell.save(_ordered(cell.record, order), durable=True)
        except Unavailable:
            if known is None:
                del self._cells[order.key]
            raise
        self._index()
        self._start(cell)

    async def run_checks(self, key: PreviewKey, uid: str, revision: str, suite: str, order: int) -> None:
        """Raises Unavailable where the preview is not ready, Refused where its spec has no such suite."""
        cell = self._of(key, uid)
        if cell is not None and cell.record.order.revision == revision:
            checks.start(cell, self._means, suite, order)

    async def give_up(self, key: PreviewKey, uid: str, revision: str, because: str) -> None:
        cell = self._of(key, uid)
        if cell is None or cell.record.order.revision != revision or cell.record.phase is not Phase.STARTING:
            return
        ailing = {name: why for name, why in cell.ailing.items() if why}
        logs = [line for name in ailing for line in cell.service(name).tail()]
        cell.record = replace(cell.record, troubles=cell.record.troubles | ailing)
        cell.enter(Phase.FAILED, Aim.STOP, because, "\n".join(logs[-30:]))
        self._start(cell)

    async def sleep(self, key: PreviewKey, uid: str, order: int) -> None:
        self._rest(self._of(key, uid), Aim.REST, order)

    async def wake(self, key: PreviewKey, uid: str, order: int) -> None:
        self._rest(self._of(key, uid), Aim.RUN, order)

    def _rest(self, cell: Cell | None, aim: Aim, order: int) -> None:
        if cell is None:
            return
        record = replace(cell.record, rest_order=max(order, cell.record.rest_order))
        changes = {record.aim, aim} == {Aim.RUN, Aim.REST}
        if changes and aim is Aim.RUN:
            record = replace(record, aim=aim, phase=Phase.STARTING, phase_since=datetime.now(UTC), crashed=False)
        elif changes:
            record = replace(record, aim=aim)
        if record != cell.record:
            cell.save(replace(record, last_visit=cell.last_visit), durable=True)
        if changes:
            self._start(cell)

    async def remove(self, key: PreviewKey, uid: str) -> None:
        cell = self._of(key, uid)
        if cell is None or cell.record.aim is Aim.REMOVE:
            return
        since = datetime.now(UTC)
        removed = replace(cell.record, aim=Aim.REMOVE, phase=Phase.TERMINATING, phase_since=since, reason="", logs="")
        try:
            cell.save(removed, durable=True)
        except Unavailable:  # a full disk does not keep it alive: removing is what makes room
            cell.record = removed
        self._index()
        self._start(cell)

    async def visited(self, key: PreviewKey, at: datetime) -> None:
        cell = self._cells.get(key)
        if cell is None:
            return
        cell.visited(at)
        if cell.record.phase is Phase.SLEEPING:
            upkeep.save_visit(cell)
            self._broadcast.tell(key)

    def route(self, host: str) -> Route | None:
        found = self._hosts.get(host.lower())
        return view.route(*found) if found else None

    def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        cell = self._cells.get(key)
        if cell is None:
            raise Refused(f"there is no preview of {key}")
        names = list(cell.record.order.spec.services)
        jobs = [name for name in JOBS if name not in names and cell.job(name).folder.exists()]
        if service is None:
            folders = {f"{name} | ": cell.service(name).folder for name in names}
        elif service in names:
            folders = {"": cell.service(service).folder}
        elif service in jobs:
            folders = {"": cell.job(service).folder}
        else:
            raise Refused(f"there is no service `{service}`; there are {', '.join(names + jobs)}")
        return self._redacted(cell, lines_of(folders, lines, more=follow))

    async def _redacted(self, cell: Cell, lines: AsyncIterator[str]) -> AsyncIterator[str]:
        async for line in lines:
            yield cell.redact(line)

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None:
        cell = self._cells.get(key)
        return await asyncio.to_thread(checks.artifact, cell, suite, name) if cell else None

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        return self._broadcast.changes()

    def _of(self, key: PreviewKey, uid: str) -> Cell | None:
        """The very environment that is meant, if it is still there."""
        cell = self._cells.get(key)
        return cell if cell is not None and cell.record.uid == uid else None

    def _seen(self, cell: Cell) -> Preview:
        return view.preview(cell, self._means.url(cell.record.order.host))

    def _adopt(self, record: Record) -> Cell:
        folder = self._home / "previews" / record.slug
        mark = f"{self._mark}{record.slug}/"
        cell = Cell(folder, record, mark, self._means.policy.local, lambda: self._broadcast.tell(record.key))
        self._cells[record.key] = cell
        return cell

    def _start(self, cell: Cell) -> None:
        """A worker for the cell. The one it has is told to end, and ends before this one begins."""
        if cell.worker is not None:
            cell.worker.cancel()
        cell.worker = self._spawn(self._work(cell))

    def _spawn(self, doing: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, cell: Cell) -> None:
        async with cell.working:
            await work(cell, self._means)
        if cell.gone and self._cells.get(cell.record.key) is cell:
            del self._cells[cell.record.key]
            self._index()
            self._broadcast.tell(cell.record.key)

    def _index(self) -> None:
        """Hosts anew; a preview that is being removed is not reached any more."""
        self._hosts = {
            host: (cell, name)
            for cell in self._cells.values()
            if cell.record.aim is not Aim.REMOVE
            for name in cell.record.order.spec.services
            if (host := service_host(cell.record.order.spec, cell.record.order.host, name))
        }

    def _taken_ports(self) -> set[int]:
        return {port for cell in self._cells.values() for port in cell.record.ports.values()}


def _first_record(order: DeployOrder) -> Record:
    now = datetime.now(UTC)
    return Record(order.key, uuid.uuid4().hex, Order.of(order), Aim.DEPLOY, Phase.STARTING, now, now)


def _ordered(record: Record, order: DeployOrder) -> Record:
    """The record with a new order. Checks under way are superseded with the deploy under way."""
    return replace(
        record,
        order=Order.of(order),
        aim=Aim.DEPLOY,
        phase=Phase.STARTING,
        phase_since=datetime.now(UTC),
        deployed=record.deployed + 1,
        deploy_order=order.order,
        reason="",
        logs="",
        crashed=False,
        steps=(),
        troubles={},
        database_clean=record.database_clean and keeps_data(order),
        jobs=tuple(job for job in record.jobs if job.run is not None),
    )
