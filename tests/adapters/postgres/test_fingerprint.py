"""What tells that a migration changed a database, and what does not."""

from typing import LiteralString

import psycopg
import pytest

from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import PostgresDatabases
from tests.contracts.databases import fresh

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

BEFORE = """
CREATE TABLE users (name text);
CREATE TABLE alembic_version (version_num text);
CREATE FUNCTION explode() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it ran'; END $$;
CREATE VIEW schema_migrations AS SELECT explode();
"""


async def _changes(postgres: EmbeddedPostgres, statement: LiteralString) -> bool:
    databases, name = PostgresDatabases(postgres.url, awake=postgres.ensure), fresh()
    async with await psycopg.AsyncConnection.connect(await databases.clone(name, None), autocommit=True) as session:
        await session.execute(BEFORE)
        before = await databases.fingerprint(name)
        await session.execute(statement)
        after = await databases.fingerprint(name)
    await databases.drop(name)
    return before != after


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users ADD COLUMN email text",
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL",
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'ada'",
        "ALTER TABLE users ALTER COLUMN name TYPE varchar(10)",
        "ALTER TABLE users ADD UNIQUE (name)",
        "CREATE INDEX ON users (name)",
        "CREATE TYPE mood AS ENUM ('good')",
        "CREATE SCHEMA other; CREATE TABLE other.things (id int)",
        "CREATE OR REPLACE VIEW schema_migrations AS SELECT 'none'::text AS explode",
        "CREATE OR REPLACE FUNCTION explode() RETURNS text LANGUAGE sql AS $$ SELECT 'it did not' $$",
        "INSERT INTO alembic_version VALUES ('ae1027a6acf')",
    ],
)
async def test_what_a_migration_does_is_seen(postgres: EmbeddedPostgres, statement: LiteralString) -> None:
    assert await _changes(postgres, statement)


@pytest.mark.parametrize(
    "statement", ["SELECT 1", "INSERT INTO users VALUES ('grace')", "VACUUM FULL users", "ANALYZE"]
)
async def test_what_the_application_does_is_not(postgres: EmbeddedPostgres, statement: LiteralString) -> None:
    assert not await _changes(postgres, statement)
