"""Reads and writes that are finished once they have begun, whoever stops waiting for them.

A connection that is left in the middle of something keeps what it has locked (in SQLite, all of the database), so a
cancelled caller is let go at once and its statements go on by themselves. One writes at a time, in turn: SQLite takes
no more, and its own queue has no order; elsewhere the row that counts changes takes no more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy import Executable, Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from controller.adapters.history.failures import explained

T = TypeVar("T")


class Connections:
    """`place` names the history in errors, without a password. Everything raises Unavailable or Refused."""

    def __init__(self, engine: AsyncEngine, place: str) -> None:
        self._engine = engine
        self._place = place
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()

    async def read(self, query: Select[Any]) -> list[Row[Any]]:
        async def rows() -> list[Row[Any]]:
            async with self._engine.connect() as connection:
                return list((await connection.execute(query)).all())

        return await self._finish(rows())

    async def execute(self, statement: Executable) -> None:
        """A transaction of one statement."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self.write(work)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """One transaction."""

        async def transaction() -> T:
            async with self._turn, self._engine.begin() as connection:
                return await work(connection)

        return await self._finish(transaction())

    async def close(self) -> None:
        """What was begun is finished first."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._engine.dispose()

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._end)
        with explained(self._place):
            return await asyncio.shield(task)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited was told; nobody else needs to be
