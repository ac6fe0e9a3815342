"""One contract, three histories."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from controller.adapters.history import open_history, sqlite_url
from controller.adapters.local.server import EmbeddedPostgres
from controller.ports import History
from tests.contracts.databases import fresh
from tests.contracts.history import HistoryContract
from tests.fakes.history import FakeHistory


class TestFake(HistoryContract):
    @pytest.fixture
    def history(self) -> History:
        return FakeHistory()


class TestSqlite(HistoryContract):
    @pytest.fixture
    async def history(self, tmp_path: Path) -> AsyncIterator[History]:
        history = await open_history(sqlite_url(tmp_path / "new folder" / "history.sqlite3"))
        yield history
        await history.close()


@pytest.mark.postgres
@pytest.mark.processes
class TestPostgres(HistoryContract):
    @pytest.fixture
    async def history(self, postgres: EmbeddedPostgres) -> AsyncIterator[History]:
        await postgres.ensure()
        name = fresh("history")
        async with await psycopg.AsyncConnection.connect(postgres.url(), autocommit=True) as admin:
            await admin.execute(f'CREATE DATABASE "{name}"')
            history = await open_history(postgres.url(name))
            yield history
            await history.close()
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
