"""A real PostgreSQL of our own: started when it is needed, adopted when it runs already, and never in our way.

    data folder   process                     what `start` does
    ------------  --------------------------  ------------------------------------------------
    there         serves it, as written down  adopts it
    there         none, or killed             ends what is left of it, starts it (it recovers)
    gone          still holds the old one     ends it, makes a new folder, starts it
    half-made     none                        makes it anew, starts it
    in use when   none                        makes it anew, starts it: it may be torn
    power failed
    there         none; the port is taken     starts it on another port

The server outlives the controller. Durability is chosen for previews, whose data comes from a seed: nothing waits for
the disk (`fsync=off`: a clone of 100 MB takes 65 ms instead of 125 or more). A server that is killed loses nothing
by that, as every commit hands its log to the system before it is answered; only a machine that goes down with the
server in use may leave torn data, which is recognised and made anew.
There is no replica; the write-ahead log is `replica` all the same, because a clone of 8 MB then takes 20 ms instead of
30 (of 24 MB: 45 instead of 63): under `minimal`, its pages are read and logged once more at the commit.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg

from controller.adapters.local.cluster import (
    CLEAN,
    ELSEWHERE,
    Cluster,
    as_server,
    discard_torn_data,
    make_data,
    open_cluster,
    write_private,
)
from controller.adapters.local.ports import free_port, is_free
from controller.adapters.local.processes import Process, alive, boot_id, ended, identify, send
from controller.errors import Unavailable

LOG_LIMIT = 4 * 2**20
"""Bytes of the server's log; what is older goes to one file beside it."""
_PATIENCE = timedelta(seconds=60)
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "4096",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "io_workers": "1",
    "autovacuum_max_workers": "1",
    "autovacuum_worker_slots": "2",
    "jit": "off",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "idle_in_transaction_session_timeout": "10min",
}
"""`log_min_messages` leaves out the errors of whoever uses the server: a loop of bad statements fills no disk."""
_FICLONE = 0x40049409


@dataclass(frozen=True, slots=True)
class _Serving:
    process: Process
    port: int


