"""Stands over one process of a preview, and outlives the controller that started it.

Run as `python -I -S shim.py` with its orders as JSON on standard input (they hold secrets, so they are in no file). It
is the subreaper of all that its process starts, so nothing that forks away escapes it; it reads the output through a
pipe, slowly enough that no log fills the disk or starves the others; it starts a service again with back-off, or (a
job) runs once, within a limit. What it knows stands in `state.json` beside the log. SIGTERM ends it and everything
under it; so does the loss of its directory. Standard library only, and little of that: it must start in 20 ms.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from types import FrameType
from typing import TypedDict

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

LOG_RATE = 4 * 2**20
"""Bytes of output read per second; a process that writes more waits in its `write`."""
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
GOOD_WHILE = 30.0
"""Seconds after which a process counts as having worked, and the back-off begins anew."""
LOOK_EVERY = 5.0
KILL_EVERY = 0.05
KEPT_EXITS = 5


class Orders(TypedDict):
    """What to run. Times are seconds, sizes bytes; `limit` and `memory` of 0 mean none."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    folder: str
    once: bool
    limit: float
    stop_within: float
    log_size: int
    memory: int
    open_files: int
    file_size: int


def stat_of(pid: int) -> tuple[str, int, int] | None:
    """State letter, parent and start time (clock ticks since boot) of a process; None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib would double the time to start
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0].decode(), int(fields[1]), int(fields[19])


def descendants(root: int) -> list[int]:
    """Everything alive under a process, parents before children."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would double the time to start
        if name.isdigit() and (stat := stat_of(int(name))) and stat[0] not in "ZX":
            children.setdefault(stat[1], []).append(int(name))
    found = list(children.get(root, []))
    for pid in found:
        found += children.get(pid, [])
    return found


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


class Log:
    """The output of the process in `log`, the one before in `log.1`; at most `LOG_RATE` bytes a second."""

    def __init__(self, folder: str, size: int) -> None:
        self.path, self.size = os.path.join(folder, "log"), size  # noqa: PTH118 - as above
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.file = self._open()
        self.written = os.fstat(self.file).st_size
        self.allowance, self.counted_at = float(LOG_RATE), time.monotonic()

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def pause(self) -> float:
        """Seconds until more may be read; 0 where it may be now."""
        now = time.monotonic()
        self.allowance = min(LOG_RATE, self.allowance + (now - self.counted_at) * LOG_RATE)
        self.counted_at = now
        return 0.0 if self.allowance > 0 else 0.02

    def read(self) -> bool:
        """Takes one piece of output; False where there is none now."""
        try:
            data = os.read(self.reader, 65536)
        except BlockingIOError:
            return False
        self.allowance -= len(data)
        self.write(data)
        return True

    def write(self, data: bytes) -> None:
        try:
            if self.written + len(data) > self.size:
                self._rotate()
            self.written += os.write(self.file, data)
        except OSError:  # a full disk costs output, not the service
            self.written = self.size

    def _rotate(self) -> None:
        self.written = 0
        try:
            os.replace(self.path, self.path + ".1")  # noqa: PTH105 - as above
            os.close(self.file)
            self.file = self._open()
        except OSError:  # its directory is gone
            os.ftruncate(self.file, 0)


