"""Databases for previews on one PostgreSQL server: seeded once into a template, cloned for each preview.

    prefix     database                                          owner
    ---------  ------------------------------------------------  -----------------------------------------
    OWNER_t_   seeding: open to its own role only                that role, of the same name
    OWNER_t_   finished: IS_TEMPLATE, no connections             us; the role cannot log in any more
    OWNER_p_   a preview's: closed to everybody but its role     that role, of the same name

What the seed's role made in a clone is given to the preview's (REASSIGN OWNED), so that migrations may change it. Each
step can be cut short: what is half-made is never used, and whoever repeats the step drops it first. Needs a superuser.
"""

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit
from weakref import WeakValueDictionary

import psycopg
from psycopg import conninfo, sql
from psycopg.rows import TupleRow

from controller.adapters.postgres.fingerprint import fingerprint
from controller.errors import Refused, Unavailable

Connection = psycopg.AsyncConnection[TupleRow]

FILE_COPY_FROM = 50 * 2**20
"""From this size (bytes) on, copying files beats copying pages through the log, despite the checkpoints it takes.

Measured on ext4, with `fsync` on: 54 against 68 ms at 25 MB, 95 against 89 at 50 MB, 202 against 119 at 100 MB.
"""
NAME_BYTES = 63
"""PostgreSQL's limit for a name; it cuts longer ones silently."""
_SESSIONS = 4
_LIMITS = "-c statement_timeout=300s -c lock_timeout=20s -c search_path=pg_catalog -c default_transaction_read_only=off"
_PREPARE = """
CREATE SCHEMA IF NOT EXISTS mayfly;
CREATE TABLE IF NOT EXISTS mayfly.databases (
    database text PRIMARY KEY, name text NOT NULL, used_at timestamptz NOT NULL
);
REVOKE ALL ON SCHEMA mayfly FROM PUBLIC;
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
"""
_NOTE = """
INSERT INTO mayfly.databases VALUES (%s, %s, now())
ON CONFLICT (database) DO UPDATE SET name = excluded.name, used_at = excluded.used_at
"""
_NAMED = "SELECT 1 FROM pg_database WHERE datname = %s"
_LEFT = """
SELECT (SELECT datistemplate FROM pg_database WHERE datname = %s), EXISTS (SELECT FROM pg_roles WHERE rolname = %s)
"""
_FINISHED = "datistemplate AND NOT datallowconn AND pg_get_userbyid(datdba) <> datname"
"""A seed's role owns its database until it is sealed, and may set the rest itself."""


def bounded(prefix: str, name: str) -> str:
    """`prefix` + `name`, in at most 63 bytes: a longer one ends in a digest of the whole instead."""
    whole = (prefix + name).encode(errors="replace").replace(b"\0", b"?")
    if len(whole) <= NAME_BYTES and whole == (prefix + name).encode(errors="replace"):
        return whole.decode()
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{whole[: NAME_BYTES - 17].decode(errors='ignore')}-{digest}"


