import base64
import hashlib
import json
import os
import random
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smoke import handover
from smoke.handover import MARK, Handover, compress, decode, encode, expand, regular_file, screenshots
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RUN = SuiteRun("e2e", "a" * 40, NOON, timedelta(seconds=3), (CheckResult("a", "http", screenshot="a.png"),))


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def words(size: int, seed: int = 1) -> str:
    return base64.b64encode(noise(size, seed)).decode()[:size]


def a_result(name: str, *, details: str = "", outcome: Outcome = Outcome.PASSED, **changes) -> CheckResult:
    return CheckResult(name, "command", (Attempt(outcome, timedelta(seconds=1), "it said so", details),), **changes)


def a_run(*results: CheckResult) -> SuiteRun:
    return replace(RUN, results=results)


def lines(run: SuiteRun = RUN, **artifacts: bytes) -> list[str]:
    return list(encode(run, {f"{name}.png": data for name, data in artifacts.items()}))


def forged(payload: bytes) -> str:
    """A hand-over with anything in it, its digest right."""
    end = hashlib.sha256(payload).hexdigest()
    return f"{MARK} 1/1 {base64.b64encode(payload).decode()}\n{MARK} end {end}"


def holding(run: bytes, *artifacts: tuple[str, bytes]) -> str:
    sizes = {"run": len(run), "artifacts": [(name, len(data)) for name, data in artifacts]}
    return forged(json.dumps(sizes).encode() + b"\n" + run + b"".join(data for _, data in artifacts))


def test_a_run_and_its_screenshots_come_out_as_they_went_in():
    picture = noise(100_000)
    assert decode("\n".join(lines(a=picture))) == Handover(RUN, {"a.png": picture})


def test_lines_are_short_enough_for_a_container_runtime():
    assert max(map(len, lines(a=noise(100_000)))) < 8 * 1024 + 64


def test_what_others_write_between_does_not_matter():
    noisy = "\n".join(f"a line\r\n{line}\r\nmayfly-hand-over-and-more\n\n" for line in lines(a=noise(20_000)))
    assert decode(f"no end of line {MARK} 1/1 x\n{noisy}") == decode("\n".join(lines(a=noise(20_000))))


@pytest.mark.parametrize("log", ["", "Traceback (most recent call last):", f"{MARK} ", f"{MARK} 1/1", f"{MARK} end x"])
def test_a_log_without_a_hand_over_has_none(log: str):
    assert decode(log) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_one_that_was_damaged_anywhere_does_not_count(data: st.DataObject):
    whole = lines(a=noise(30_000))
    kind = data.draw(st.sampled_from(["lost", "cut", "changed", "twice", "split"]))
    place = data.draw(st.integers(1 if kind == "twice" else 0, len(whole) - 1))  # the first line begins anew
    line = whole[place]
    spot = data.draw(st.integers(1 if kind == "split" else 0, len(line) - 1))
    damaged = {
        "lost": [],
        "cut": [line[:spot]],
        "changed": [line[:spot] + ("A" if line[spot] != "A" else "B") + line[spot + 1 :]],
        "twice": [line, line],
        "split": [line[:spot], line[spot:]],
    }[kind]
    assert decode("\n".join([*whole[:place], *damaged, *whole[place + 1 :]])) is None


def test_the_last_of_several_counts():
    other = replace(RUN, error="another")
    found = decode("\n".join([*lines(), *lines(other)]))
    assert found is not None
    assert found.run == replace(other, results=(replace(RUN.results[0], screenshot=""),))


def test_a_whole_one_does_not_count_where_a_later_one_was_cut_off():
    assert decode("\n".join([*lines(), *lines(a=noise(20_000))[:-1]])) is None


def test_two_that_were_written_at_once_do_not_count():
    both = [line for pair in zip(lines(a=noise(20_000)), lines(a=noise(20_000, 2)), strict=True) for line in pair]
    assert decode("\n".join(both)) is None


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(forged(b""), id="nothing"),
        pytest.param(forged(b"{"), id="no sizes"),
        pytest.param(forged(b'{"run": 5, "artifacts": []}\nab'), id="less than it says"),
        pytest.param(forged(b'{"run": -1, "artifacts": [["a", 3]]}\nab'), id="less than nothing"),
        pytest.param(holding(b"no zlib"), id="not compressed"),
        pytest.param(holding(zlib.compress(b"[]")), id="not a run"),
        pytest.param(holding(zlib.compress(RUN.to_json()) + b"more"), id="more than a run"),
        pytest.param(holding(zlib.compress(RUN.to_json())[:-4]), id="less than a run"),
        pytest.param(holding(zlib.compress(RUN.to_json()), ("../../etc/passwd", b"root")), id="a path"),
        pytest.param(holding(zlib.compress(RUN.to_json()), (".hidden", b"root")), id="a hidden file"),
        pytest.param(holding(zlib.compress(b'{"results":' + b'[{"cases":' * 100_000)), id="too deep"),
    ],
)
def test_a_forged_one_does_not_count(log: str):
    assert decode(log) is None