class Shim:
    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.log = Log(orders["folder"], orders["log_size"])
        self.bell, self.ring = os.pipe()
        for end in (self.bell, self.ring):
            os.set_blocking(end, False)
        self.boot = _boot()
        self.child = 0
        self.spawned_at = 0.0
        self.exits: list[tuple[float, int]] = []
        self.exit: int | None = None
        self.restarts = 0
        self.pause = FIRST_PAUSE
        self.start_at: float | None = 0.0
        self.timed_out = False
        self.told_to_stop = False
        self.kill_at: float | None = None
        self.looked_at = time.monotonic()

    def run(self) -> None:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        signal.set_wakeup_fd(self.ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.signal(signal.SIGTERM, self._stop_soon)
        for ignored in (signal.SIGHUP, signal.SIGINT):
            signal.signal(ignored, signal.SIG_IGN)
        while not self._finished():
            self._wait()
        self._drain()
        self._tell("ended")

    def _stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        self.told_to_stop = True

    def _finished(self) -> bool:
        """One look at everything; True once nothing is left and nothing shall be."""
        now = time.monotonic()
        self._reap()
        if self.kill_at is None and (self.told_to_stop or self._must_stop(now)):
            self.kill_at = now + self.orders["stop_within"]
            send(descendants(os.getpid()), signal.SIGTERM)
        if self.kill_at is not None:
            left = descendants(os.getpid())
            if now >= self.kill_at:
                send(left, signal.SIGKILL)
            return not left
        if self.start_at is not None and now >= self.start_at:
            self._start(now)
        return False

    def _must_stop(self, now: float) -> bool:
        if self.orders["once"] and self.spawned_at and not self.child:
            return True
        if self.orders["limit"] and self.child and now - self.spawned_at > self.orders["limit"]:
            self.timed_out = True
            return True
        if now - self.looked_at < LOOK_EVERY:
            return False
        self.looked_at = now
        return not os.path.isdir(self.orders["folder"])  # noqa: PTH112 - as above

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self._ended(os.waitstatus_to_exitcode(status))

    def _ended(self, code: int) -> None:
        self.child, self.exit = 0, code
        if self.orders["once"] or self.told_to_stop or self.kill_at is not None:
            return
        if code == 0 and (heir := self._heir()):
            self.child = heir
            self._tell("running")
            return
        now = time.monotonic()
        if now - self.spawned_at > GOOD_WHILE:
            self.pause = FIRST_PAUSE
        self.exits = [*self.exits, (time.time(), code)][-KEPT_EXITS:]
        self.start_at = now + self.pause
        self.log.write(f"mayfly: {describe(code)}; starting again in {self.pause:g} s\n".encode())
        self.pause = min(LONGEST_PAUSE, self.pause * 2)
        self._tell("waiting")

    def _heir(self) -> int:
        """The process that a service left behind when it forked away: it is the service from here on."""
        mine = os.getpid()
        return next((pid for pid in descendants(mine) if (stat := stat_of(pid)) and stat[1] == mine), 0)

    def _start(self, now: float) -> None:
        send(descendants(os.getpid()), signal.SIGKILL)
        self.restarts += 1 if self.spawned_at else 0
        self.start_at, self.spawned_at = None, now
        mine = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(mine)
        self.child = pid
        self._tell("running")

    def _become(self, shim: int) -> None:
        """In the child: never returns."""
        command = self.orders["argv"]
        try:
            os.setsid()
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != shim:
                os._exit(127)
            self._plug()
            _limit(self.orders)
            os.chdir(self.orders["cwd"])
            os.execvpe(command[0], command, self.orders["env"])  # noqa: S606 - it is what we are for; no shell
        except OSError as error:
            os.write(2, f"cannot run {command[0]!r}: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    def _plug(self) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (self.log.writer, 1), (self.log.writer, 2)):
            os.dup2(source, target)
        os.umask(0o022)

    def _wait(self) -> None:
        now = time.monotonic()
        wakes = [self.looked_at + LOOK_EVERY]
        if self.kill_at is not None:
            wakes.append(max(self.kill_at, now + KILL_EVERY))
        elif self.start_at is not None:
            wakes.append(self.start_at)
        elif self.orders["limit"] and self.child:
            wakes.append(self.spawned_at + self.orders["limit"] + 0.01)
        pause = self.log.pause()
        if pause:
            wakes.append(now + pause)
        watched = [self.bell] if pause else [self.bell, self.log.reader]
        ready, _, _ = select.select(watched, [], [], max(0.0, min(wakes) - now))
        if self.bell in ready:
            os.read(self.bell, 4096)
        if self.log.reader in ready:
            self.log.read()

    def _drain(self) -> None:
        pieces = 0
        while pieces < 64 and self.log.read():
            pieces += 1

    def _tell(self, status: str) -> None:
        """Leaves word in `state.json`. Where it cannot be written, the controller finds us by our mark."""
        mine, child = stat_of(os.getpid()), stat_of(self.child) if self.child else None
        state = {
            "boot": self.boot,
            "shim": [os.getpid(), mine[2] if mine else 0],
            "child": [self.child, child[2]] if child else None,
            "status": status,
            "restarts": self.restarts,
            "exits": self.exits,
            "exit": self.exit,
            "timed_out": self.timed_out,
        }
        path = os.path.join(self.orders["folder"], "state.json")  # noqa: PTH118 - as above
        try:
            with open(path + ".new", "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
                json.dump(state, file)
            os.replace(path + ".new", path)  # noqa: PTH105 - as above
        except OSError:
            return


def describe(code: int) -> str:
    """An exit code for people."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 - as above
        return file.read().strip()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler must exist for a signal to ring the wake-up descriptor."""


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _limit(orders: Orders) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: orders["open_files"],
        resource.RLIMIT_FSIZE: orders["file_size"],
    }
    if orders["memory"]:
        limits[resource.RLIMIT_DATA] = orders["memory"]
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))


def main() -> None:
    os.umask(0o077)
    orders: Orders = json.load(sys.stdin)
    os.chdir("/")
    Shim(orders).run()


if __name__ == "__main__":
    main()
