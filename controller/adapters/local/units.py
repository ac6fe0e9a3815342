"""A unit is one supervised process (a service, or a job that runs once) with its directory: state, log, nothing else.

Starting returns at once; the unit lives on when we do not. Whoever wants to know how it goes looks at its state, or
waits for its end, and may do both after a restart.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.adapters.local import processes, shim
from controller.adapters.local.logs import tail
from controller.adapters.local.processes import Process
from controller.errors import Unavailable
from controller.settings import Local
from smoke.patience import within

CRASHES = 3
CRASH_WINDOW = timedelta(minutes=1)
_SHIM = Path(shim.__file__)


@dataclass(frozen=True, slots=True)
class Command:
    """What a unit runs. `limit`: a job that takes longer is ended. `memory` is bytes of one process."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    once: bool = False
    limit: timedelta | None = None
    memory: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What the shim last said. `exits` are those that led to a restart, oldest first, the latest few."""

    shim: Process
    child: Process | None = None
    status: str = "running"
    restarts: int = 0
    exits: tuple[tuple[datetime, int], ...] = ()
    exit: int | None = None
    timed_out: bool = False

    def crashes(self, now: datetime) -> int:
        return sum(now - at < CRASH_WINDOW for at, _ in self.exits)

    @property
    def last_words(self) -> str:
        """How it ended last; empty where it never did."""
        code = self.exits[-1][1] if self.exits else self.exit
        return "" if code is None else shim.describe(code)


class Unit:
    """One unit by its folder. `mark` names it in the environment of all its processes."""

    def __init__(self, folder: Path, mark: str, rules: Local) -> None:
        self.folder, self.mark = folder, mark
        self._rules = rules
        self._process: Process | None = None
        self._seen: tuple[tuple[int, int], State | None] = ((0, 0), None)

    def start(self, command: Command) -> None:
        """Starts it; what ran in this folder before must have been stopped. Raises Unavailable."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.folder / "state.json").unlink(missing_ok=True)
            self._seen = ((0, 0), None)
            with tempfile.TemporaryFile() as orders:
                orders.write(json.dumps(self._orders(command)).encode())
                orders.seek(0)
                pid = self._spawn(orders.fileno())
        except OSError as error:
            raise Unavailable(f"cannot start a process: {error.strerror or error}") from error
        self._process = processes.identify(pid)

    def _orders(self, command: Command) -> shim.Orders:
        return {
            "argv": list(command.argv),
            "env": {**command.env, processes.MARK: self.mark},
            "cwd": str(command.cwd),
            "folder": str(self.folder),
            "once": command.once,
            "limit": command.limit.total_seconds() if command.limit else 0.0,
            "stop_within": self._rules.stop_within.total_seconds(),
            "log_size": self._rules.log_size,
            "memory": command.memory,
            "open_files": self._rules.open_files,
            "file_size": self._rules.file_size,
        }

    def _spawn(self, orders: int) -> int:
        """The shim in a session of its own, with none of our descriptors and an environment of one variable."""
        nothing = os.devnull
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(_SHIM)],
            {processes.MARK: self.mark},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, orders, 0),
                (os.POSIX_SPAWN_OPEN, 1, nothing, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, str(self.folder / "shim"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            ],
            setsid=True,
        )

    @property
    def alive(self) -> bool:
        """Whether its shim stands; the process itself may be between two starts."""
        process = self._process or self._found()
        return process is not None and processes.alive(process)

    def _found(self) -> Process | None:
        """The shim that an earlier controller left, if the machine still runs it."""
        state = self.state()
        self._process = state.shim if state else None
        return self._process

    def state(self) -> State | None:
        """None until the shim has spoken, and after another boot of the machine."""
        path = self.folder / "state.json"
        try:
            stat = path.stat()
            changed = (stat.st_mtime_ns, stat.st_ino)
            if changed != self._seen[0]:
                self._seen = (changed, _read(path.read_bytes()))
        except OSError:
            return None
        return self._seen[1]

    async def wait(self) -> State | None:
        """Returns when it has ended; None where its shim was killed and said nothing."""
        if (process := self._process or self._found()) is not None:
            await processes.ended(process)
        state = self.state()
        return state if state and state.status == "ended" else None

    async def stop(self) -> None:
        """Ends the process and all that it started, politely for `stop_within`. Stopped already is fine."""
        process = self._process or self._found()
        if process is None or not processes.alive(process):
            return
        processes.send(process, signal.SIGTERM)
        if not await within(self._rules.stop_within.total_seconds() + 5, processes.ended(process)):
            processes.send(process, signal.SIGKILL)
            await processes.kill_marked(self.mark)

    def child_listens(self, port: int) -> bool:
        """Whether it is this unit that listens on the port, and not somebody else's process."""
        process = self._process or self._found()
        return process is not None and processes.listens(process, port)

    def tail(self, lines: int = 30) -> list[str]:
        return tail(self.folder, lines)

    def forget_log(self) -> None:
        for name in ("log", "log.1"):
            with contextlib.suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)


def _read(data: bytes) -> State | None:
    try:
        said = json.loads(data)
        if said["boot"] != processes.boot_id():
            return None
        return State(
            shim=Process(*said["shim"]),
            child=Process(*said["child"]) if said["child"] else None,
            status=said["status"],
            restarts=said["restarts"],
            exits=tuple((datetime.fromtimestamp(at, UTC), code) for at, code in said["exits"]),
            exit=said["exit"],
            timed_out=said["timed_out"],
        )
    except (ValueError, KeyError, TypeError):
        return None
