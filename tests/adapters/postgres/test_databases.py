"""What holds on a real PostgreSQL beyond the contract: who may do what, and what is left of what is cut short."""

import asyncio
import contextlib
from typing import LiteralString

import psycopg
import pytest

from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import NAME_BYTES, PostgresDatabases, bounded
from controller.errors import Refused, Unavailable
from tests.contracts.databases import fresh

HOSTILE = [
    pytest.param('a"; DROP ROLE postgres; --', id="quotes"),
    pytest.param("näme with spaces/../%41@:?#", id="unicode and URL marks"),
    pytest.param("x" * 250, id="250 characters"),
    pytest.param("ü" * 100, id="cut inside a character"),
    pytest.param("$(reboot) {0} %s", id="formats"),
]


@pytest.mark.parametrize("name", [*HOSTILE, pytest.param("a\0b", id="NUL"), pytest.param("a\ud800", id="surrogate")])
def test_a_name_fits(name: str) -> None:
    made = bounded("mayfly_p_", name)
    assert len(made.encode()) <= NAME_BYTES
    assert "\0" not in made
    assert made.startswith("mayfly_p_")
    assert bounded("mayfly_p_", made.removeprefix("mayfly_p_")) == made


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert bounded("p_", "x" * 100 + "1") != bounded("p_", "x" * 100 + "2")


def test_an_owner_that_could_hide_in_another_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="is not 1 to 16"):
        PostgresDatabases("postgresql://", "may_p")


@pytest.fixture
def databases(postgres: EmbeddedPostgres) -> PostgresDatabases:
    return PostgresDatabases(postgres.url, awake=postgres.ensure)


