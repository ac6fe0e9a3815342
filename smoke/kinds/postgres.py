"""PostgreSQL: a query in a read-only transaction, and the rows it returns."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import psycopg
from psycopg import sql
from pydantic import JsonValue

from smoke.context import Context, answering
from smoke.jsonpath import same
from smoke.spec import PostgresCheck
from smoke.target import Broken, Failed, Finding

MAX_ROWS = 1000
Row = list[JsonValue]


async def check(spec: PostgresCheck, context: Context) -> Finding:
    url = context.fill(spec.url)
    if not context.target.external and url != context.target.variables.get("database_url"):
        raise Broken("a check of a pull request asks its own database, `{database_url}`")
    async with answering(context.time_limit, "the query was not answered"):
        rows = await _rows(url, context.fill(spec.query), context.time_limit)
    wanted = spec.expect
    if wanted is not None and not _alike(rows, wanted):
        raise Failed(f"the query returned {_told(rows)}, expected {_told(wanted)}")
    return Finding(message=f"the query returned {len(rows)} row{'' if len(rows) == 1 else 's'}")


async def _rows(url: str, query: str, limit: timedelta) -> list[Row]:
    try:
        connection = await psycopg.AsyncConnection.connect(url, application_name="mayfly-smoke", autocommit=False)
    except psycopg.OperationalError as error:
        raise Failed(f"the database does not answer: {_why(error)}") from error
    except psycopg.Error as error:
        raise Broken(f"not a PostgreSQL URL: {_why(error)}") from error
    try:
        await connection.set_read_only(True)
        async with connection.cursor() as cursor:
            await cursor.execute(
                sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(int(limit.total_seconds() * 1000)))
            )
            await cursor.execute(query.encode())
            found = await cursor.fetchmany(MAX_ROWS) if cursor.description else []
    except psycopg.Error as error:
        raise Failed(f"the query failed: {_why(error)}") from error
    finally:
        await connection.close()
    return [[_json(value) for value in row] for row in found]


def _why(error: psycopg.Error) -> str:
    return str(error).strip() or type(error).__name__


def _json(value: object) -> JsonValue:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
        case list():
            return [_json(item) for item in value]
        case dict():
            return {str(key): _json(item) for key, item in value.items()}
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _alike(rows: list[Row], wanted: list[Row]) -> bool:
    return len(rows) == len(wanted) and all(
        len(row) == len(other) and all(_equal(value, expected) for value, expected in zip(row, other, strict=True))
        for row, other in zip(rows, wanted, strict=True)
    )


def _equal(value: JsonValue, expected: JsonValue) -> bool:
    return same(value, expected) or (isinstance(expected, str) and str(value) == expected and value is not None)


def _told(rows: list[Row]) -> str:
    text = str(rows[:5])
    return text[:199] + "…" if len(text) > 200 or len(rows) > 5 else text
