"""What a process uses, as Linux counts it (proc(5))."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Use:
    memory: float
    """Resident megabytes."""
    peak: float
    """The most that `memory` ever was."""
    cpu: float
    """Seconds of one core since its start, with those of its children that ended."""


def use_of(pid: int) -> Use:
    status = Path(f"/proc/{pid}/status").read_text()
    # The name of the program may have blanks and parentheses in it; what follows has none.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    return Use(_megabytes(status, "VmRSS:"), _megabytes(status, "VmHWM:"), ticks / os.sysconf("SC_CLK_TCK"))


def _megabytes(status: str, name: str) -> float:
    return int(status.split(name)[1].split(maxsplit=1)[0]) * 1024 / 1e6
