"""What builds made, kept by a digest of what decides it, and put into every later tree that has the same."""

import asyncio
import hashlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from weakref import WeakValueDictionary

from controller.adapters.local.processes import MARK
from controller.adapters.shared.disk import discard, trouble
from controller.adapters.shared.run import CommandFailed, run
from controller.adapters.shared.sources import inside
from controller.errors import Refused, Unavailable

KEPT = 20
"""Most builds that are kept; the one unused for longest goes first."""


def digest(command: Sequence[str], env: Mapping[str, str], outputs: Sequence[str], inputs: Sequence[str]) -> str:
    """`inputs` are git's object ids of whatever the build reads."""
    told = json.dumps([list(command), sorted(env.items()), list(outputs), list(inputs)])
    return hashlib.sha256(told.encode()).hexdigest()


class Builds:
    """`mark` marks our processes."""

    def __init__(self, folder: Path, mark: str) -> None:
        self._folder = folder
        self._env = {"PATH": os.environ.get("PATH", os.defpath), MARK: f"{mark}copy/"}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def one_at_a_time(self, build: str) -> AbstractAsyncContextManager[None]:
        """Of two that need the same build, the second waits for the first and uses it."""
        return self._locks.setdefault(build, asyncio.Lock())

    async def put(self, build: str, tree: Path, outputs: Sequence[str]) -> bool:
        """Puts what was kept into the tree; False where nothing was kept."""
        kept = self._folder / build
        if not kept.is_dir():
            return False
        with trouble("use a build"):
            os.utime(kept)
        for index, output in enumerate(outputs):
            target = tree / output
            if not target.parent.resolve().is_relative_to(tree.resolve()):
                raise Refused(f"the output `{output}` leads out of the repository")
            with trouble("use a build"):
                target.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(discard, target)
            await self._copy(kept / str(index), target)
        return True

    async def keep(self, build: str, tree: Path, outputs: Sequence[str]) -> None:
        """Keeps what the build made in the tree. Raises Refused where it did not make it."""
        making = self._folder / f".new-{uuid.uuid4().hex}"
        try:
            with trouble("keep a build"):
                making.mkdir(parents=True, mode=0o700)
            for index, output in enumerate(outputs):
                if inside(tree, output) != tree.resolve() / output:
                    raise Refused(f"the output `{output}` is a link, or lies behind one")
                await self._copy(tree / output, making / str(index))
            with trouble("keep a build"):
                making.rename(self._folder / build)
        finally:
            await asyncio.to_thread(discard, making)
        await asyncio.to_thread(self._forget_old)

    async def _copy(self, source: Path, target: Path) -> None:
        """Whole, with modes and links as they are; sharing blocks where the file system can."""
        try:
            await run("cp", "-a", "--reflink=auto", "-T", "--", str(source), str(target), env=self._env)
        except CommandFailed as error:
            raise Unavailable(f"cannot copy {target.name}: {error.reason}") from error

    def _forget_old(self) -> None:
        with trouble("look at the builds"):
            kept = sorted(self._folder.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-KEPT]:
            discard(path)

    def sweep(self) -> None:
        """What a killed controller left half copied."""
        for path in self._folder.glob(".new-*"):
            discard(path)
