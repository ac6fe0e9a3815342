"""A run and its screenshots as lines of a log: the one way out of a container that may connect to nothing of ours.

    mayfly-hand-over 1/2 <base64>
    mayfly-hand-over 2/2 <base64>
    mayfly-hand-over end <sha256 of what was encoded>

Other lines may stand between. What is encoded is a line of JSON (the sizes of what follows), the run as compressed
JSON, then the files. Kubelets begin a new log file at 10 MiB (`containerLogMaxSize`), and container runtimes cut lines
at 16 KiB: all lines together stay below 7 MiB, and each is 8 KiB long.
"""

import base64
import hashlib
import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from smoke.model import Attempt, CheckResult, Outcome, SuiteRun

MARK = "mayfly-hand-over"
CHUNK = 6 * 1024
"""Bytes in a line: 8 KiB of base64."""
MAX_PACKED = 5 * 2**20
"""Bytes in all lines: 6.7 MiB of base64."""
MAX_PLAIN = 48 * 2**20
"""Bytes of a run as JSON, which nothing larger is unpacked to."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_SIZES = (
    (8192, 5000),
    (4096, 5000),
    (2048, 5000),
    (1024, 5000),
    (1024, 500),
    (256, 500),
    (256, 100),
    (64, 20),
    (0, 10),
)
"""Most characters of an attempt's details and most tests of a command, from the first that has to give way."""
_SHORT_MESSAGE = 100


@dataclass(frozen=True, slots=True)
class Handover:
    """`artifacts`: the content of each file by its plain name."""

    run: SuiteRun
    artifacts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Sizes:
    run: int
    artifacts: list[tuple[str, int]]


_SIZES_JSON: TypeAdapter[_Sizes] = TypeAdapter(_Sizes)


