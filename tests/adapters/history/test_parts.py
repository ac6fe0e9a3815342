"""The parts of a history: what happened to targets, what is to be told, how alarms stand, who may ask."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from controller.adapters.history import open_history, sqlite_url
from controller.adapters.history.opening import migrate
from controller.adapters.history.sql import SqlHistory
from controller.adapters.history.tables import METADATA
from controller.adapters.local.server import EmbeddedPostgres
from tests.contracts import access, alerts, journal, outbox
from tests.contracts.databases import fresh
from tests.fakes.access import FakeAccess
from tests.fakes.alerts import FakeAlerts
from tests.fakes.journal import FakeJournal
from tests.fakes.outbox import FakeOutbox


class Opened:
    """One history, and the same as another controller has it. A subclass provides `url`."""

    @pytest.fixture
    async def one(self, url: str) -> AsyncIterator[SqlHistory]:
        history = await open_history(url)
        yield history
        await history.close()

    @pytest.fixture
    async def two(self, url: str) -> AsyncIterator[SqlHistory]:
        history = await open_history(url)
        yield history
        await history.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty history."""
    file = tmp_path_factory.mktemp("history") / "history.sqlite3"
    migrate(engine := create_engine(f"sqlite:///{file}"))
    engine.dispose()
    return file


class Sqlite(Opened):
    @pytest.fixture
    def url(self, made: Path, tmp_path: Path) -> str:
        return sqlite_url(Path(shutil.copy(made, tmp_path)))


@pytest.fixture(scope="module")
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """One for all tests here: each leaves it empty."""
    asyncio.run(postgres.ensure())
    name = fresh("history")
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        yield postgres.url(name)
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


class Postgres(Opened):
    @pytest.fixture
    def url(self, database: str) -> Iterator[str]:
        yield database
        with psycopg.connect(database) as session:
            for table in METADATA.sorted_tables:
                if table.name != "changes":
                    session.execute(f'DELETE FROM "{table.name}"'.encode())


class TestFakeJournal(journal.JournalContract):
    @pytest.fixture
    def journal(self) -> FakeJournal:
        return FakeJournal()

    @pytest.fixture
    def beside(self, journal: FakeJournal) -> FakeJournal:
        return journal.beside()


class SqlJournal(journal.JournalContract):
    @pytest.fixture
    def journal(self, one: SqlHistory) -> object:
        return one.journal

    @pytest.fixture
    def beside(self, two: SqlHistory) -> object:
        return two.journal


class TestSqliteJournal(Sqlite, SqlJournal):
    pass


@pytest.mark.postgres
@pytest.mark.processes
class TestPostgresJournal(Postgres, SqlJournal):
    pass


class TestFakeOutbox(outbox.OutboxContract):
    @pytest.fixture
    def outbox(self) -> FakeOutbox:
        return FakeOutbox()

    @pytest.fixture
    def beside(self, outbox: FakeOutbox) -> FakeOutbox:
        return outbox.beside()


class SqlOutbox(outbox.OutboxContract):
    @pytest.fixture
    def outbox(self, one: SqlHistory) -> object:
        return one.outbox

    @pytest.fixture
    def beside(self, two: SqlHistory) -> object:
        return two.outbox


class TestSqliteOutbox(Sqlite, SqlOutbox):
    pass


@pytest.mark.postgres
@pytest.mark.processes
class TestPostgresOutbox(Postgres, SqlOutbox):
    pass


class TestFakeAlerts(alerts.AlertsContract):
    @pytest.fixture
    def alerts(self) -> FakeAlerts:
        return FakeAlerts()

    @pytest.fixture
    def beside(self, alerts: FakeAlerts) -> FakeAlerts:
        return alerts.beside()


class SqlAlerts(alerts.AlertsContract):
    @pytest.fixture
    def alerts(self, one: SqlHistory) -> object:
        return one.alerts

    @pytest.fixture
    def beside(self, two: SqlHistory) -> object:
        return two.alerts


class TestSqliteAlerts(Sqlite, SqlAlerts):
    pass


@pytest.mark.postgres
@pytest.mark.processes
class TestPostgresAlerts(Postgres, SqlAlerts):
    pass


class TestFakeAccess(access.AccessContract):
    @pytest.fixture
    def access(self) -> FakeAccess:
        return FakeAccess()

    @pytest.fixture
    def beside(self, access: FakeAccess) -> FakeAccess:
        return access.beside()


class SqlAccess(access.AccessContract):
    @pytest.fixture
    def access(self, one: SqlHistory) -> object:
        return one.access

    @pytest.fixture
    def beside(self, two: SqlHistory) -> object:
        return two.access


class TestSqliteAccess(Sqlite, SqlAccess):
    pass


@pytest.mark.postgres
@pytest.mark.processes
class TestPostgresAccess(Postgres, SqlAccess):
    pass
