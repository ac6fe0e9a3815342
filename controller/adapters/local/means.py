"""What it takes to run somebody's code on this machine."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from controller.adapters.local.builds import Builds
from controller.adapters.shared.sources import Sources
from controller.ports import Databases
from controller.settings import Policy


@dataclass(frozen=True, slots=True)
class Means:
    policy: Policy
    url: Callable[[str], str]
    """Of a host label."""
    databases: Databases
    psql: Callable[[], Path]
    sources: Sources
    builds: Builds
    seeding: WeakValueDictionary[str, asyncio.Lock]
    """Held by whoever seeds; the others that need the same seed wait."""
    taken_ports: Callable[[], set[int]]
    turns: asyncio.Semaphore
    """Taken by each build, seed and migration, so that many deploys at once do not starve what runs."""
    smoke: tuple[str, ...]
    """The command that runs checks."""
