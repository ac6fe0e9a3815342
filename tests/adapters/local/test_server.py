"""The embedded PostgreSQL through what befalls it."""

import asyncio
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from controller.adapters.local import cluster as files
from controller.adapters.local.cluster import open_cluster, reachable
from controller.adapters.local.processes import identify
from controller.adapters.local.server import LOG_LIMIT, EmbeddedPostgres
from controller.errors import Refused, Unavailable


def test_a_missing_extra_is_refused_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(Refused, match=r"pip install 'mayfly\[embedded\]'"):
        open_cluster(tmp_path)


def test_a_folder_behind_a_closed_one_is_not_reachable(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert not reachable(tmp_path / "inside")


def test_no_url_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not started"):
        EmbeddedPostgres(tmp_path).url()


@pytest.fixture
async def server(postgres_binaries: Path, tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "home")
    await server.start()
    yield server
    await server.remove()


async def ask(server: EmbeddedPostgres, statement: str) -> str:
    url = server.url()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as session:
        cursor = await session.execute(statement.encode())
        while cursor.nextset():
            pass
        row = await cursor.fetchone()
        return str(row[0]) if row else ""


async def folder(server: EmbeddedPostgres) -> Path:
    return Path(await ask(server, "SHOW data_directory"))


async def postmaster(server: EmbeddedPostgres) -> int:
    return int((await folder(server) / "postmaster.pid").read_text().split()[0])


async def gone(pid: int) -> None:
    """Ended for good: one that is being killed keeps its port for a moment."""
    for _ in range(1500):
        if identify(pid) is None:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"process {pid} goes on")


