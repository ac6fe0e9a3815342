"""A window as the fewest steps: days in the middle, then hours, then 5 minutes, and single samples at its edges.

10:03:20 → 13:02      samples to 10:05 · 5 minutes to 11:00 · hours to 13:00 · samples to 13:02
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SAMPLE = 1
MINUTE = 60_000_000
FIVE_MINUTES = 5 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SIZES = (FIVE_MINUTES, HOUR, DAY)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    return length(at - _EPOCH)


def length(lasts: timedelta) -> int:
    return lasts // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


@dataclass(frozen=True, slots=True)
class Span:
    """Steps of one size, from `first` on, before `last`, counted from 1970. Of size `SAMPLE`: microseconds."""

    size: int
    first: int
    last: int


def cover(since: int, until: int, sizes: Sequence[int] = (SAMPLE, *SIZES)) -> list[Span]:
    """In the order of time; each size is a multiple of the one before."""
    size, *larger = sizes
    if larger:
        first, last = -(-since // larger[0]) * larger[0], until // larger[0] * larger[0]
        if first < last:
            return [*_span(size, since, first), *cover(first, last, larger), *_span(size, last, until)]
    return _span(size, since, until)


def snapped(at: int, chunks_since: int, fives_since: int) -> int:
    """The last moment up to `at` that something kept begins at. Before there are chunks that is a step of 5 minutes,
    and before there are those an hour; nothing finer is known of that time."""
    if at < chunks_since:
        at -= at % FIVE_MINUTES
    if at < fives_since:
        at -= at % HOUR
    return at


def _span(size: int, since: int, until: int) -> list[Span]:
    return [Span(size, since // size, until // size)] if since < until else []