class EmbeddedPostgres:
    """One server with its files in `home`. Every method may raise Unavailable or Refused."""

    def __init__(self, home: Path, *, elsewhere: Path = ELSEWHERE) -> None:
        """`elsewhere` holds the files where we are root and the server's user cannot reach `home`."""
        self._home = home
        self._elsewhere = elsewhere
        self._cluster: Cluster | None = None
        self._serving: _Serving | None = None
        self._password = ""
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Returns once it answers. One that runs already is adopted."""
        async with self._lock, self._alone() as cluster:
            self._serving = await self._adopt(cluster) or await self._launch(cluster)

    async def ensure(self) -> None:
        """Cheap where it runs (no connection is made); otherwise starts it."""
        serving, cluster = self._serving, self._cluster
        if serving and cluster and alive(serving.process) and _holder(cluster)[:1] == [str(serving.process.pid)]:
            _trim(cluster.log)
            return
        await self.start()

    async def healthy(self) -> bool:
        """Whether it answers a query now."""
        if self._serving is None or not alive(self._serving.process):
            return False
        try:
            await _ask(self.url())
        except (psycopg.Error, OSError, TimeoutError):
            return False
        return True

    async def stop(self) -> None:
        """Ends it, sessions included; its files stay. Fine where it does not run."""
        async with self._lock, self._alone() as cluster:
            await _end(_left(cluster))
            self._serving = None  # what is written down stays: the next start takes the same port

    async def remove(self) -> None:
        """Ends it and removes its files, wherever they are: every database is gone. Fine where there are none."""
        async with self._lock, self._alone() as cluster:
            await _end(_left(cluster), signal.SIGQUIT)
            self._serving = None
            await asyncio.to_thread(shutil.rmtree, cluster.base, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The superuser's, with its password: for no log. Raises Unavailable before `start`.

        The port is another one after a restart on which somebody else had taken it: ask again, keep nothing.
        """
        if self._serving is None:
            raise Unavailable("PostgreSQL is not started")
        name = quote(database, safe="")
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._serving.port}/{name}"

    def binary(self, name: str) -> Path:
        """One of PostgreSQL's programs: `psql`, `pg_dump`."""
        return self._files().bin / name

    def _files(self) -> Cluster:
        if self._cluster is None:
            self._cluster = open_cluster(self._home, elsewhere=self._elsewhere)
        return self._cluster

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[Cluster]:
        """Nobody else starts or stops the same server meanwhile, in this process or another."""
        self._cluster = None
        cluster = await asyncio.to_thread(self._files)
        try:
            descriptor = os.open(cluster.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Unavailable(f"cannot keep PostgreSQL's folder: {error}") from error
        try:
            await _lock(descriptor)
            yield cluster
        finally:
            os.close(descriptor)

    async def _adopt(self, cluster: Cluster) -> _Serving | None:
        serving = _written_down(cluster)
        if serving is None or not alive(serving.process) or _holder(cluster)[:1] != [str(serving.process.pid)]:
            return None
        if not cluster.password_file.exists():
            return None
        return await self._answering(cluster, serving)

    async def _launch(self, cluster: Cluster) -> _Serving:
        await _end(_left(cluster))
        cluster.pid_file.unlink(missing_ok=True)
        if not cluster.password_file.exists() and cluster.data.exists():
            raise Unavailable(
                f"the password of PostgreSQL's superuser is gone from {cluster.base}: remove that folder to begin anew"
            )
        if _boot_of(cluster) not in {"", boot_id()}:
            await discard_torn_data(cluster)
        await make_data(cluster)
        for port in (_last_port(cluster), 0, 0):
            if serving := await self._try(cluster, _chosen(port)):
                return serving
        raise Unavailable(f"PostgreSQL does not start: {_last_words(cluster.log)} (its log: {cluster.log})")

    async def _try(self, cluster: Cluster, port: int) -> _Serving | None:
        """None where it ended instead of answering."""
        _trim(cluster.log)
        process = identify(_spawn(cluster, port))
        if process is None:
            return None
        serving = _Serving(process, port)
        state = {"pid": process.pid, "started": process.started, "boot": boot_id(), "port": port}
        write_private(cluster.state_file, json.dumps(state))
        return await self._answering(cluster, serving)

    async def _answering(self, cluster: Cluster, serving: _Serving) -> _Serving | None:
        """Waits until it serves; None where it ended first."""
        self._password = cluster.password()
        self._serving = serving
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                while (line := _holder(cluster))[7:8] != ["ready"] or line[0] != str(serving.process.pid):
                    if not alive(serving.process):
                        return None
                    await asyncio.sleep(0.02)
                await _ask(self.url())
        except TimeoutError:
            raise Unavailable(f"PostgreSQL did not answer within {_PATIENCE.seconds} s") from None
        except psycopg.Error as error:
            raise Unavailable(f"PostgreSQL answers with an error: {error}") from error
        return serving


async def _ask(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, connect_timeout=5, autocommit=True) as connection:
        await connection.execute("SELECT 1")


def _spawn(cluster: Cluster, port: int) -> int:
    """The pid of a new server, in a session of its own, so that nobody's Ctrl-C reaches it."""
    settings = _SETTINGS | {"port": str(port)} | ({"file_copy_method": "clone"} if _clones(cluster.base) else {})
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    program = [*as_server(), str(cluster.bin / "postgres"), "-D", str(cluster.data), *options]
    try:
        return os.posix_spawn(
            program[0],
            program,
            CLEAN | {"TZ": "UTC"},
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGQUIT, signal.SIGCHLD),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(cluster.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
    except OSError as error:
        raise Unavailable(f"cannot run PostgreSQL: {error}") from error


def _boot_of(cluster: Cluster) -> str:
    """The boot during which a server last ran here; empty where nobody knows."""
    try:
        return str(json.loads(cluster.state_file.read_text())["boot"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _written_down(cluster: Cluster) -> _Serving | None:
    try:
        state = json.loads(cluster.state_file.read_text())
        if state["boot"] != boot_id():
            return None
        return _Serving(Process(int(state["pid"]), int(state["started"])), int(state["port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _last_port(cluster: Cluster) -> int:
    try:
        return int(json.loads(cluster.state_file.read_text())["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _holder(cluster: Cluster) -> list[str]:
    """The lines of `postmaster.pid`: the pid first, its state eighth."""
    try:
        return [line.strip() for line in cluster.pid_file.read_text().splitlines()]
    except OSError:
        return []


def _left(cluster: Cluster) -> list[Process]:
    """Every process of a server on this data folder, deleted or not: each of them works inside it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            place = str((entry / "cwd").readlink()).removesuffix(" (deleted)")
            program = (entry / "exe").readlink().name.removesuffix(" (deleted)")
            process = identify(int(entry.name)) if place == str(cluster.data) and program == "postgres" else None
            if process:
                found.append(process)
    return found


async def _end(processes: list[Process], first: signal.Signals = signal.SIGINT) -> None:
    """A fast shutdown (SIGQUIT: at once, nothing is written), then no mercy.

    What is left of a killed server would keep a new one from starting.
    """
    for number, patience in ((first, 10.0), (signal.SIGKILL, 10.0)):
        for process in processes:
            send(process, number)
        try:
            async with asyncio.timeout(patience):
                for process in processes:
                    await ended(process)
        except TimeoutError:
            continue
        return
    raise Unavailable("an earlier PostgreSQL does not end")


async def _lock(descriptor: int) -> None:
    until = asyncio.get_running_loop().time() + 2 * _PATIENCE.total_seconds()
    while asyncio.get_running_loop().time() < until:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        await asyncio.sleep(0.05)
    raise Unavailable("PostgreSQL is being started or stopped by somebody else, for too long")


def _chosen(wanted: int) -> int:
    """`wanted` where it is a port and nobody has it, else another."""
    return wanted if 0 < wanted < 2**16 and is_free(wanted) else free_port(())


def _clones(folder: Path) -> bool:
    """Whether the file system shares a copy's blocks with the original (btrfs, XFS): a clone then takes no time."""
    source, copy = folder / ".probe-a", folder / ".probe-b"
    try:
        source.write_bytes(bytes(8192))
        with source.open("rb") as read, copy.open("wb") as write:
            fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
    except OSError:
        return False
    else:
        return True
    finally:
        source.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)


def _trim(log: Path) -> None:
    """The server appends to an open file: what it wrote is moved aside by its bytes, and the file emptied."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_LIMIT:
            with log.open("rb") as file:
                file.seek(-LOG_LIMIT, os.SEEK_END)
                log.with_suffix(".log.1").write_bytes(file.read())
            os.truncate(log, 0)


def _last_words(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace")[-4000:].splitlines()
        fatal = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
        return (fatal or lines or ["it said nothing"])[-1][:300]
    return "it left no log"
