"""The forge's own memory of one repository: a SQLite file inside it, shared by the controller and the hook.

Every use is one short transaction on a connection of its own, so that any number of processes may come and go.
Standard library only: the hook imports it within every push.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.adapters.git.pulls import Record
from controller.errors import Unavailable

NAME = "mayfly.sqlite3"
PATIENCE = 5.0
"""Seconds to wait for another process that is writing."""

_SCHEMA = (
    """
CREATE TABLE pulls (
  number INTEGER PRIMARY KEY, branch TEXT NOT NULL, head TEXT NOT NULL, base TEXT NOT NULL,
  opened_at INTEGER NOT NULL, pushed_at INTEGER NOT NULL, closed_at INTEGER,
  merged INTEGER NOT NULL, gone INTEGER NOT NULL
) STRICT;
CREATE INDEX pulls_branch ON pulls (branch, number);
CREATE TABLE seen (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL REFERENCES pulls, author TEXT NOT NULL,
  body TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('person', 'sticky', 'answer')), answers TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_ours ON entries (number, kind, answers) WHERE kind != 'person';
CREATE INDEX entries_number ON entries (number, id);
CREATE TABLE checks (
  number INTEGER NOT NULL REFERENCES pulls, name TEXT NOT NULL, report TEXT NOT NULL, PRIMARY KEY (number, name)
) STRICT;
CREATE TABLE deployments (number INTEGER PRIMARY KEY REFERENCES pulls, report TEXT NOT NULL) STRICT;
""",
    """
CREATE TABLE reports (
  revision TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('status', 'check', 'deployment')),
  name TEXT NOT NULL, report TEXT NOT NULL, PRIMARY KEY (revision, kind, name)
) STRICT;
CREATE INDEX pulls_merged ON pulls (head) WHERE merged;
""",
)
"""Each is made on top of those before it: the file of an earlier Mayfly gets what it lacks."""
_EPOCH = datetime.fromtimestamp(0, UTC)


@contextmanager
def transaction(repository: Path) -> Iterator[sqlite3.Connection]:
    """One transaction that may write; all or nothing. Raises Unavailable, also for what SQLite raises inside."""
    try:
        with closing(sqlite3.connect(repository / NAME, timeout=PATIENCE, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("BEGIN IMMEDIATE")
            with database:  # commits, or rolls back
                _complete(database)
                yield database
    except sqlite3.Error as error:
        raise Unavailable(f"{repository.name}: its {NAME} cannot be used: {error}") from error


def _complete(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    for made, schema in enumerate(_SCHEMA[version:], version + 1):
        for statement in filter(str.strip, schema.split(";")):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {made}")


def now() -> datetime:
    return datetime.now(UTC)


def to_stamp(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_stamp(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)


_PULLS = "SELECT number, branch, head, base, opened_at, pushed_at, closed_at, merged, gone FROM pulls "
_LATEST = """WHERE number IN (SELECT max(number) FROM pulls GROUP BY branch) AND NOT gone
  OR number = (SELECT max(number) FROM pulls)"""
_MAX_NUMBER = 2**63 - 1


def latest_of_each_branch(database: sqlite3.Connection) -> tuple[Record, ...]:
    """Of the branches that were there when last looked; and the one with the highest number, in any case."""
    rows = database.execute(_PULLS + _LATEST)
    return tuple(_record(row) for row in rows)


def by_number(database: sqlite3.Connection, number: int) -> Record | None:
    if not 0 < number <= _MAX_NUMBER:
        return None
    row = database.execute(_PULLS + "WHERE number = ?", (number,)).fetchone()
    return _record(row) if row else None


def latest_of_branch(database: sqlite3.Connection, branch: str) -> Record | None:
    row = database.execute(_PULLS + "WHERE branch = ? ORDER BY number DESC", (branch,)).fetchone()
    return _record(row) if row else None


def merged_at(database: sqlite3.Connection, head: str) -> Record | None:
    """The newest of those that were merged with this head."""
    row = database.execute(_PULLS + "WHERE head = ? AND merged ORDER BY number DESC", (head,)).fetchone()
    return _record(row) if row else None


def keep(database: sqlite3.Connection, records: Iterable[Record]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO pulls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                record.number,
                record.branch,
                record.head,
                record.base,
                to_stamp(record.opened_at),
                to_stamp(record.pushed_at),
                to_stamp(record.closed_at) if record.closed_at else None,
                record.merged,
                record.gone,
            )
            for record in records
        ],
    )


def main_seen(database: sqlite3.Connection) -> str:
    """Main's revision when it was last read; empty where it never had one."""
    row = database.execute("SELECT value FROM seen WHERE name = 'main'").fetchone()
    return str(row[0]) if row else ""


def keep_main(database: sqlite3.Connection, revision: str) -> None:
    database.execute("INSERT OR REPLACE INTO seen VALUES ('main', ?)", (revision,))


def _record(row: tuple[int, str, str, str, int, int, int | None, int, int]) -> Record:
    number, branch, head, base, opened_at, pushed_at, closed_at, merged, gone = row
    return Record(
        number,
        branch,
        head,
        base,
        from_stamp(opened_at),
        from_stamp(pushed_at),
        None if closed_at is None else from_stamp(closed_at),
        bool(merged),
        bool(gone),
    )