class PostgresDatabases:
    """Implements `controller.ports.Databases`.

    `admin_url` is a superuser's (asked for anew each time, because an embedded server's port may change). `owner` keeps
    the databases of several Mayflies on one server apart: 1 to 16 of `a-z0-9`. `connections` is the most that one
    preview may have open. `awake`, where given, is awaited before every session: it starts a server that does not run.
    """

    def __init__(
        self,
        admin_url: str | Callable[[], str],
        owner: str = "mayfly",
        *,
        connections: int = 40,
        awake: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        if not re.fullmatch(r"[a-z0-9]{1,16}", owner):
            raise ValueError(f"{owner!r} is not 1 to 16 of a-z0-9")
        self._url = admin_url if callable(admin_url) else lambda: admin_url
        self._template_prefix = f"{owner}_t_"
        self._preview_prefix = f"{owner}_p_"
        self._connections = connections
        self._awake = awake
        self._free = asyncio.Semaphore(_SESSIONS)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._prepared = ""
        self._preparing = asyncio.Lock()

    async def has_template(self, seed: str) -> bool:
        async with self._admin() as session:
            return await _finished(session, self._template(seed))

    async def begin_template(self, seed: str) -> str:
        name = self._template(seed)
        async with self._locked(name), self._admin() as session:
            await _drop(session, name)
            await session.execute(_NOTE, (name, seed))
            password = await self._make_role(session, name)
            await _create(session, name)
            await _open_to_owner(session, name)
        return self._url_of(name, password)

    async def finish_template(self, seed: str) -> None:
        """Raises Unavailable where nothing was begun, or it was dropped meanwhile."""
        name = self._template(seed)
        async with self._locked(name), self._admin() as session:
            if await _finished(session, name):
                return
            await _run(session, "ALTER ROLE {} NOLOGIN", name)
            await session.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", (name,)
            )
            async with self._session(name) as inside:
                await inside.execute("VACUUM (ANALYZE)")
            await _run(session, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
            await _run(session, "ALTER DATABASE {} OWNER TO CURRENT_USER", name)
            await session.execute(_NOTE, (name, seed))
            await _run(session, "ALTER DATABASE {} IS_TEMPLATE true", name)

    async def drop_template(self, seed: str) -> None:
        name = self._template(seed)
        async with self._locked(name), self._admin() as session:
            await _drop(session, name)

    async def clone(self, name: str, seed: str | None) -> str:
        """Raises Unavailable where the template is not finished (it may be dropped and seeded again)."""
        database = self._preview(name)
        template = None if seed is None else self._template(seed)
        async with self._locked(database), self._admin() as session:
            if template and not await _finished(session, template):
                raise Unavailable("the seeded template is gone; it is made again with the next deploy")
            await _drop(session, database)
            await session.execute(_NOTE, (database, name))
            if template is not None:
                await session.execute(_NOTE, (template, seed))
            password = await self._make_role(session, database)
            await _create(session, database, template)
            await _open_to_owner(session, database)
            if template is not None:
                async with self._session(database) as inside:
                    await _run(inside, "REASSIGN OWNED BY {0} TO {1}; DROP OWNED BY {0}", template, database)
        return self._url_of(database, password)

    async def size(self, name: str) -> int:
        """Bytes. Raises Unavailable where there is no such database."""
        async with self._admin() as session:
            return int((await _rows(session, "SELECT pg_database_size(%s::name)", self._preview(name)))[0][0])

    async def fingerprint(self, name: str) -> str:
        """Raises Unavailable where there is no such database."""
        async with self._session(self._preview(name)) as inside:
            return await fingerprint(inside)

    async def address(self) -> str:
        """Makes no connection: cheap enough to ask every other second."""
        if self._awake is not None:
            await self._awake()
        return urlsplit(self._url()).netloc.rpartition("@")[2]

    async def drop(self, name: str) -> None:
        database = self._preview(name)
        async with self._locked(database), self._admin() as session:
            await _drop(session, database)

    async def names(self) -> frozenset[str]:
        """Half-made ones as well: they are to be dropped as any other."""
        query = "SELECT datname, name FROM pg_database LEFT JOIN mayfly.databases ON database = datname"
        async with self._admin() as session:
            rows = await _rows(session, f"{query} WHERE starts_with(datname, %s)", self._preview_prefix)
            roles = await _rows(
                session,
                "SELECT rolname, name FROM pg_roles LEFT JOIN mayfly.databases ON database = rolname"
                " WHERE starts_with(rolname, %s)",
                self._preview_prefix,
            )
        return frozenset(name or found.removeprefix(self._preview_prefix) for found, name in rows + roles)

    async def templates(self) -> Mapping[str, datetime]:
        query = "SELECT datname, name, used_at FROM pg_database LEFT JOIN mayfly.databases ON database = datname"
        async with self._admin() as session:
            rows = await _rows(
                session, f"{query} WHERE starts_with(datname, %s) AND {_FINISHED}", self._template_prefix
            )
        now = datetime.now(UTC)
        return {
            name or found.removeprefix(self._template_prefix): used.astimezone(UTC) if used else now
            for found, name, used in rows
        }

    def _template(self, seed: str) -> str:
        return bounded(self._template_prefix, seed)

    def _preview(self, name: str) -> str:
        return bounded(self._preview_prefix, name)

    def _locked(self, name: str) -> asyncio.Lock:
        """One statement after another for one name; different names go side by side."""
        return self._locks.setdefault(name, asyncio.Lock())

    def _url_of(self, name: str, password: str) -> str:
        """The server as `admin_url` reaches it, with another user and database."""
        parts = urlsplit(self._url())
        place = parts.netloc.rpartition("@")[2]
        user, secret = quote(name, safe=""), quote(password, safe="")
        return parts._replace(netloc=f"{user}:{secret}@{place}", path=f"/{user}").geturl()

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[Connection]:
        """A session of ours beside the databases: few at once, and on a server that knows our table."""
        if self._awake:
            await self._awake()
        async with self._free, self._session(None) as session:
            identifier = str((await _rows(session, "SELECT system_identifier FROM pg_control_system()"))[0][0])
            async with self._preparing:
                if self._prepared != identifier:
                    async with session.transaction():
                        await session.execute("SELECT pg_advisory_xact_lock(77001)")
                        await session.execute(_PREPARE)
                    self._prepared = identifier
            yield session

    @contextlib.asynccontextmanager
    async def _session(self, database: str | None) -> AsyncIterator[Connection]:
        """In our own database, or in `database`. What PostgreSQL says comes out as Unavailable or Refused."""
        if self._awake is not None:
            await self._awake()
        try:
            where = conninfo.make_conninfo(self._url(), options=_LIMITS, connect_timeout=10, tcp_user_timeout=30_000)
            if database is not None:
                where = conninfo.make_conninfo(where, dbname=database)
            async with await psycopg.AsyncConnection.connect(where, autocommit=True) as session:
                yield session
        except (psycopg.OperationalError, psycopg.errors.InvalidCatalogName, psycopg.errors.UndefinedObject) as error:
            raise Unavailable(f"PostgreSQL: {_first_line(error)}") from error
        except psycopg.Error as error:
            raise Refused(f"PostgreSQL refuses: {_first_line(error)}") from error

    async def _make_role(self, session: Connection, name: str) -> str:
        """Returns its password, of which the server only ever sees the scram verifier."""
        password = secrets.token_urlsafe(24)
        verifier = session.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        await session.execute(
            sql.SQL(
                "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT {} PASSWORD {}"
            ).format(sql.Identifier(name), sql.Literal(self._connections), sql.Literal(verifier))
        )
        return password


async def _create(session: Connection, name: str, template: str | None = None) -> None:
    """Closed at first: nobody gets in before PUBLIC's right to is revoked."""
    source, strategy = "template0", "WAL_LOG"
    if template is not None:
        size = (await _rows(session, "SELECT pg_database_size(%s::name)", template))[0][0]
        source, strategy = template, "FILE_COPY" if int(size) >= FILE_COPY_FROM else "WAL_LOG"
    await _run(
        session,
        f"CREATE DATABASE {{}} OWNER {{}} TEMPLATE {{}} ALLOW_CONNECTIONS false STRATEGY {strategy}",
        name,
        name,
        source,
    )


async def _open_to_owner(session: Connection, name: str) -> None:
    await _run(session, "REVOKE ALL ON DATABASE {0} FROM PUBLIC; ALTER DATABASE {0} ALLOW_CONNECTIONS true", name)


async def _drop(session: Connection, name: str) -> None:
    """The database, its sessions, its role and our note of it, in whatever state they are."""
    [(is_template, has_role)] = await _rows(session, _LEFT, name, name)
    if is_template:
        await _run(session, "ALTER DATABASE {} IS_TEMPLATE false", name)
    if is_template is not None:
        await _run(session, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    if has_role:
        await _drop_role(session, name)
    await session.execute("DELETE FROM mayfly.databases WHERE database = %s", (name,))


async def _drop_role(session: Connection, name: str) -> None:
    """A clone cut short still holds what the seed's role made: that role stays until the clone is dropped or redone."""
    try:
        await _run(session, "DROP ROLE IF EXISTS {}", name)
    except psycopg.errors.DependentObjectsStillExist:
        await _run(session, "ALTER ROLE {} RENAME TO {}", name, f"mayfly_gone_{secrets.token_hex(8)}")


async def _finished(session: Connection, name: str) -> bool:
    return bool(await _rows(session, f"{_NAMED} AND {_FINISHED}", name))


async def _run(session: Connection, statement: str, *names: str) -> None:
    await session.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


async def _rows(session: Connection, query: str, *values: str) -> list[TupleRow]:
    return await (await session.execute(query, values)).fetchall()


def _first_line(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error)
    return text.strip().partition("\n")[0] or type(error).__name__