def encode(run: SuiteRun, artifacts: Mapping[str, bytes]) -> Iterator[str]:
    """Lines without their ends. What is too much is left out: the largest files, then long details, then tests that
    passed; a run refers to no screenshot that was left out."""
    packed = _pack(run, artifacts)
    total = -(-len(packed) // CHUNK)
    for number in range(total):
        chunk = packed[number * CHUNK : (number + 1) * CHUNK]
        yield f"{MARK} {number + 1}/{total} {base64.b64encode(chunk).decode()}"
    yield _end(packed)


def decode(log: str) -> Handover | None:
    """The last hand-over in a log. None where there is none, or where anything of it is missing, cut or out of order:
    an earlier one does not count then."""
    marked = [line.rstrip("\r") for line in log.split("\n") if line.startswith(f"{MARK} ")]
    beginning = max((place for place, line in enumerate(marked) if line.startswith(f"{MARK} 1/")), default=len(marked))
    *parts, end = marked[beginning:] or [""]
    try:
        packed = b"".join(_chunk(line, f"{MARK} {number}/{len(parts)} ") for number, line in enumerate(parts, 1))
        return _unpack(packed) if end == _end(packed) else None
    except ValueError:
        return None


def _end(packed: bytes) -> str:
    return f"{MARK} end {hashlib.sha256(packed).hexdigest()}"


def _chunk(line: str, beginning: str) -> bytes:
    """Raises ValueError."""
    if not line.startswith(beginning):
        raise ValueError(f"there should be {beginning}")
    return base64.b64decode(line.removeprefix(beginning), validate=True)


def _pack(run: SuiteRun, artifacts: Mapping[str, bytes]) -> bytes:
    named = {name: data for name, data in artifacts.items() if _PLAIN_NAME.fullmatch(name)}
    room = MAX_PACKED - len(compress(run, MAX_PACKED))
    kept = _smallest(named, room)
    data = compress(_showing(run, kept), MAX_PACKED)
    sizes = _Sizes(len(data), [(name, len(content)) for name, content in kept.items()])
    return b"\n".join((_SIZES_JSON.dump_json(sizes), data + b"".join(kept.values())))


def _smallest(artifacts: Mapping[str, bytes], room: int) -> dict[str, bytes]:
    """As many as there is room for."""
    kept: dict[str, bytes] = {}
    for name, data in sorted(artifacts.items(), key=lambda item: (len(item[1]), item[0])):
        room -= len(data) + len(name) + 16
        if room < 0:
            break
        kept[name] = data
    return kept


def _showing(run: SuiteRun, kept: Mapping[str, bytes]) -> SuiteRun:
    """The run without the names of files that are not there."""
    results = (result if result.screenshot in kept else replace(result, screenshot="") for result in run.results)
    return replace(run, results=tuple(results))


def _unpack(packed: bytes) -> Handover | None:
    """None where the run is none. Raises ValueError."""
    head, newline, rest = packed.partition(b"\n")
    sizes = _SIZES_JSON.validate_json(head)
    lengths = [sizes.run, *(size for _, size in sizes.artifacts)]
    if not newline or min(lengths) < 0 or sum(lengths) != len(rest):
        raise ValueError("the sizes are wrong")
    run, place = expand(rest[: sizes.run]), sizes.run
    artifacts: dict[str, bytes] = {}
    for name, size in sizes.artifacts:
        if not _PLAIN_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a plain name")
        artifacts[name] = rest[place : place + size]
        place += size
    return None if run is None else Handover(run, artifacts)


def compress(run: SuiteRun, limit: int, plain_limit: int = MAX_PLAIN) -> bytes:
    """A run in at most `limit` bytes (some hundreds at least), of at most `plain_limit` bytes of JSON.

    The longest details are cut first, from their beginning; then tests of commands are left out, those that passed
    first. A run that is still too large becomes broken.
    """
    for smaller in _ever_smaller(run):
        plain = smaller.to_json()
        if len(plain) <= plain_limit and len(packed := zlib.compress(plain)) <= limit:
            return packed
    lost = replace(run, results=(), error=f"its {len(run.results):,} results are too large to be kept")
    return zlib.compress(lost.to_json())


def expand(data: bytes, plain_limit: int = MAX_PLAIN) -> SuiteRun | None:
    """None where it is not a run, or one of more than `plain_limit` bytes of JSON, which are never unpacked."""
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(data, plain_limit)
        return SuiteRun.from_json(plain) if unpacking.eof and not unpacking.unused_data else None
    except (zlib.error, ValidationError):
        return None


def _ever_smaller(run: SuiteRun) -> Iterator[SuiteRun]:
    yield run
    for details, cases in _SIZES:
        yield replace(run, results=tuple(_cut(result, details, cases) for result in run.results))


def _cut(result: CheckResult, details: int, cases: int) -> CheckResult:
    kept = _most_telling(result.cases, cases)
    attempts = tuple(_cut_attempt(attempt, details) for attempt in result.attempts)
    if (left_out := len(result.cases) - len(kept)) and attempts:
        said = f"{attempts[-1].details}\n({left_out:,} of its tests are left out here)".lstrip()
        attempts = (*attempts[:-1], replace(attempts[-1], details=said))
    return replace(result, attempts=attempts, cases=tuple(_cut(case, details, cases) for case in kept))


def _cut_attempt(attempt: Attempt, details: int) -> Attempt:
    message = attempt.message if details or len(attempt.message) <= _SHORT_MESSAGE else attempt.message[:99] + "…"
    if len(attempt.details) <= details:
        return replace(attempt, message=message)
    return replace(attempt, message=message, details=f"…{attempt.details[1 - details :]}" if details else "")


def _most_telling(cases: tuple[CheckResult, ...], most: int) -> tuple[CheckResult, ...]:
    if len(cases) <= most:
        return cases
    return tuple(
        sorted(cases, key=lambda case: case.skipped is not None or (case.outcome is Outcome.PASSED and not case.flaky))
    )[:most]


def screenshots(run: SuiteRun, folder: Path) -> dict[str, bytes]:
    """The files that its results name, as far as they are there and could be handed over."""
    named = {result.screenshot for result in run.results if _PLAIN_NAME.fullmatch(result.screenshot)}
    read = {name: regular_file(folder / name, MAX_PACKED) for name in sorted(named)}
    return {name: data for name, data in read.items() if data is not None and len(data) <= MAX_PACKED}


def regular_file(path: Path, most: int) -> bytes | None:
    """The end of a file that somebody else may have put there: its last `most` bytes and one more where it is longer.

    None for anything but a regular file that can be read: no link is followed, no pipe waited for.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        file.seek(max(0, found.st_size - most - 1))
        return file.read(most + 1)
