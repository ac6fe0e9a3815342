"""Databases that are folders: a clone is a copy, a URL leads to its folder, and both can be read.

databases.down = True                 # every call raises Unavailable
databases.folder("pr-7-shop")         # what a seed or a migration wrote there
"""

import hashlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from controller.errors import Refused, Unavailable

PASSWORD = "hunter2-xyzzy"


class FakeDatabases:
    """`root/clones/NAME`, `root/templates/SEED` (finished) and `root/unfinished/SEED`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.down = False
        self.seeded: list[str] = []

    def folder(self, name: str) -> Path:
        return self.root / "clones" / name

    async def has_template(self, seed: str) -> bool:
        self._reach()
        return (self.root / "templates" / seed).exists()

    async def begin_template(self, seed: str) -> str:
        self._reach()
        return self._url(_empty(self.root / "unfinished" / seed))

    async def finish_template(self, seed: str) -> None:
        self._reach()
        (self.root / "templates").mkdir(exist_ok=True)
        (self.root / "unfinished" / seed).rename(self.root / "templates" / seed)
        self.seeded.append(seed)

    async def drop_template(self, seed: str) -> None:
        self._reach()
        for kind in ("templates", "unfinished"):
            shutil.rmtree(self.root / kind / seed, ignore_errors=True)

    async def clone(self, name: str, seed: str | None) -> str:
        self._reach()
        target = _empty(self.folder(name))
        if seed is not None:
            if not await self.has_template(seed):
                raise Refused(f"there is no template {seed}")
            shutil.copytree(self.root / "templates" / seed, target, dirs_exist_ok=True)
        return self._url(target)

    async def address(self) -> str:
        self._reach()
        return "127.0.0.1:1"

    async def size(self, name: str) -> int:
        self._reach()
        return sum(path.stat().st_size for path in self.folder(name).iterdir())

    async def fingerprint(self, name: str) -> str:
        """Of all that is in it: nothing but seeds and migrations writes into it in tests that ask."""
        self._reach()
        if not self.folder(name).is_dir():
            raise Unavailable(f"there is no database {name}")
        told = [(path.name, path.read_bytes()) for path in sorted(self.folder(name).iterdir())]
        return hashlib.sha256(repr(told).encode()).hexdigest()

    async def drop(self, name: str) -> None:
        self._reach()
        shutil.rmtree(self.folder(name), ignore_errors=True)

    async def names(self) -> frozenset[str]:
        self._reach()
        folder = self.root / "clones"
        return frozenset(path.name for path in folder.iterdir()) if folder.exists() else frozenset()

    async def templates(self) -> Mapping[str, datetime]:
        self._reach()
        folder = self.root / "templates"
        found = folder.iterdir() if folder.exists() else iter(())
        return {path.name: datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in found}

    def _url(self, folder: Path) -> str:
        return f"postgresql://ada:{PASSWORD}@127.0.0.1:1/{folder.name}?folder={folder}"

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("PostgreSQL does not answer")


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
