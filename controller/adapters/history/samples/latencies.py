"""A histogram of latencies that can be merged: the one of two times is exactly the sum of theirs.

Buckets are as wide as a fixed share of what is in them (DDSketch, Masson et al., VLDB 2019): bucket i holds what is
above g^(i-1) and at most g^i microseconds, g = (1 + a) / (1 - a), and stands for 2g^i / (g + 1). Nothing in it is
further away than the share a. With 1.5%, rounding to microseconds keeps everything from 0.1 ms up right to 2%.

    {650: 3, 652: 1}   →   b"\\x8a\\x05\\x03 \\x02\\x01"   pairs of (distance to the bucket before, count), as varints
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from itertools import accumulate

Latencies = dict[int, int]
"""How many by bucket."""
_SHARE = 0.015
_GROWTH = (1 + _SHARE) / (1 - _SHARE)
_PER_E = 1 / math.log(_GROWTH)


def bucket(microseconds: int) -> int:
    """Whatever took less than one microsecond took one."""
    return math.ceil(math.log(microseconds) * _PER_E) if microseconds > 1 else 0


def add(to: Latencies, more: Mapping[int, int]) -> None:
    for which, count in more.items():
        to[which] = to.get(which, 0) + count


def percentiles(latencies: Mapping[int, int], shares: Sequence[float]) -> list[timedelta | None]:
    """For each share the least that at least so many took no longer than (nearest rank); None where there
    are none."""
    if not latencies:
        return [None] * len(shares)
    which = sorted(latencies)
    counted = list(accumulate(map(latencies.__getitem__, which)))
    return [_middle(which[bisect_left(counted, math.ceil(share * counted[-1]))]) for share in shares]


@cache
def _middle(which: int) -> timedelta:
    return timedelta(microseconds=2 * _GROWTH**which / (_GROWTH + 1))


def packed(latencies: Mapping[int, int]) -> bytes:
    body, before = bytearray(), 0
    for which, count in sorted(latencies.items()):
        body += _varint(which - before) + _varint(count)
        before = which
    return bytes(body)


def unpacked(body: bytes) -> Latencies:
    numbers = _numbers(body)
    return dict(zip(accumulate(numbers[::2]), numbers[1::2], strict=True))


def _varint(number: int) -> bytes:
    """Seven bits a byte, the least first; the highest bit says that more follow."""
    if number < 0x80:
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + _varint(number >> 7)


def _numbers(body: bytes) -> Sequence[int]:
    """Mostly all but the first take a byte each, and are read at once: a page has thousands of histograms."""
    if body[1:2].isascii() and body[2:].isascii() and not body[:1].isascii():
        return [body[0] & 0x7F | body[1] << 7, *body[2:]]
    numbers, number, shift = [], 0, 0
    for byte in body:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    return numbers
