"""What the cluster warns of and says nowhere else: a volume that cannot be mounted, pods of a Job that a quota refuses.

Read only while something takes long, as events are many and not ours.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.kinds import EVENT
from controller.adapters.kubernetes.shapes import Obj
from controller.errors import Refused, Unavailable

EVERY = 5.0
"""Seconds; what takes less long needs no explanation."""


@asynccontextmanager
async def heeded(cell: Cell, means: Means) -> AsyncIterator[None]:
    """Keeps `Cell.warnings` true for as long as it is entered."""
    reading = asyncio.create_task(_keep_reading(cell, means))
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        cell.warnings = {}


async def _keep_reading(cell: Cell, means: Means) -> None:
    while True:
        await asyncio.sleep(EVERY)
        try:
            found, _ = await means.api.list(EVENT, cell.name)
        except (Unavailable, Refused):
            continue
        warnings = {_about(event): _words(event) for event in sorted(found, key=_when) if event["type"] == "Warning"}
        if warnings != cell.warnings:
            cell.warnings = warnings
            cell.stir()


def _about(event: Obj) -> str:
    """The uid of what it is about."""
    found: str = event.get("involvedObject", {}).get("uid", "")
    return found


def _words(event: Obj) -> str:
    return " ".join(str(event.get("message", "")).split())[:300]


def _when(event: Obj) -> str:
    """When it was last seen; events have three ways to say that."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or "")
