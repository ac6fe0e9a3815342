"""Probes and locations as small numbers, one for each series."""

import asyncio
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.adapters.history.connections import Connections
from controller.adapters.history.fold import WHOLE_AGAIN
from controller.adapters.history.rows import Insert, clean
from controller.adapters.history.samples import tables

Name = tuple[str, str]
"""A probe and a location."""


class Names:
    def __init__(self, connections: Connections, insert: Insert) -> None:
        self._connections = connections
        self._insert = insert
        self._known: dict[Name, int] = {}
        self._whole_at = 0.0

    async def numbers(self, names: Collection[Name]) -> Mapping[Name, int]:
        """New ones get theirs. Remembered for a while only: a database may be put back to an earlier day."""
        time = asyncio.get_running_loop().time()
        if time >= self._whole_at:
            self._known, self._whole_at = {}, time + WHOLE_AGAIN.total_seconds()
        if any(name not in self._known for name in names):
            await self._read()
        if new := {name for name in names if name not in self._known}:
            await self._make(new)
            await self._read()
        return self._known

    async def _read(self) -> None:
        rows = await self._connections.read(select(tables.names))
        self._known = {(row.probe, row.location): row.id for row in rows}

    async def _make(self, names: Collection[Name]) -> None:
        """In one order everywhere: two controllers that make the same ones wait, and never for each other."""
        rows = [{"probe": probe, "location": location} for probe, location in sorted(names)]

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(self._insert(tables.names).on_conflict_do_nothing(), rows)

        await self._connections.write(write)


def named(probe: str, location: str) -> Name:
    return clean(probe), clean(location)
