"""Processes as /proc shows them. One is named by its pid and start time, never by its pid alone."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from controller.adapters.local.shim import descendants, stat_of

MARK = "MAYFLY_UNIT"
"""Variable in the environment of every process of ours, by which one that lost its shim is found."""


@dataclass(frozen=True, slots=True)
class Process:
    """`started` is in clock ticks since the machine booted."""

    pid: int
    started: int


@cache
def boot_id() -> str:
    """Changes with every boot: what was written down before another one names nothing now."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Process | None:
    """The process that has this pid now; None where it ended. One of our own that ended is reaped."""
    stat = stat_of(pid)
    if stat is None or stat[0] == "X":
        return None
    if stat[0] == "Z":
        _reap(pid)
        return None
    return Process(pid, stat[2])


def alive(process: Process) -> bool:
    return identify(process.pid) == process


def send(process: Process, number: signal.Signals) -> None:
    """Signals this very process; nothing happens where it ended."""
    with _descriptor(process) as descriptor, contextlib.suppress(ProcessLookupError):
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, number)


async def ended(process: Process) -> None:
    """Returns once the process has ended, whoever's child it is."""
    with _descriptor(process) as descriptor:
        if descriptor is None:
            return
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(descriptor)
    _reap(process.pid)


def tree(process: Process) -> list[int]:
    """Pids of the process and of everything under it; empty where it ended."""
    return [process.pid, *descendants(process.pid)] if alive(process) else []


def marked(prefix: str) -> dict[Process, str]:
    """Every process whose mark begins so, with its mark."""
    found: dict[Process, str] = {}
    wanted = f"{MARK}={prefix}".encode()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            environment = Path(entry.path, "environ").read_bytes()
        except OSError:
            continue
        mark = next((line for line in environment.split(b"\0") if line.startswith(wanted)), None)
        if mark is not None and (process := identify(int(entry.name))):
            found[process] = mark.decode(errors="replace").partition("=")[2]
    return found


async def kill_marked(prefix: str) -> None:
    """Kills whatever bears such a mark, until there is nothing left or it has been tried for two seconds."""
    for _ in range(40):
        left = await asyncio.to_thread(marked, prefix)
        if not left:
            return
        for process in left:
            send(process, signal.SIGKILL)
        await asyncio.sleep(0.05)


def listeners(port: int) -> set[str]:
    """Inodes of the sockets that listen on a TCP port of this machine."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def listens(process: Process, port: int) -> bool:
    """Whether the process, or one under it, is who listens on the port."""
    wanted = {f"socket:[{inode}]" for inode in listeners(port)}
    return bool(wanted) and any(not wanted.isdisjoint(_open_files(pid)) for pid in tree(process))


def _open_files(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(str(Path(entry.path).readlink()))
    return found


@contextlib.contextmanager
def _descriptor(process: Process) -> Iterator[int | None]:
    """A pidfd of this very process: taken first and compared after, so that no other one can slip in between."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor if alive(process) else None
    finally:
        os.close(descriptor)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
