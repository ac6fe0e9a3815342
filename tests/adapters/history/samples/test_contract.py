"""One contract, three places that keep samples."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from controller.adapters.history import open_history, sqlite_url
from controller.adapters.local.server import EmbeddedPostgres
from controller.probes.ports import Samples
from tests.contracts.databases import fresh
from tests.contracts.samples import PROBING, SamplesContract
from tests.fakes.samples import FakeSamples


class TestFake(SamplesContract):
    @pytest.fixture
    def samples(self) -> FakeSamples:
        return FakeSamples(PROBING)

    @pytest.fixture
    def beside(self, samples: FakeSamples) -> Samples:
        return samples.beside()


class TestSqlite(SamplesContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "history.sqlite3")

    @pytest.fixture
    async def samples(self, url: str) -> AsyncIterator[Samples]:
        history = await open_history(url)
        yield history.samples(PROBING)
        await history.close()

    @pytest.fixture
    async def beside(self, url: str, samples: Samples) -> AsyncIterator[Samples]:
        history = await open_history(url)
        yield history.samples(PROBING)
        await history.close()


@pytest.mark.postgres
@pytest.mark.processes
class TestPostgres(SamplesContract):
    @pytest.fixture
    async def url(self, postgres: EmbeddedPostgres) -> AsyncIterator[str]:
        await postgres.ensure()
        name = fresh("samples")
        async with await psycopg.AsyncConnection.connect(postgres.url(), autocommit=True) as admin:
            await admin.execute(f'CREATE DATABASE "{name}"')
            yield postgres.url(name)
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @pytest.fixture
    async def samples(self, url: str) -> AsyncIterator[Samples]:
        history = await open_history(url)
        yield history.samples(PROBING)
        await history.close()

    @pytest.fixture
    async def beside(self, url: str, samples: Samples) -> AsyncIterator[Samples]:
        history = await open_history(url)
        yield history.samples(PROBING)
        await history.close()
