"""Brings the database to the newest migration: each file once, in order, in a transaction of its own."""

import os
import sys
from pathlib import Path

import psycopg

MIGRATIONS = Path(__file__).parent / "migrations"
ONE_AT_A_TIME = 7_265_746


def migrate(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [ONE_AT_A_TIME])
        done = {version for (version,) in connection.execute("SELECT version FROM schema_migrations")}
        for file in sorted(MIGRATIONS.glob("*.sql")):
            if file.stem not in done:
                apply(connection, file)


def apply(connection: psycopg.Connection, file: Path) -> None:
    try:
        with connection.transaction():
            connection.execute(file.read_bytes())
            connection.execute("INSERT INTO schema_migrations (version) VALUES (%s)", [file.stem])
    except psycopg.Error as error:
        sys.exit(f"{file.name}: {error.diag.message_primary or error}")
    print(f"applied {file.name}")


if __name__ == "__main__":
    migrate(os.environ["DATABASE_URL"])