async def execute(url: str, *statements: LiteralString) -> list[tuple[object, ...]]:
    """What the last statement returns."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as session:
        for statement in statements:
            cursor = await session.execute(statement)
        return await cursor.fetchall() if cursor.description else []


def at(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"


async def seeded(databases: PostgresDatabases, *statements: LiteralString) -> str:
    seed = fresh("seed")
    await execute(await databases.begin_template(seed), *statements)
    await databases.finish_template(seed)
    return seed


pytestmark = [pytest.mark.postgres, pytest.mark.processes]


@pytest.mark.parametrize("name", HOSTILE)
async def test_any_name_is_cloned_listed_and_dropped(databases: PostgresDatabases, name: str) -> None:
    name = f"{fresh()}{name}"
    url = await databases.clone(name, None)
    assert await execute(url, "SELECT 1") == [(1,)]
    assert name in await databases.names()
    await databases.drop(name)
    assert name not in await databases.names()


async def test_what_the_seed_made_belongs_to_the_preview(databases: PostgresDatabases) -> None:
    seed = await seeded(
        databases,
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.carts (id serial PRIMARY KEY, total numeric)",
        "CREATE VIEW sums AS SELECT sum(total) FROM shop.carts",
        "CREATE TYPE colour AS ENUM ('red')",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "SELECT lo_create(77)",
    )
    url = await databases.clone(fresh(), seed)
    await execute(
        url,
        "ALTER TABLE shop.carts ADD COLUMN note text",
        "ALTER VIEW sums RENAME TO totals",
        "ALTER TYPE colour ADD VALUE 'blue'",
        "ALTER FUNCTION one() RENAME TO uno",
        "SELECT lo_unlink(77)",
        "CREATE TABLE public.more ()",
        "CREATE SCHEMA another",
        "DROP SCHEMA shop CASCADE",
    )
    await databases.drop_template(seed)
    left = await execute(url, "SELECT count(*) FROM pg_shdepend WHERE refobjid NOT IN (SELECT oid FROM pg_roles)")
    assert left == [(0,)]


async def test_a_preview_reaches_no_other_database(databases: PostgresDatabases) -> None:
    seed = await seeded(databases, "CREATE TABLE t ()")
    one, two = await databases.clone(fresh(), None), await databases.clone(fresh(), None)
    half = await databases.begin_template(fresh("half"))
    for elsewhere in ("postgres", "template1", two.rpartition("/")[2], half.rpartition("/")[2], f"mayfly_t_{seed}"):
        with pytest.raises(psycopg.OperationalError, match=r"permission denied|not currently accepting"):
            await execute(at(one, elsewhere), "SELECT 1")


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("CREATE DATABASE mine", id="a database"),
        pytest.param("CREATE ROLE mine", id="a role"),
        pytest.param("COPY (SELECT 1) TO PROGRAM 'true'", id="a program"),
        pytest.param("SELECT pg_read_file('/etc/hostname')", id="a file"),
        pytest.param("SELECT rolpassword FROM pg_authid", id="passwords"),
        pytest.param("ALTER SYSTEM SET max_connections = 1", id="a setting"),
    ],
)
async def test_a_preview_may_not_have(databases: PostgresDatabases, statement: LiteralString) -> None:
    url = await databases.clone(fresh(), None)
    with pytest.raises(psycopg.Error, match=r"permission denied|must be|superuser"):
        await execute(url, statement)


async def test_a_preview_may_not_take_all_connections(postgres: EmbeddedPostgres) -> None:
    databases = PostgresDatabases(postgres.url, connections=2)
    url = await databases.clone(fresh(), None)
    async with await psycopg.AsyncConnection.connect(url), await psycopg.AsyncConnection.connect(url):
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            await execute(url, "SELECT 1")


async def test_a_database_in_use_is_dropped_and_its_sessions_end(databases: PostgresDatabases) -> None:
    name = fresh()
    url = await databases.clone(name, None)
    async with contextlib.AsyncExitStack() as stack:
        session = await psycopg.AsyncConnection.connect(url, autocommit=True)
        stack.push_async_callback(session.close)
        await databases.drop(name)
        with pytest.raises(psycopg.OperationalError):
            await session.execute("SELECT 1")
    assert name not in await databases.names()


async def test_an_owner_cannot_make_a_database_stay(databases: PostgresDatabases) -> None:
    name = fresh()
    url = await databases.clone(name, None)
    own = url.rpartition("/")[2]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as session:
        await session.execute(psycopg.sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(psycopg.sql.Identifier(own)))
    await databases.drop(name)
    assert name not in await databases.names()


async def test_a_seed_cannot_seal_itself(databases: PostgresDatabases) -> None:
    seed = fresh("seed")
    url = await databases.begin_template(seed)
    own = psycopg.sql.Identifier(url.rpartition("/")[2])
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as session:
        await session.execute(psycopg.sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(own))
    assert not await databases.has_template(seed)
    await execute(await databases.begin_template(seed), "SELECT 1")


async def test_a_seed_that_leaves_a_session_open_is_sealed_all_the_same(databases: PostgresDatabases) -> None:
    seed = fresh("seed")
    session = await psycopg.AsyncConnection.connect(await databases.begin_template(seed))
    await session.execute("CREATE TABLE never_committed ()")
    await databases.finish_template(seed)
    await session.close()
    assert await execute(await databases.clone(fresh(), seed), "SELECT to_regclass('never_committed')") == [(None,)]


async def test_a_template_has_no_session_and_takes_none(databases: PostgresDatabases) -> None:
    seed = fresh("seed")
    url = await databases.begin_template(seed)
    await databases.finish_template(seed)
    await databases.finish_template(seed)
    with pytest.raises(psycopg.OperationalError):
        await execute(url, "SELECT 1")


async def test_finishing_what_nobody_began_is_an_error(databases: PostgresDatabases) -> None:
    with pytest.raises(Unavailable):
        await databases.finish_template(fresh())


async def test_the_size_of_nothing_is_an_error(databases: PostgresDatabases) -> None:
    with pytest.raises(Unavailable, match="does not exist"):
        await databases.size(fresh())


async def test_other_owners_see_nothing_of_ours(databases: PostgresDatabases, postgres: EmbeddedPostgres) -> None:
    name = fresh()
    await databases.clone(name, None)
    other = PostgresDatabases(postgres.url, "other")
    assert name not in await other.names()
    await other.drop(name)
    assert name in await databases.names()


async def test_names_survive_the_loss_of_our_notes(databases: PostgresDatabases, postgres: EmbeddedPostgres) -> None:
    name = fresh()
    await databases.clone(name, None)
    await execute(postgres.url(), "TRUNCATE mayfly.databases")
    assert name in await databases.names()


async def test_ten_clones_at_once(databases: PostgresDatabases) -> None:
    seed = await seeded(databases, "CREATE TABLE t AS SELECT 7 AS x")
    urls = await asyncio.gather(*[databases.clone(fresh(), seed) for _ in range(10)])
    assert [await execute(url, "SELECT x FROM t") for url in urls] == [[(7,)]] * 10


@pytest.mark.parametrize("milliseconds", [1, 10, 25, 40, 60, 90, 130, 200])
async def test_a_clone_cut_short_anywhere_is_made_whole_or_dropped(
    databases: PostgresDatabases, milliseconds: int
) -> None:
    seed, name = await seeded(databases, "CREATE TABLE t AS SELECT 7 AS x"), fresh()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(milliseconds / 1000):
            await databases.clone(name, seed)
    again = await databases.clone(name, seed)
    assert await execute(again, "ALTER TABLE t ADD y int", "SELECT x FROM t") == [(7,)]
    await databases.drop(name)
    await databases.drop_template(seed)
    assert name not in await databases.names()
    assert seed not in await databases.templates()


@pytest.mark.parametrize("milliseconds", [5, 30, 60, 120, 200])
async def test_a_drop_cut_short_anywhere_is_finished_by_the_next(
    databases: PostgresDatabases, milliseconds: int
) -> None:
    name = fresh()
    await databases.clone(name, None)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(milliseconds / 1000):
            await databases.drop(name)
    await databases.drop(name)
    assert name not in await databases.names()


async def test_a_server_that_is_down_is_unavailable_and_no_password_is_told() -> None:
    databases = PostgresDatabases("postgresql://postgres:hunter2@127.0.0.1:1/postgres")
    with pytest.raises(Unavailable) as unavailable:
        await databases.names()
    assert "hunter2" not in str(unavailable.value)


async def test_a_user_who_may_not_is_refused(databases: PostgresDatabases) -> None:
    plain = PostgresDatabases(await databases.clone(fresh(), None))
    with pytest.raises(Refused, match="permission denied"):
        await plain.clone("x", None)