@pytest.mark.postgres
@pytest.mark.processes
class TestServer:
    async def test_it_answers_as_postgresql_18_and_not_as_root(self, server: EmbeddedPostgres) -> None:
        assert await server.healthy()
        assert (await ask(server, "SHOW server_version")).startswith("18")
        assert Path(f"/proc/{await postmaster(server)}").stat().st_uid != 0
        assert server.binary("psql").exists()

    async def test_another_controller_adopts_it(self, server: EmbeddedPostgres, tmp_path: Path) -> None:
        again = EmbeddedPostgres(tmp_path / "home")
        await again.start()
        assert again.url() == server.url()
        assert await postmaster(again) == await postmaster(server)

    async def test_two_that_start_at_once_share_it(self, server: EmbeddedPostgres, tmp_path: Path) -> None:
        await server.stop()
        two = [EmbeddedPostgres(tmp_path / "home") for _ in range(2)]
        await asyncio.gather(*[one.start() for one in two])
        assert two[0].url() == two[1].url()

    async def test_killed_it_comes_back_with_what_it_knew(self, server: EmbeddedPostgres) -> None:
        await ask(server, "CREATE TABLE kept AS SELECT 7 AS x; SELECT 1")
        pid, url = await postmaster(server), server.url()
        os.kill(pid, signal.SIGKILL)
        await gone(pid)
        assert not await server.healthy()
        await server.ensure()
        assert (await ask(server, "SELECT x FROM kept"), server.url()) == ("7", url)

    async def test_its_folder_gone_it_begins_anew(self, server: EmbeddedPostgres) -> None:
        pid = await postmaster(server)
        await asyncio.to_thread(shutil.rmtree, (await folder(server)).parent)
        await server.ensure()
        assert await server.healthy()
        assert await postmaster(server) != pid
        await gone(pid)

    async def test_its_port_taken_it_takes_another(self, server: EmbeddedPostgres) -> None:
        url = server.url()
        port = int(await ask(server, "SHOW port"))
        pid = await postmaster(server)
        os.kill(pid, signal.SIGKILL)
        await gone(pid)
        with socket.create_server(("127.0.0.1", port)):
            await server.ensure()
            assert await server.healthy()
            assert server.url() != url

    async def test_a_half_made_folder_is_made_anew(self, server: EmbeddedPostgres) -> None:
        data = await folder(server)
        await server.stop()
        (data / "PG_VERSION").unlink()
        (data.parent / ".new-1234").mkdir()
        await server.start()
        assert await server.healthy()
        assert not list(data.parent.glob(".new-*"))

    async def test_a_pid_that_is_somebody_elses_now_is_not_taken_for_it(self, server: EmbeddedPostgres) -> None:
        data = await folder(server)
        await server.stop()
        (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n")
        (data.parent / "server.json").write_text(
            f'{{"pid": {os.getpid()}, "started": 1, "boot": "{files_boot()}", "port": 1}}'
        )
        await server.start()
        assert await server.healthy()

    async def test_a_broken_folder_is_told_with_the_last_words(self, server: EmbeddedPostgres) -> None:
        data = await folder(server)
        await server.stop()
        shutil.rmtree(data / "global")
        with pytest.raises(Unavailable, match=r"PostgreSQL does not start: .*pg_control"):
            await server.start()

    async def test_stopped_it_is_gone_and_stopping_again_is_fine(self, server: EmbeddedPostgres) -> None:
        pid = await postmaster(server)
        await server.stop()
        await server.stop()
        await gone(pid)
        assert not await server.healthy()

    async def test_its_log_is_bounded(self, server: EmbeddedPostgres) -> None:
        log = (await folder(server)).parent / "postgres.log"
        with log.open("ab") as file:
            file.write(b"x" * (LOG_LIMIT + 1))
        await server.ensure()
        assert log.stat().st_size < LOG_LIMIT

    @pytest.mark.parametrize(
        ("properly", "boot", "kept"),
        [
            pytest.param(False, "another", False, id="a power cut: it may be torn, and is made anew"),
            pytest.param(True, "another", True, id="a proper shutdown and another boot"),
            pytest.param(False, "", True, id="killed, and nobody knows when: no evidence, nothing is removed"),
            pytest.param(False, "this", True, id="killed during this boot"),
        ],
    )
    async def test_what_stays_after_the_machine_went_down(
        self, server: EmbeddedPostgres, tmp_path: Path, properly: bool, boot: str, kept: bool
    ) -> None:
        await ask(server, "CREATE TABLE typed (n int); SELECT 1")
        data, pid = await folder(server), await postmaster(server)
        if properly:
            await server.stop()
        else:
            os.kill(pid, signal.SIGKILL)
            await gone(pid)
        state = data.parent / "server.json"
        told = json.loads(state.read_text())
        state.write_text(json.dumps(told | {"boot": boot} if boot != "this" else told))
        again = EmbeddedPostgres(tmp_path / "home")
        await again.start()
        assert await ask(again, "SELECT count(*) FROM pg_class WHERE relname = 'typed'") == str(int(kept))

    async def test_the_password_is_for_its_owner_alone(self, server: EmbeddedPostgres) -> None:
        assert ((await folder(server)).parent / "password").stat().st_mode & 0o077 == 0

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")
    async def test_where_its_user_cannot_go_it_stands_in_elsewhere(
        self, server: EmbeddedPostgres, tmp_path: Path
    ) -> None:
        base = (await folder(server)).parent
        assert base.parent == files.ELSEWHERE
        for parent in (
            tmp_path,
            *tmp_path.parents[:3],
        ):  # somebody opens the way: what is elsewhere stays there, and is found
            parent.chmod(parent.stat().st_mode | 0o011)
        await server.remove()
        assert not base.exists()


def files_boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that everybody can reach, as `/var/lib` is."""
    with tempfile.TemporaryDirectory(prefix="mayfly-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server has another user, who may not reach something")
async def test_programs_that_its_user_cannot_reach_are_copied_with_their_libraries(
    postgres_binaries: Path, tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = postgres_binaries.parent.parent
    closed = tmp_path / "closed"
    shutil.copytree(package, closed / package.name, copy_function=os.link)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", copy_function=os.link)
    closed.chmod(0o700)
    programs = closed / postgres_binaries.relative_to(package.parent)
    monkeypatch.setattr(files, "find_binaries", lambda: programs)
    server = EmbeddedPostgres(tmp_path / "home", elsewhere=open_folder)
    try:
        await server.start()
        assert await ask(server, "SELECT 1") == "1"
        assert server.binary("psql").is_relative_to(open_folder)
    finally:
        await server.remove()