def test_a_bomb_is_not_unpacked():
    bomb = zlib.compress(replace(RUN, error="x" * handover.MAX_PLAIN).to_json(), 1)
    assert len(bomb) < handover.MAX_PACKED
    assert decode(holding(bomb)) is None
    assert expand(zlib.compress(RUN.to_json()), len(RUN.to_json()) - 1) is None
    assert expand(zlib.compress(RUN.to_json()), len(RUN.to_json())) == RUN


def test_what_compresses_well_is_bounded_before_it_was_compressed():
    run = a_run(*(a_result(f"check {number}", details="x" * 16_000) for number in range(100)))
    found = expand(compress(run, 100_000, 200_000), 200_000)
    assert found is not None
    assert [len(result.attempts[0].details) for result in found.results] == [1024] * 100


def test_the_largest_files_are_left_out_first():
    sizes = {"a": 3 * 2**20, "b": 2**20, "c": 2 * 2**20, "d": 1}
    run = a_run(*(replace(RUN.results[0], name=name, screenshot=f"{name}.png") for name in sizes))
    log = "\n".join(lines(run, **{name: noise(size) for name, size in sizes.items()}))
    found = decode(log)
    assert found is not None
    assert sorted(found.artifacts) == ["b.png", "c.png", "d.png"]
    assert [result.screenshot for result in found.run.results] == ["", "b.png", "c.png", "d.png"]
    assert len(log) < 7 * 2**20


def test_long_output_gives_way_before_the_result():
    results = [a_result(f"check {number}", details=words(16_000, number)) for number in range(600)]
    picture = noise(1000)
    log = "\n".join(lines(a_run(*results, replace(RUN.results[0], screenshot="a.png")), a=picture))
    found = decode(log)
    assert found is not None
    assert [result.name for result in found.run.results] == [*(result.name for result in results), "a"]
    assert len(log) < 7 * 2**20
    assert found.run.results[7].attempts[0].details[1:] == results[7].attempts[0].details[-8191:]


def test_what_fits_is_not_touched():
    run = a_run(a_result("a", details="x" * 16_000, cases=tuple(a_result(f"case {n}") for n in range(1000))))
    assert expand(compress(run, 20_000)) == run


def test_tests_that_failed_stay_longest():
    bad = a_result("bad", outcome=Outcome.FAILED)
    shaky = replace(bad, name="shaky", attempts=(*bad.attempts, Attempt(Outcome.PASSED, timedelta())))
    good = tuple(a_result(words(100, number)) for number in range(3000))
    run = a_run(
        a_result("tests", outcome=Outcome.FAILED, details="why", cases=(*good[:2000], bad, shaky, *good[2000:]))
    )
    small = compress(run, 60_000)
    found = expand(small)
    assert found is not None
    assert len(small) <= 60_000
    [result] = found.results
    assert [case.name for case in result.cases[:2]] == ["bad", "shaky"]
    assert result.outcome is Outcome.FAILED
    assert result.attempts[0].details == f"why\n({3002 - len(result.cases):,} of its tests are left out here)"


def test_what_can_never_fit_is_broken_and_says_so():
    found = expand(compress(a_run(*(a_result(words(200, number)) for number in range(3000))), 10_000))
    assert found is not None
    assert (found.outcome, found.error) == (Outcome.BROKEN, "its 3,000 results are too large to be kept")


def test_only_the_files_that_results_name_are_taken(tmp_path: Path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"picture")
    (tmp_path / "link.png").symlink_to("/etc/hostname")
    results = (replace(RUN.results[0], screenshot=name) for name in ("a.png", "gone.png", "link.png", "../a.png", ""))
    assert screenshots(a_run(*results), tmp_path) == {"a.png": b"picture"}


def test_of_a_long_file_the_end_is_read(tmp_path: Path):
    (tmp_path / "long").write_bytes(b"0123456789")
    assert regular_file(tmp_path / "long", 4) == b"56789"
    assert regular_file(tmp_path / "long", 10) == b"0123456789"


def test_what_is_not_a_file_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    assert [regular_file(tmp_path / name, 4) for name in ("pipe", "nothing", ".")] == [None] * 3
