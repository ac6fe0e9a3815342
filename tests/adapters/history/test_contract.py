"""Two contracts (what happened, and what has to outlive a controller), three histories."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from controller.adapters.history import open_history, sqlite_url
from controller.adapters.local.server import EmbeddedPostgres
from controller.ports import History
from tests.contracts.databases import fresh
from tests.contracts.history import KEY, HistoryContract, a_decision
from tests.contracts.ledger import LedgerContract
from tests.fakes.history import FakeHistory


class TestFake(HistoryContract, LedgerContract):
    @pytest.fixture
    def history(self) -> FakeHistory:
        return FakeHistory()

    @pytest.fixture
    def beside(self, history: FakeHistory) -> History:
        return history.beside()


class TestSqlite(HistoryContract, LedgerContract):
    @pytest.fixture
    async def history(self, tmp_path: Path) -> AsyncIterator[History]:
        history = await open_history(sqlite_url(tmp_path / "new folder" / "history.sqlite3"))
        yield history
        await history.close()

    @pytest.fixture
    async def beside(self, history: History, tmp_path: Path) -> AsyncIterator[History]:
        beside = await open_history(sqlite_url(tmp_path / "new folder" / "history.sqlite3"))
        yield beside
        await beside.close()


@pytest.mark.postgres
@pytest.mark.processes
class TestPostgres(HistoryContract, LedgerContract):
    @pytest.fixture
    async def url(self, postgres: EmbeddedPostgres) -> AsyncIterator[str]:
        await postgres.ensure()
        name = fresh("history")
        async with await psycopg.AsyncConnection.connect(postgres.url(), autocommit=True) as admin:
            await admin.execute(f'CREATE DATABASE "{name}"')
            yield postgres.url(name)
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @pytest.fixture
    async def history(self, url: str) -> AsyncIterator[History]:
        history = await open_history(url)
        yield history
        await history.close()

    @pytest.fixture
    async def beside(self, url: str) -> AsyncIterator[History]:
        beside = await open_history(url)
        yield beside
        await beside.close()

    async def test_one_that_is_written_but_not_yet_committed_is_not_overtaken(self, url: str, history: History) -> None:
        await history.decisions()
        async with await psycopg.AsyncConnection.connect(url) as slow:
            await slow.execute("UPDATE changes SET latest = latest + 1")
            overtaking = asyncio.create_task(history.decide(a_decision()))
            await until_somebody_waits(slow)
            assert await history.decisions() == {}
            await slow.commit()
        assert await overtaking
        assert await history.decisions() == {KEY: (a_decision(),)}


async def until_somebody_waits(session: psycopg.AsyncConnection) -> None:
    """For a lock that this very session holds."""
    while True:
        found = await session.execute(
            "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        if await found.fetchone():
            return
        await asyncio.sleep(0.01)
