"""A few connections to PostgreSQL, kept open; a broken one is thrown away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.rows import DictRow, dict_row

Connection = psycopg.AsyncConnection[DictRow]


class Database:
    def __init__(self, url: str, most: int = 5) -> None:
        self._url = url
        self._places = asyncio.Semaphore(most)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Commits at the end; an exception rolls back. Waits for a free connection."""
        async with self._places:
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                async with connection.transaction():
                    yield connection
            finally:
                if connection.broken:
                    await connection.close()
                else:
                    self._idle.append(connection)

    async def _connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, row_factory=dict_row, connect_timeout=5
        )

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()
