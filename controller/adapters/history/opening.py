"""Opens a history: its URL made plain, its tables brought up to date, its settings those that lose no decision."""

import asyncio
import threading
from pathlib import Path
from typing import Protocol

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from controller.adapters.history.failures import explained
from controller.adapters.history.sql import SqlHistory
from controller.errors import Refused, Unavailable

MIGRATIONS = Path(__file__).parent / "migrations"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
_MIGRATING = threading.Lock()
"""Alembic keeps what it works on in a module: one at a time."""


async def opened(text: str) -> SqlHistory:
    url = _plain(text)
    place = url.database if url.drivername.startswith("sqlite") and url.database else str(url)
    with explained(place):
        await asyncio.to_thread(_prepare, url)
    engine = create_async_engine(url, pool_pre_ping=not _is_sqlite(url), pool_size=4, max_overflow=4, pool_timeout=30)
    _tune(engine.sync_engine)
    return SqlHistory(engine, place)


def migrate(engine: Engine, to: str = "head") -> None:
    """Brings the tables up to date, or to an earlier revision. Raises Refused where a later Mayfly made them."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with _MIGRATING, engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except CommandError as error:
        raise Refused(f"the history was made by another version of Mayfly: {error}") from error


def _prepare(url: URL) -> None:
    if _is_sqlite(url) and not (url.database or "").startswith("file:"):  # a URI, which is no path
        try:
            Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"cannot make the history's folder: {error}") from error
    engine = create_engine(url.set(drivername="sqlite") if _is_sqlite(url) else url, poolclass=NullPool)
    _tune(engine)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def _plain(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise Refused("the history's URL is none that SQLAlchemy reads, like `sqlite:////var/lib/x.sqlite3`") from error
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.drivername not in _DRIVERS.values():
        raise Refused(f"the history's URL names {url.drivername}; use sqlite:///… or postgresql://…")
    if _is_sqlite(url) and url.database in (None, "", ":memory:"):
        raise Refused("the history's URL names no file: it would be lost at the end")
    return url


def _is_sqlite(url: URL) -> bool:
    return url.drivername == "sqlite+aiosqlite"


class _Cursor(Protocol):
    def execute(self, statement: str) -> object: ...

    def close(self) -> object: ...


class _Raw(Protocol):
    """What a driver calls a connection."""

    def cursor(self) -> _Cursor: ...


def _tune(engine: Engine) -> None:
    """SQLite: readers beside a writer (WAL), and a decision stands once it is said to (FULL), power cut or not."""
    if engine.dialect.name != "sqlite":
        return

    def on_connect(connection: _Raw, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine, "connect", on_connect)
