"""One contract, on PostgreSQL and on the folders that stand in for it."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import PostgresDatabases
from controller.ports import Databases
from tests.contracts.databases import DatabasesContract
from tests.fakes.databases import FakeDatabases


@pytest.mark.postgres
@pytest.mark.processes
class TestPostgres(DatabasesContract):
    @pytest.fixture
    def databases(self, postgres: EmbeddedPostgres) -> Databases:
        return PostgresDatabases(postgres.url, awake=postgres.ensure)

    async def write(self, url: str, value: str) -> None:
        async with await psycopg.AsyncConnection.connect(url) as session:
            await session.execute("CREATE TABLE IF NOT EXISTS things (id serial PRIMARY KEY, value text)")
            await session.execute("INSERT INTO things (value) VALUES (%s)", (value,))

    async def read(self, url: str) -> list[str]:
        async with await psycopg.AsyncConnection.connect(url) as session:
            rows = await (await session.execute("SELECT value FROM things ORDER BY id")).fetchall()
        return [row[0] for row in rows]


class TestFake(DatabasesContract):
    @pytest.fixture
    def databases(self, tmp_path: Path) -> Databases:
        return FakeDatabases(tmp_path)

    async def write(self, url: str, value: str) -> None:
        with (Path(parse_qs(urlsplit(url).query)["folder"][0]) / "things").open("a") as file:
            file.write(f"{value}\n")

    async def read(self, url: str) -> list[str]:
        return (Path(parse_qs(urlsplit(url).query)["folder"][0]) / "things").read_text().splitlines()
