"""Keeps deliveries in few writes: whatever comes while one write goes on shares the next one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from controller.errors import Unavailable
from controller.ports import Ledger
from controller.previews.model import Delivery

WAITING = 10_000
"""Deliveries that wait to be written, at most: History hangs, and a crowd rings."""


@dataclass(frozen=True, slots=True)
class _Batch:
    deliveries: Sequence[Delivery]
    new: asyncio.Future[bool]


class Keeper:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[_Batch] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether any of them was not kept before, here or by another. Raises Unavailable or Refused."""
        if len(self._waiting) >= WAITING:
            raise Unavailable(f"{WAITING:,} deliveries wait to be kept")
        mine = _Batch(deliveries, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await mine.new

    async def close(self) -> None:
        """What waits is written first."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        try:
            while self._waiting:
                batches, self._waiting = self._waiting, []
                await self._write_one(batches)
        finally:
            self._writing = None

    async def _write_one(self, batches: Sequence[_Batch]) -> None:
        try:
            new = set(await self._ledger.keep_deliveries([one for batch in batches for one in batch.deliveries]))
        except Exception as error:  # noqa: BLE001  # whoever waits raises it; a bug too
            for batch in batches:
                _fail(batch, error)
            return
        for batch in batches:  # the first of two that came at once is the new one
            ids = {one.id for one in batch.deliveries}
            if not batch.new.done():
                batch.new.set_result(bool(ids & new))
            new -= ids


def _fail(batch: _Batch, error: Exception) -> None:
    if not batch.new.done():  # whoever waited may have gone
        batch.new.set_exception(error)
