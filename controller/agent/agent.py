"""An agent at work: three loops, of which none waits for another.

    fetch      every minute: what to run, taken only where `remote` verifies it; else the last one goes on
    work       the probes of the last one, on the schedule and with the prober of the controller's own, until it expires
    deliver    every two seconds: what was found, from the disk, oldest first, a batch at a time

An agent that is silent pages where it was the only one that says anything of a probe: silence is a probe's, and another
location that passes says that the application works. Which locations speak is in the metrics.
"""

import asyncio
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from controller.agent.buffer import Buffer
from controller.agent.link import Link
from controller.agent.orders import Orders
from controller.agent.patience import LONGEST, Patience
from controller.errors import MayflyError, Refused
from controller.probes.canary import Canaries
from controller.probes.prober import Prober
from controller.probes.remote import Assignment
from controller.probes.schedule import Schedule

log = structlog.get_logger()
FETCH_EVERY = 60.0
DELIVER_EVERY = 2.0
FAREWELL = 5.0
"""Seconds that a stop takes at most, to bring what waits."""


def now() -> datetime:
    return datetime.now(UTC)


class Agent:
    def __init__(self, link: Link, location: str, key: str, folder: Path, clock: Callable[[], datetime] = now) -> None:
        """`folder` holds all that has to outlive it, and the files that checks name (`tls.ca`). Raises Refused where
        it cannot be written to."""
        self._link = link
        self._location = location
        self._folder = folder
        self._clock = clock
        self._buffer = Buffer(folder / "samples")
        self._orders = Orders(folder / "assignment.json", key, location, clock)
        self._news = asyncio.Event()
        self._missed = 0

    async def run(self) -> None:
        """Until cancelled; what waits then is brought, if that is quick."""
        self._orders.recall()
        log.info("this agent begins", location=self._location, waiting=self._buffer.waiting, lost=self._buffer.lost)
        async with self._link:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._fetching())
                    group.create_task(self._working())
                    group.create_task(self._delivering())
            finally:
                with suppress(MayflyError, TimeoutError):
                    async with asyncio.timeout(FAREWELL):
                        await self._deliver()
                self._buffer.close()
                log.info("this agent ends", location=self._location, waiting=self._buffer.waiting)

    async def _fetching(self) -> None:
        patience = Patience("the assignment is not taken: the last one goes on, until it expires")
        while True:
            pause = FETCH_EVERY
            try:
                self._orders.take(await self._link.assignment())
            except MayflyError as error:
                pause = patience.after(error)
            else:
                patience.over()
                self._news.set()
            await asyncio.sleep(pause)

    async def _working(self) -> None:
        while True:
            if assignment := self._orders.current:
                log.info("probes run", probes=len(assignment.probes), expires=f"{assignment.expires_at}")
                await self._work(assignment)
            else:
                log.warning("nothing runs: there is no assignment, or it has expired")
                await self._heard()

    async def _work(self, assignment: Assignment) -> None:
        """Until there is other work, or none. A run that is under way then is left out."""
        async with (
            Prober(assignment.probes, assignment.at_once, self._location, self._folder) as prober,
            Canaries(assignment.canaries) as canaries,
        ):

            async def one(name: str, due: datetime) -> None:
                self._buffer.add(await canaries.honest(await prober.sample(name, due)))

            schedule = Schedule(one, self._miss)
            for probe in assignment.probes:
                schedule.add(probe)
            schedule.start()
            try:
                while assignment.same_work(self._orders.current):
                    await self._heard()
            finally:
                await schedule.stop()

    async def _heard(self) -> None:
        """An assignment came, or a minute went by: the clock may be set, and expiry is by the clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                await self._news.wait()
        self._news.clear()

    async def _delivering(self) -> None:
        patience = Patience("samples wait on the disk")
        while True:
            pause = DELIVER_EVERY
            try:
                await self._deliver()
            except MayflyError as error:
                pause = patience.after(error)
            else:
                patience.over()
            await asyncio.sleep(pause)

    async def _deliver(self) -> None:
        """What waits by now. Raises Unavailable."""
        for _ in range(self._buffer.batches):
            if (waiting := self._buffer.oldest()) is None:
                return
            batch, samples = waiting
            try:
                await self._link.deliver(batch, samples)
            except Refused as error:
                log.error("the controller will never take these samples", reason=error.reason, samples=len(samples))
                self._buffer.refused(batch)
            else:
                self._buffer.done(batch)

    def _miss(self, name: str, runs: int) -> None:
        self._missed += runs
        if self._missed.bit_count() == 1:  # the first, and ever fewer
            log.warning("runs were left out", probe=name, all=self._missed)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the folder for this process, however that ends. Raises Refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise Refused(f"cannot write to {folder}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"another agent runs with {folder}") from None
        yield
