"""10 million samples: 20 probes every 15 seconds for 90 days and this morning, in SQLite.

The adapter takes and rolls up 6 days, hour by hour, and this morning. Between them are the same days again: what is
kept of them is moved by whole days, as neither a chunk nor a histogram says when it was. The last minutes are not
rolled up yet, as on any page that is read.
"""

import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.adapters.history.samples.spans import FIVE_MINUTES, MINUTE, micros
from controller.probes.model import Sample
from controller.probes.ports import Samples
from controller.settings import HERE, Probing
from smoke.model import Outcome

PROBES = [f"probe-{number}" for number in range(20)]
DAYS, MADE = 90, 6
EVERY = timedelta(seconds=15)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = BEGINS + DAYS * DAY
MORNING, FRESH = 13, timedelta(minutes=7)
NOW = TODAY + MORNING * HOUR + FRESH
NUMBER = len(PROBES) * ((NOW - BEGINS) // EVERY)
ALL = Probing(raw_for=(DAYS + 1) * DAY, five_minutes_for=(DAYS + 1) * DAY)
"""Every sample is kept, and every step of 5 minutes: far more than a policy keeps by default."""
_POOL = 50_000
_CHUNKS = "INSERT INTO sample_chunks SELECT step + ?, series, body FROM sample_chunks WHERE step < ?"
_STEPS = """
    INSERT INTO sample_steps
    SELECT minutes, step + ? / minutes, series, total, failed, broken, excused, latencies
    FROM sample_steps WHERE step * minutes < ?
"""


@dataclass
class Chance:
    """Latencies have a long tail, as real ones do, and one sample in a thousand fails."""

    seed: int

    def __post_init__(self) -> None:
        self._chance = chance = random.Random(self.seed)
        self._tooks = [timedelta(seconds=chance.lognormvariate(-2.3, 0.4)) for _ in range(_POOL)]
        self._lates = [timedelta(microseconds=chance.randrange(5_000)) for _ in range(_POOL)]

    def samples(self, probe: str, since: datetime, count: int) -> list[Sample]:
        tooks, lates = (self._chance.choices(pool, k=count) for pool in (self._tooks, self._lates))
        return [self._sample(probe, since + run * EVERY, lates[run], tooks[run]) for run in range(count)]

    def _sample(self, probe: str, at: datetime, late: timedelta, took: timedelta) -> Sample:
        if self._chance.random() < 0.001:
            return Sample(probe, HERE, at, late, took, Outcome.FAILED, "GET / answered 503, not 200")
        return Sample(probe, HERE, at, late, took, Outcome.PASSED)


async def fill(samples: Samples, file: Path) -> None:
    chance = Chance(2)
    await _take(samples, chance, BEGINS, MADE * (DAY // HOUR))
    _again(file)
    await _take(samples, chance, TODAY, MORNING)
    await samples.append([one for probe in PROBES for one in chance.samples(probe, NOW - FRESH, FRESH // EVERY)])


async def _take(samples: Samples, chance: Chance, since: datetime, hours: int) -> None:
    for begins in (since + hour * HOUR for hour in range(hours)):
        await samples.append([one for probe in PROBES for one in chance.samples(probe, begins, HOUR // EVERY)])
        await samples.roll_up(begins + HOUR + timedelta(minutes=2))


def _again(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        until = micros(BEGINS + MADE * DAY)
        for day in range(MADE, DAYS, MADE):
            moved = micros(BEGINS + day * DAY) - micros(BEGINS)
            database.execute(_CHUNKS, (moved // FIVE_MINUTES, until // FIVE_MINUTES))
            database.execute(_STEPS, (moved // MINUTE, until // MINUTE))
