"""Samples on their way to History: in batches, each kept once, and none waited for by a probe."""

import asyncio
from collections import deque
from uuid import uuid4

import structlog

from controller.errors import MayflyError
from controller.probes.meter import Meter
from controller.probes.model import Sample
from controller.probes.ports import Samples

log = structlog.get_logger()
FULL = 500
"""A batch is written once it has so many, or after a second."""
EVERY = 1.0
ROOM = 100_000
"""So many wait while History does not take them; of more the oldest are lost, and counted."""
MOST = 5000
"""In one write."""


class Keeper:
    def __init__(self, samples: Samples, meter: Meter, room: int = ROOM) -> None:
        self._samples = samples
        self._meter = meter
        self._room = room
        self._waiting: deque[Sample] = deque()
        self._batch: list[Sample] = []
        self._name = ""
        self._full = asyncio.Event()

    def add(self, sample: Sample) -> None:
        self._waiting.append(sample)
        if len(self._waiting) > self._room:
            self._waiting.popleft()
            self._meter.lost(1)
        if len(self._waiting) >= FULL:
            self._full.set()

    async def run(self) -> None:
        """Until cancelled; what is left is for `flush`."""
        while True:
            try:
                async with asyncio.timeout(EVERY):
                    await self._full.wait()
            except TimeoutError:
                pass
            self._full.clear()
            try:
                await self.flush()
            except MayflyError as error:
                log.warning("samples wait for History", waiting=len(self._waiting), reason=error.reason)
                await asyncio.sleep(EVERY)

    async def flush(self) -> None:
        """All that waits. A batch whose answer was lost is sent again by its name. Raises Unavailable or Refused."""
        while self._batch or self._waiting:
            if not self._batch:
                self._name = f"{uuid4()}"
                self._batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            await self._samples.append(self._batch, self._name)
            self._batch = []
