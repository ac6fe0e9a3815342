"""Samples in memory, added up exactly: every one is in `kept`, and percentiles are of the samples themselves."""

import copy
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TypeVar

from controller.errors import Refused, Unavailable
from controller.probes.model import Counts, Point, Sample
from controller.settings import Probing
from smoke.model import Outcome

FIVE_MINUTES, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
K = TypeVar("K")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FakeSamples:
    """`down`: every call is Unavailable. What is too old is not shown once it was rolled up; it stays in `kept`."""

    def __init__(self, probing: Probing | None = None) -> None:
        self.down = False
        self.kept: list[Sample] = []
        self.batches: set[str] = set()
        self.rolled_at = [EPOCH]
        self._probing = probing or Probing()

    def beside(self) -> "FakeSamples":
        """The same samples, as another controller has them."""
        return copy.copy(self)

    async def append(self, samples: Collection[Sample], batch: str = "") -> bool:
        self._reach()
        if batch and batch in self.batches:
            return False
        self.batches |= {batch} - {""}
        self.kept.extend(samples)
        return True

    async def counts(self, since: datetime, until: datetime, probes: Collection[str] = ()) -> Mapping[str, Counts]:
        self._reach()
        shown = self._of(probes, self._younger_than(self._probing.hours_for, DAY))
        by_probe = grouped([one for one in shown if since <= one.at < until], attrgetter("probe"))
        found = {probe: counts_of(samples) for probe, samples in by_probe.items()}
        return {probe: counts for probe, counts in found.items() if counts != Counts()}

    async def latest(self, probe: str, limit: int = 100) -> tuple[Sample, ...]:
        self._reach()
        shown = self._younger_than(self._probing.raw_for, FIVE_MINUTES)
        mine = sorted((one for one in shown if one.probe == probe), key=attrgetter("at"))
        return tuple(mine[-limit:] if limit > 0 else ())

    async def series(self, probe: str, since: datetime, until: datetime, step: timedelta) -> tuple[Point, ...]:
        return (await self.series_of([probe], since, until, step)).get(probe, ())

    async def series_of(
        self, probes: Collection[str], since: datetime, until: datetime, step: timedelta
    ) -> Mapping[str, tuple[Point, ...]]:
        self._reach()
        if step != FIVE_MINUTES and (step <= timedelta() or step % HOUR):
            raise Refused(f"samples are kept in steps of 5 minutes and of whole hours, not of {step}")
        kept_for = self._probing.five_minutes_for if step == FIVE_MINUTES else self._probing.hours_for
        size = FIVE_MINUTES if step == FIVE_MINUTES else DAY if not step % DAY else HOUR
        begins = floor(since, step)
        mine = [one for one in self._younger_than(kept_for, size) if one.probe in probes and begins <= one.at]
        by_probe = grouped([one for one in mine if floor(one.at, step) < until], attrgetter("probe"))
        return {probe: points(samples, step) for probe, samples in by_probe.items()}

    async def days(self, since: datetime, probes: Collection[str] = ()) -> Mapping[str, tuple[Point, ...]]:
        self._reach()
        shown = self._of(probes, self._younger_than(self._probing.hours_for, DAY))
        by_probe = grouped([one for one in shown if one.at >= floor(since, DAY)], attrgetter("probe"))
        return {
            probe: tuple(Point(point.at, point.counts) for point in points(samples, DAY))
            for probe, samples in by_probe.items()
        }

    async def roll_up(self, now: datetime) -> None:
        self._reach()
        self.rolled_at.append(max(now, self.rolled_at[-1]))

    @staticmethod
    def _of(probes: Collection[str], samples: list[Sample]) -> list[Sample]:
        return [one for one in samples if one.probe in probes] if probes else samples

    def _younger_than(self, kept_for: timedelta, size: timedelta) -> list[Sample]:
        """A step goes when all of it is too old."""
        since = max(self.rolled_at[-1] - kept_for, EPOCH)
        return [one for one in self.kept if one.at >= floor(since, size)]

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("History is down")


def floor(at: datetime, size: timedelta) -> datetime:
    return at - (at - EPOCH) % size


def grouped(samples: Collection[Sample], key: Callable[[Sample], K]) -> dict[K, list[Sample]]:
    found: dict[K, list[Sample]] = {}
    for sample in samples:
        found.setdefault(key(sample), []).append(sample)
    return found


def counts_of(samples: Collection[Sample]) -> Counts:
    outcomes = [sample.outcome for sample in samples if not sample.excused]
    failed, broken = outcomes.count(Outcome.FAILED), outcomes.count(Outcome.BROKEN)
    return Counts(len(outcomes) - broken, failed, broken)


def points(samples: Collection[Sample], step: timedelta) -> tuple[Point, ...]:
    by_step = grouped(samples, lambda sample: floor(sample.at, step))
    return tuple(_point(at, by_step[at]) for at in sorted(by_step))


def _point(at: datetime, samples: Collection[Sample]) -> Point:
    took = sorted(one.took for one in samples if one.outcome is Outcome.PASSED and not one.excused)
    return Point(at, counts_of(samples), *(nearest_rank(took, share) for share in (0.50, 0.95, 0.99)))


def nearest_rank(ascending: Sequence[timedelta], share: float) -> timedelta | None:
    return ascending[math.ceil(share * len(ascending)) - 1] if ascending else None
