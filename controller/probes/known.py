"""What is known of one probe, in 5 kB of memory: how many samples passed and failed in each step of the last 3 days.

Steps are of 15 seconds for an hour, and of 10 minutes for the rest; a window is as many whole steps as fit into it, the
one that goes on included. Samples that say nothing (broken, or excused) are not counted.
"""

from array import array
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from controller.probes.model import Counts, Sample
from controller.probes.slo import LONGEST
from smoke.model import Outcome

FINE = timedelta(seconds=15)
FINE_FOR = timedelta(hours=1)
COARSE = timedelta(minutes=10)
_FAILURES = 200
"""So many moments are remembered, to tell when it began."""


class Ring:
    """Counts by step, the oldest forgotten as time goes on."""

    __slots__ = ("_failed", "_newest", "_total", "width")

    def __init__(self, width: timedelta, span: timedelta) -> None:
        self.width = width.total_seconds()
        steps = span // width
        self._total, self._failed = array("I", [0]) * steps, array("I", [0]) * steps
        self._newest = 0

    def add(self, at: float, counts: Counts) -> None:
        step, steps = int(at // self.width), len(self._total)
        self._forget(step)
        if step > self._newest - steps:
            self._total[step % steps] += counts.total
            self._failed[step % steps] += counts.failed

    def counts(self, window: float, now: float) -> Counts:
        self._forget(int(now // self.width))
        steps = len(self._total)
        wanted = min(int(window // self.width), steps)
        if wanted <= 0:
            return Counts()
        end = self._newest % steps + 1
        begin = end - wanted
        return Counts(_sum(self._total, begin, end), _sum(self._failed, begin, end))

    def _forget(self, step: int) -> None:
        """What stands in steps that come round again."""
        steps = len(self._total)
        for passed in range(max(self._newest + 1, step - steps + 1), step + 1):
            self._total[passed % steps] = self._failed[passed % steps] = 0
        self._newest = max(self._newest, step)


def _sum(values: "array[int]", begin: int, end: int) -> int:
    return sum(values[begin:end]) if begin >= 0 else sum(values[begin:]) + sum(values[:end])


class Known:
    """`at` is when nothing was known yet: silence counts from there."""

    __slots__ = ("_coarse", "_failures", "_fine", "at", "fails", "heard", "latest", "sample")

    def __init__(self, at: datetime, latest: int = 1) -> None:
        """`latest`: of so many samples it is remembered whether they passed."""
        self._fine, self._coarse = Ring(FINE, FINE_FOR), Ring(COARSE, LONGEST)
        self._failures: deque[float] = deque(maxlen=_FAILURES)
        self.at = at
        """When something was known last."""
        self.latest: deque[bool] = deque(maxlen=latest)
        """Whether they passed, oldest first."""
        self.sample: Sample | None = None
        self.heard = False
        """Whether anything was known since the start."""
        self.fails = False
        """Whether the latest sample that says something failed, excused or not."""

    def take(self, sample: Sample, *, late: bool = False) -> None:
        """`late`: an agent had kept it for so long that it says nothing of how things stand now; it is counted."""
        newest = self.sample is None or sample.at >= self.sample.at
        if newest:
            self.sample = sample
        if sample.outcome is Outcome.BROKEN:
            return
        self.at, self.heard = max(self.at, sample.at), True
        failed = sample.outcome is Outcome.FAILED
        if newest:
            self.fails = failed
        if sample.excused:
            return
        if not late:
            self.latest.append(not failed)
        self.fill(sample.at, Counts(1, int(failed)))

    def fill(self, at: datetime, counts: Counts) -> None:
        """With what was counted before, at about that time."""
        moment = at.timestamp()
        self._fine.add(moment, counts)
        self._coarse.add(moment, counts)
        if counts.failed:
            self._failures.append(moment)  # an agent's may come after later ones

    @property
    def passes(self) -> bool:
        """Whether the latest sample passed; nothing yet is no reason to doubt."""
        return self.sample is None or self.sample.outcome is Outcome.PASSED

    def counts(self, window: timedelta, now: datetime) -> Counts:
        ring = self._fine if window <= FINE_FOR else self._coarse
        return ring.counts(window.total_seconds(), now.timestamp())

    def failed_since(self, now: datetime) -> bool:
        """Whether anything failed within the longest window."""
        return bool(self._failures) and max(self._failures) > now.timestamp() - LONGEST.total_seconds()

    def began(self, gap: timedelta) -> datetime | None:
        """When it began to fail: the first failure that had none within `gap` before it, going back from the last."""
        times: Sequence[float] = sorted(self._failures)
        if not times:
            return None
        first = times[-1]
        for moment in reversed(times):
            if first - moment > gap.total_seconds():
                break
            first = moment
        return datetime.fromtimestamp(first, UTC)
