"""What a benchmark finds."""

from dataclasses import dataclass


class Skipped(Exception):
    """It cannot be measured here, for want of what its message names."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside that of a peer, both in `unit`; `goal` is the most that ours may be, where there is one."""

    name: str
    ours: float
    peer: float | None
    goal: float | None
    unit: str
    holds: bool
    against: str = ""
    """What the peer is: another program, or the physical limit."""

    @staticmethod
    def at_most(
        name: str, ours: float, goal: float, unit: str, *, peer: float | None = None, against: str = ""
    ) -> "Row":
        return Row(name, ours, peer, goal, unit, holds=ours <= goal, against=against)
