import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, Row, Select, create_engine

from controller.adapters.history import fold, open_history, rows, sqlite_url
from controller.adapters.history.fold import Rows
from controller.adapters.history.ledger import HEADS
from controller.adapters.history.opening import migrate
from controller.adapters.history.sql import RUNS, TIMELINE, SqlHistory
from controller.adapters.history.tables import METADATA
from controller.adapters.local.server import EmbeddedPostgres
from controller.common.nouns import PreviewKey
from controller.errors import Refused, Unavailable
from tests.contracts.history import KEY, NOON, OTHER, a_decision, a_run, an_event, texts
from tests.contracts.ledger import a_delivery


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


def differences(engine: Engine) -> list[object]:
    migrate(engine)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    return list(found)


def test_the_migrations_make_the_tables_of_the_models(file: Path) -> None:
    assert differences(create_engine(f"sqlite:///{file}")) == []


@pytest.mark.postgres
@pytest.mark.processes
def test_the_migrations_make_the_tables_of_the_models_on_postgresql(postgres: EmbeddedPostgres) -> None:
    url = postgres.url("template1").replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS models")
        connection.exec_driver_sql("CREATE DATABASE models TEMPLATE template0")
        assert differences(create_engine(url.replace("template1", "models"))) == []
        connection.exec_driver_sql("DROP DATABASE models")
    admin.dispose()


async def test_a_history_is_found_again(file: Path) -> None:
    first = await open_history(sqlite_url(file))
    await first.decide(a_decision(origin="comment:1"))
    await first.close()
    again = await open_history(f"sqlite:///{file}")
    assert not await again.decide(a_decision(origin="comment:1"))
    await again.close()


async def test_a_timeline_is_bounded_and_leaves_the_others_alone(file: Path) -> None:
    history = await open_history(sqlite_url(file))
    await history.record([an_event("elsewhere", OTHER)])
    await history.record([an_event(str(number)) for number in range(TIMELINE + 30)])
    kept = texts(await history.timeline(KEY, limit=10_000))
    assert (len(kept), kept[0]) == (TIMELINE, "30")
    assert texts(await history.timeline(OTHER)) == ["elsewhere"]
    await history.close()


async def test_runs_are_bounded(file: Path) -> None:
    history = await open_history(sqlite_url(file))
    for order in range(RUNS + 2):
        await history.record_run(KEY, order, a_run())
    assert len(await history.runs(KEY, "smoke", limit=10_000)) == RUNS
    await history.close()


async def test_heads_are_bounded_and_those_of_others_are_left_alone(file: Path) -> None:
    history = await open_history(sqlite_url(file))
    await history.first_seen({(OTHER, "f" * 40): NOON})
    for number in range(HEADS + 2):
        await history.first_seen({(KEY, f"{number:040}"): NOON})
    await history.close()
    again, later = await open_history(sqlite_url(file)), NOON + timedelta(days=1)
    seen = await again.first_seen(dict.fromkeys([(KEY, f"{1:040}"), (KEY, f"{2:040}"), (OTHER, "f" * 40)], later))
    assert seen == {(KEY, f"{1:040}"): later, (KEY, f"{2:040}"): NOON, (OTHER, "f" * 40): NOON}
    await again.close()


async def test_deliveries_are_forgotten_after_a_week_and_not_before(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "FORGETS_EVERY", timedelta())
    history = await open_history(sqlite_url(file))
    await history.keep_deliveries([a_delivery("gone"), a_delivery("stays", at=NOON + timedelta(seconds=1))])
    await history.keep_deliveries([a_delivery("now", at=NOON + timedelta(days=7, seconds=1))])
    assert await history.keep_deliveries([a_delivery("gone"), a_delivery("stays")]) == {"gone"}
    await history.close()


async def test_the_own_deliveries_ring_nobody_here(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "LISTENS_EVERY", timedelta(milliseconds=10))
    history, beside = await open_history(sqlite_url(file)), await open_history(sqlite_url(file))
    await beside.keep_deliveries([a_delivery("before")])
    bells = history.bells()
    rung = asyncio.ensure_future(anext(bells))
    await until_looked(history)
    await history.keep_deliveries([a_delivery("own", KEY)])
    await until_looked(history)
    await beside.keep_deliveries([a_delivery("other's", OTHER)])
    assert await rung == OTHER
    await asyncio.gather(history.close(), beside.close())


async def until_looked(history: SqlHistory) -> None:
    """Twice: the one under way may have begun before."""
    for _ in range(2):
        seen, whole = asyncio.Event(), history._ledger._told._read

        async def read(
            change: int, whole: Callable[[int], Awaitable[Rows]] = whole, seen: asyncio.Event = seen
        ) -> Rows:
            rows = await whole(change)
            seen.set()
            return rows

        history._ledger._told._read = read
        await seen.wait()
        history._ledger._told._read = whole


