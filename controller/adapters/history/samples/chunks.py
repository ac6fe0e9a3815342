"""All samples of a series in 5 minutes, in 12 bytes each.

    count · places · lates · tooks (32 bits each, the least byte first) · messages (zlib, between NULs; nothing if none)

A place is the microsecond within the 5 minutes and, in its lowest three bits, the state. Places ascend, so that an
edge of a window is found by halving. What lasted over 71 minutes is kept as 71 minutes.
"""

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from controller.adapters.history.samples.spans import FIVE_MINUTES
from smoke.model import Outcome

OUTCOMES = (Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN)
"""By their number in a state."""
PASSED, FAILED, BROKEN = range(3)
EXCUSED = 4
"""Added to the number of the outcome."""
_STATE_BITS = 3
_STATE = (1 << _STATE_BITS) - 1
_MOST = (1 << 32) - 1


class Raw(NamedTuple):
    """A sample of a series. Microseconds, since 1970 where it is a moment."""

    at: int
    state: int
    late: int
    took: int
    message: str


def packed(raws: Iterable[Raw]) -> bytes:
    """Those of one step."""
    raws = sorted(raws)
    places = [(raw.at % FIVE_MINUTES) << _STATE_BITS | raw.state for raw in raws]
    lates = [min(raw.late, _MOST) for raw in raws]
    tooks = [min(raw.took, _MOST) for raw in raws]
    body = struct.pack(f"<{3 * len(raws) + 1}I", len(raws), *places, *lates, *tooks)
    if not any(raw.message for raw in raws):
        return body
    return body + zlib.compress("\0".join(raw.message for raw in raws).encode())


def unpacked(step: int, body: bytes) -> list[Raw]:
    """Oldest first."""
    count, start = _count(body), step * FIVE_MINUTES
    numbers = struct.unpack_from(f"<{3 * count}I", body, 4)
    end = 4 + 12 * count
    messages = zlib.decompress(body[end:]).decode().split("\0") if len(body) > end else [""] * count
    columns = zip(numbers[:count], numbers[count : 2 * count], numbers[2 * count :], messages, strict=True)
    return [
        Raw(start + (place >> _STATE_BITS), place & _STATE, late, took, message)
        for place, late, took, message in columns
    ]


def states(step: int, body: bytes, since: int, until: int) -> list[int]:
    """Of those at `since` or later, and before `until`."""
    start = step * FIVE_MINUTES
    places = struct.unpack_from(f"<{_count(body)}I", body, 4)
    first, last = (
        bisect_left(places, min(max(edge - start, 0), FIVE_MINUTES) << _STATE_BITS) for edge in (since, until)
    )
    return [place & _STATE for place in places[first:last]]


def _count(body: bytes) -> int:
    (count,) = struct.unpack_from("<I", body)
    return int(count)
