"""What a migration leaves in a database, in one word: its shape, and what migration tools wrote down of themselves.

Rows of the application are no part of it: they change all the time, and main goes on writing while a release migrates.
A migration that only rewrites rows, by a tool that keeps no book, goes unseen.

Read by a superuser from a database that strangers' code may have made: so only from the catalogs, which deparse and
run nothing, and by COPY of plain tables, which calls no cast or function of theirs.
"""

import hashlib

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

_SHAPE = """
WITH theirs AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
relations AS (SELECT pg_class.oid, relkind, nspname || '.' || relname AS name
                FROM pg_class JOIN theirs ON theirs.oid = relnamespace)
SELECT 'relation', name, relkind::text, CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) ELSE '' END
  FROM relations
UNION ALL
SELECT 'column', name, attname, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
       pg_get_expr(adbin, adrelid))
  FROM relations JOIN pg_attribute ON attrelid = relations.oid
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint', concat_ws(' ', conrelid::regclass, contypid::regtype), conname,
       pg_get_constraintdef(pg_constraint.oid)
  FROM pg_constraint JOIN theirs ON theirs.oid = connamespace
UNION ALL
SELECT 'index', name, '', pg_get_indexdef(indexrelid) FROM pg_index JOIN relations ON relations.oid = indexrelid
UNION ALL
SELECT 'trigger', name, tgname, pg_get_triggerdef(pg_trigger.oid)
  FROM pg_trigger JOIN relations ON relations.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT 'function', nspname, proname, concat_ws(' ', pg_get_function_identity_arguments(pg_proc.oid), prosrc)
  FROM pg_proc JOIN theirs ON theirs.oid = pronamespace
UNION ALL
SELECT 'enum', nspname, typname, concat_ws(' ', enumlabel, enumsortorder)
  FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid JOIN theirs ON theirs.oid = typnamespace
"""
_BOOKS = """
SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
 WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema'
   AND relname ~* 'migration|alembic_version|schema_(version|history|revisions)|db_version|changelog$|sequelizemeta'
 ORDER BY nspname, relname
"""
"""As Rails, Alembic, Django, Flyway, Liquibase, Knex, Prisma, Goose, TypeORM, Sequelize and others call theirs."""


async def fingerprint(session: AsyncConnection[TupleRow]) -> str:
    """Of the database that the session is in. Raises psycopg.Error."""
    told = hashlib.sha256()
    shape = await (await session.execute(_SHAPE)).fetchall()
    told.update(repr(sorted(shape)).encode())
    for schema, table in await (await session.execute(_BOOKS)).fetchall():
        told.update(repr((schema, table, await _rows(session, schema, table))).encode())
    return told.hexdigest()


async def _rows(session: AsyncConnection[TupleRow], schema: str, table: str) -> list[bytes]:
    async with session.cursor() as cursor, cursor.copy(_copy(schema, table)) as copied:
        return sorted(b"".join([bytes(piece) async for piece in copied]).split(b"\n"))


def _copy(schema: str, table: str) -> sql.Composed:
    return sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, table))