async def test_two_controllers_at_once_lose_no_decision(file: Path) -> None:
    one, two = await asyncio.gather(open_history(sqlite_url(file)), open_history(sqlite_url(file)))
    kept = await asyncio.gather(*[history.decide(a_decision()) for history in (one, two) * 20])
    orders = [decision.order for decision in (await one.decisions())[KEY]]
    assert all(kept)
    assert orders == list(range(orders[0], orders[0] + 40))
    await asyncio.gather(one.close(), two.close())


async def test_a_look_reads_only_what_is_new(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = await open_history(sqlite_url(file))
    for number in range(30):
        await history.decide(a_decision())
        await history.remember_said(PreviewKey("shop", number), {"comment": "1"})
    before = await history.decisions(), await history.said()
    sizes = []
    whole = history._connections.read

    async def rows(query: Select[Any]) -> list[Row[Any]]:
        found = await whole(query)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(history._connections, "read", rows)
    assert (await history.decisions(), await history.said()) == before
    await history.decide(a_decision(key=OTHER))
    assert OTHER in await history.decisions()
    assert sizes == [0, 0, 1]
    await history.close()


async def test_a_database_that_was_put_back_is_read_whole_in_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = await open_history(sqlite_url(file))
    for origin in ("one", "two", "three"):
        await history.decide(a_decision(origin=origin))
    await history.decisions()
    with sqlite3.connect(file) as raw:
        raw.executescript("DELETE FROM decisions; UPDATE changes SET latest = 0")
    raw.close()
    await history.decide(a_decision(origin="after"))
    monkeypatch.setattr(fold, "WHOLE_AGAIN", timedelta())
    monkeypatch.setattr(history._decisions, "_whole_at", 0.0)
    assert [decision.origin for decision in (await history.decisions())[KEY]] == ["after"]
    await history.close()


async def test_what_was_written_before_changes_were_counted_is_read(file: Path) -> None:
    migrate(old := create_engine(f"sqlite:///{file}"), "0001")
    old.dispose()
    with sqlite3.connect(file) as raw:
        raw.execute("INSERT INTO said VALUES ('shop', 7, 'comment', '1')")
    raw.close()
    history = await open_history(sqlite_url(file))
    assert await history.said() == {KEY: {"comment": "1"}}
    await history.remember_said(KEY, {"comment": "2"})
    assert await history.said() == {KEY: {"comment": "2"}}
    await history.close()


async def test_a_decision_stands_though_the_controller_is_killed(file: Path) -> None:
    script = (
        "import asyncio, os, signal\n"
        "from pathlib import Path\n"
        "from controller.adapters.history import open_history, sqlite_url\n"
        "from tests.contracts.history import a_decision\n"
        "async def main():\n"
        f"    history = await open_history(sqlite_url(Path({str(file)!r})))\n"
        "    await history.decide(a_decision())\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], check=False, timeout=60)
    assert killed.returncode == -9
    history = await open_history(sqlite_url(file))
    assert await history.decisions() == {KEY: (a_decision(),)}
    await history.close()


async def test_a_file_that_is_no_history_is_refused_and_named(file: Path) -> None:
    file.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(Refused, match=r"history\.sqlite3.*not a database"):
        await open_history(sqlite_url(file))
    assert file.read_bytes().startswith(b"this is not")


async def test_a_folder_in_the_place_of_the_file_is_refused(file: Path) -> None:
    file.mkdir()
    with pytest.raises(Refused, match="unable to open"):
        await open_history(sqlite_url(file))


async def test_a_history_of_a_later_mayfly_is_refused(file: Path) -> None:
    await (await open_history(sqlite_url(file))).close()
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(Refused, match="another version of Mayfly"):
        await open_history(sqlite_url(file))


async def test_a_read_only_file_is_refused(file: Path) -> None:
    await (await open_history(sqlite_url(file))).close()
    history = await open_history(f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(Refused, match="readonly"):
        await history.decide(a_decision())
    await history.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("not a url", "none that SQLAlchemy reads", id="no URL"),
        pytest.param("mysql://u:hunter2@h/x", "names mysql", id="another database"),
        pytest.param("sqlite://", "names no file", id="in memory"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        await open_history(url)
    assert "hunter2" not in refused.value.reason


async def test_a_server_that_is_down_is_unavailable_and_its_password_is_not_told(file: Path) -> None:
    with pytest.raises(Unavailable) as unavailable:
        await open_history("postgresql://me:hunter2@127.0.0.1:1/x?connect_timeout=2")
    assert "hunter2" not in unavailable.value.reason
