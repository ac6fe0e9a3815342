"""The clone of a seeded database, against `psql` restoring the same dump: what a preview would wait for without it.

Two seeds, one of about 100 MB on disk (customers, orders, indexes, a foreign key) and one that is next to empty. Every
clone is a fresh one, as a new preview's; the dump is plain SQL, restored into an empty database of the same server.
"""

import asyncio
import os
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import psycopg

from benchmarks.model import Row
from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.postgres.databases import PostgresDatabases
from controller.adapters.shared.run import run

ROUNDS = 7
RESTORES = 3
FASTER = 10
"""So many times faster than the restore is a clone of the large seed to be."""
LIMIT = timedelta(minutes=5)
SHOP = Path(__file__).parent.parent / "examples" / "shop" / "db" / "seed.sql"
_ROWS = """
INSERT INTO products (name, category, description, price_cents, stock)
SELECT 'Thing ' || n, 'things', 'Made up, but whole: ' || md5(n::text), 100 + n, 40 FROM generate_series(1, 240) n;
INSERT INTO customers (name, email, city)
SELECT initcap(substr(md5(n::text), 1, 12)), 'customer' || n || '@example.com', 'City ' || n %% 400
FROM generate_series(1, %(customers)s::integer) n;
INSERT INTO orders (customer_id, placed_at, delivery_cents)
SELECT 1 + n * 7919::bigint %% %(customers)s, timestamptz '2025-01-01' + n * interval '1 min', 450
FROM generate_series(1, 4 * %(customers)s::integer) n;
INSERT INTO order_lines (order_id, product_id, quantity, price_cents)
SELECT n, 1 + (n * 31 + line * 77) %% 240, 1 + n %% 3, 100 + n %% 9000
FROM generate_series(1, 4 * %(customers)s::integer) n, generate_series(1, 3) line;
"""
_LARGE, _TINY = 70_000, 50
"""Customers of each seed, with four orders of three lines each."""


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        try:
            await postgres.start()
            return await _Bench(postgres, Path(folder) / "dump.sql").rows()
        finally:
            await postgres.remove()


class _Bench:
    def __init__(self, postgres: EmbeddedPostgres, dump: Path) -> None:
        self._postgres = postgres
        self._databases = PostgresDatabases(postgres.url, awake=postgres.ensure)
        self._dump = dump

    async def rows(self) -> list[Row]:
        await self._make_dump()
        restored = statistics.median([await self._restore() for _ in range(RESTORES)])
        seeded = statistics.median([await self._seed() for _ in range(RESTORES)])
        megabytes, cloned = await self._clone("large")
        await _fill(await self._databases.begin_template("tiny"), _TINY)
        await self._databases.finish_template("tiny")
        tiny_megabytes, tiny = await self._clone("tiny")
        peer = f"psql restoring the same {megabytes:.0f} MB into an empty database"
        clone = f"clone of a seeded {megabytes:.0f} MB database (median of {ROUNDS})"
        return [
            Row.at_most(clone, cloned, restored / FASTER, "s", peer=restored, against=peer),
            Row("its template: begin, psql, finish", seeded, restored, None, "s", holds=True, against=peer),
            Row(f"clone of a seeded {tiny_megabytes:.0f} MB database", tiny, None, None, "s", holds=True),
        ]

    async def _make_dump(self) -> None:
        url = await self._databases.clone("source", None)
        await _fill(url, _LARGE)
        await self._program("pg_dump", "--no-owner", "--no-acl", f"--file={self._dump}", url)
        await self._databases.drop("source")

    async def _restore(self) -> float:
        url = await self._databases.clone("restored", None)
        began = time.perf_counter()
        await self._psql(url)
        took = time.perf_counter() - began
        await self._databases.drop("restored")
        return took

    async def _seed(self) -> float:
        """The last one stays."""
        await self._databases.drop_template("large")
        began = time.perf_counter()
        await self._psql(await self._databases.begin_template("large"))
        await self._databases.finish_template("large")
        return time.perf_counter() - began

    async def _clone(self, seed: str) -> tuple[float, float]:
        """Its size in megabytes, and the median of the seconds."""
        took = []
        for n in range(ROUNDS):
            name = f"{seed}-{n}"
            began = time.perf_counter()
            await self._databases.clone(name, seed)
            took.append(time.perf_counter() - began)
            size = await self._databases.size(name)
            await self._databases.drop(name)
        return size / 1e6, statistics.median(took)

    async def _psql(self, url: str) -> None:
        await self._program("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={self._dump}", url)

    async def _program(self, name: str, *arguments: str) -> None:
        await run(
            str(self._postgres.binary(name)), *arguments, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"}, limit=LIMIT
        )


async def _fill(url: str, customers: int) -> None:
    """The example shop's own tables, with more in them than its seed has."""
    tables = SHOP.read_text().partition("-- 40 things")[0]
    connect = psycopg.AsyncConnection.connect
    async with await connect(url, autocommit=True, cursor_factory=psycopg.AsyncClientCursor) as session:
        await session.execute(tables.encode())
        await session.execute(_ROWS, {"customers": customers})


if __name__ == "__main__":
    print(asyncio.run(measure()))
