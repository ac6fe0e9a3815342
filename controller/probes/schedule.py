"""When probes run: APScheduler with its memory store, and an executor that tells each run when it was due.

At a fixed rate: the next run is reckoned from when this one was due, not from when it ended. Probes of one interval are
spread over it by their names, in the same way after every restart. A run that would begin while the one before it goes
on is left out, and so are those that passed while nothing could begin (a suspended machine): they are counted.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast

# It has no types: nothing of it leaves this module.
from apscheduler.events import EVENT_JOB_MAX_INSTANCES  # type: ignore[import-untyped]
from apscheduler.executors.base import BaseExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from controller.settings import Probe

Run = Callable[[str, datetime], Awaitable[None]]
"""Of the probe with this name, with when it was due. Raises nothing."""
Missed = Callable[[str, int], None]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Schedule:
    """`start` and `stop` inside a running loop; it can be started once."""

    def __init__(self, run: Run, missed: Missed) -> None:
        # Another's log of every run would be 333 lines a second, with 10,000 probes at 30 s.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._missed = missed
        self._executor = _Executor(run, missed)
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            executors={"default": self._executor},
            # `_Executor` runs the last of several at once, and counts the others: coalescing hides how many there were.
            job_defaults={"misfire_grace_time": None, "coalesce": False, "max_instances": 1},
        )
        self._scheduler.add_listener(self._skipped, EVENT_JOB_MAX_INSTANCES)

    def add(self, probe: Probe) -> None:
        self._scheduler.add_job(_nothing, _trigger(probe), id=probe.name)

    def start(self) -> None:
        self._scheduler.start()

    async def stop(self) -> None:
        """Ends the runs that are under way too."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # it shuts down in the loop's next turn
        await self._executor.end()

    def next_at(self, name: str) -> datetime | None:
        job = self._scheduler.get_job(name)
        return cast("datetime | None", job and job.next_run_time)

    def _skipped(self, event: object) -> None:
        self._missed(getattr(event, "job_id", ""), len(getattr(event, "scheduled_run_times", ())))


def phase(name: str, every: timedelta) -> timedelta:
    """How far into each interval a probe runs."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return every * share


def _trigger(probe: Probe) -> object:
    if probe.cron:
        return CronTrigger.from_crontab(probe.cron, timezone=UTC)
    return IntervalTrigger(
        seconds=probe.every.total_seconds(), start_date=_EPOCH + phase(probe.name, probe.every), timezone=UTC
    )


def _nothing() -> None:
    """What APScheduler believes to run."""


class _Executor(BaseExecutor):  # type: ignore[misc,no-any-unimported]  # it has no types
    def __init__(self, run: Run, missed: Missed) -> None:
        super().__init__()
        self._run = run
        self._missed = missed
        self._under_way: set[asyncio.Task[None]] = set()

    def _do_submit_job(self, job: object, run_times: list[datetime]) -> None:
        name = str(getattr(job, "id", ""))
        if len(run_times) > 1:
            self._missed(name, len(run_times) - 1)
        task = asyncio.create_task(self._one(name, run_times[-1]))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _one(self, name: str, due: datetime) -> None:
        try:
            await self._run(name, due)
        except Exception as error:  # noqa: BLE001 - a bug in one run is told, and the probe runs again
            self._run_job_error(name, error, error.__traceback__)
        else:
            self._run_job_success(name, [])

    async def end(self) -> None:
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
