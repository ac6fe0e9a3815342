"""What samples add up to. Pure: rows in, rows out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from controller.adapters.history.samples import latencies
from controller.adapters.history.samples.chunks import BROKEN, EXCUSED, FAILED, PASSED, Raw
from controller.adapters.history.samples.latencies import Latencies
from controller.adapters.history.samples.spans import FIVE_MINUTES, MINUTE, SIZES


class ChunkKey(NamedTuple):
    step: int
    series: int


class StepKey(NamedTuple):
    minutes: int
    step: int
    series: int


@dataclass(slots=True)
class Tally:
    """Of a step of one series. What is excused counts nowhere else; latencies are of what passed."""

    total: int = 0
    failed: int = 0
    broken: int = 0
    excused: int = 0
    took: Latencies = field(default_factory=dict)

    @classmethod
    def of(cls, raws: Iterable[Raw]) -> Self:
        tally = cls()
        for raw in raws:
            tally.take(raw.state, raw.took)
        return tally

    def take(self, state: int, took: int) -> None:
        self.count(state)
        if state == PASSED:
            which = latencies.bucket(took)
            self.took[which] = self.took.get(which, 0) + 1

    def count(self, state: int) -> None:
        if state & EXCUSED:
            self.excused += 1
        elif state == BROKEN:
            self.broken += 1
        else:
            self.total += 1
            self.failed += state == FAILED

    def add(self, more: "Tally") -> None:
        self.total += more.total
        self.failed += more.failed
        self.broken += more.broken
        self.excused += more.excused
        latencies.add(self.took, more.took)


def by_chunk(raws: Iterable[tuple[int, Raw]]) -> dict[ChunkKey, list[Raw]]:
    """Of samples with their series."""
    found: dict[ChunkKey, list[Raw]] = {}
    for series, raw in raws:
        found.setdefault(ChunkKey(raw.at // FIVE_MINUTES, series), []).append(raw)
    return found


def by_step(groups: Mapping[ChunkKey, Iterable[Raw]]) -> dict[StepKey, Tally]:
    """Steps of every size that these samples are in, with what they add."""
    found: dict[StepKey, Tally] = {}
    for (step, series), raws in groups.items():
        tally = Tally.of(raws)
        for size in SIZES:
            key = StepKey(size // MINUTE, step * FIVE_MINUTES // size, series)
            found.setdefault(key, Tally()).add(tally)
    return found
