"""Listens to the bell: one FIFO for the process, any number of listeners, and a bound on what waits for each."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from controller.adapters.git import bell
from controller.common.nouns import PreviewKey
from controller.errors import Unavailable

MAX_WAITING = 1000
"""More than this ringing at once is one ring for everything."""


class Waiting:
    """What rang and was not looked at yet, each once, in order."""

    def __init__(self) -> None:
        self._keys: dict[PreviewKey | None, None] = {}
        self._some = asyncio.Event()

    def put(self, key: PreviewKey | None) -> None:
        if len(self._keys) >= MAX_WAITING:
            self._keys = {}
            key = None
        self._keys[key] = None
        self._some.set()

    async def take(self) -> PreviewKey | None:
        await self._some.wait()
        key = next(iter(self._keys))
        del self._keys[key]
        if not self._keys:
            self._some.clear()
        return key


class Listener:
    """Use within one event loop."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._waiting: set[Waiting] = set()
        self._bell = -1
        self._rest = b""

    async def bells(self) -> AsyncIterator[PreviewKey | None]:
        """Raises Unavailable where the bell cannot be hung."""
        waiting = Waiting()
        self._join(waiting)
        try:
            while True:
                yield await waiting.take()
        finally:
            self._leave(waiting)

    def _join(self, waiting: Waiting) -> None:
        if not self._waiting:
            try:
                self._bell = bell.hang(self._root)
            except OSError as error:
                raise Unavailable(f"the bell of the forge cannot be hung: {error}") from error
            asyncio.get_running_loop().add_reader(self._bell, self._hear)
        self._waiting.add(waiting)

    def _leave(self, waiting: Waiting) -> None:
        self._waiting.discard(waiting)
        if not self._waiting:
            asyncio.get_running_loop().remove_reader(self._bell)
            os.close(self._bell)

    def _hear(self) -> None:
        try:
            heard = self._rest + os.read(self._bell, 65_536)
        except BlockingIOError:
            return
        *lines, self._rest = heard[-65_536:].split(b"\n")
        for line in lines:
            key = read_line(line)
            for waiting in self._waiting:
                waiting.put(key)


def read_line(line: bytes) -> PreviewKey | None:
    """`shop 7`; anything else rings for everything."""
    repo, _, number = line.decode(errors="replace").rpartition(" ")
    return PreviewKey(repo, int(number)) if repo and number.isdecimal() and len(number) < 10 else None
