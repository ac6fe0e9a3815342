from collections.abc import Mapping
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.adapters.kubernetes.shards import balance
from smoke.spec import Check, TcpCheck


def a_check(name: str, *after: str) -> Check:
    return Check(name=name, tcp=TcpCheck(port=1), after=list(after))


def taking(**seconds: float) -> dict[str, timedelta]:
    return {name: timedelta(seconds=number) for name, number in seconds.items()}


def split(checks: str, times: Mapping[str, timedelta], shards: int) -> list[str]:
    """Checks are letters; `b<a` runs after a."""
    known = [a_check(word[0], *word[2:]) for word in checks.split()]
    return ["".join(check.name for check in part) for part in balance(known, times, shards)]


@pytest.mark.parametrize(
    ("checks", "times", "shards", "parts"),
    [
        pytest.param("", {}, 3, [], id="nothing"),
        pytest.param("a b c", {}, 1, ["abc"], id="all in one"),
        pytest.param("a b", {}, 5, ["a", "b"], id="no shard is empty"),
        pytest.param("a b", taking(a=0, b=0), 2, ["a", "b"], id="not even of checks that take no time"),
        pytest.param("a b c d", {}, 2, ["ac", "bd"], id="evenly where nothing is known"),
        pytest.param("a b c d", taking(a=1, b=1, c=1, d=3), 2, ["d", "abc"], id="the longest on its own"),
        pytest.param("a b<a c d<c", taking(a=9, b=1, c=1, d=1), 2, ["ab", "cd"], id="together what waits"),
        pytest.param("a b c<ab d", taking(a=1, b=1, c=1, d=2), 2, ["abc", "d"], id="also for two"),
        pytest.param("b<a a c", {}, 2, ["ba", "c"], id="in the order they were written"),
        pytest.param("a b c", taking(a=10, b=10), 3, ["a", "b", "c"], id="an unknown one is as long as the others"),
        pytest.param("a b c d", taking(a=6, b=6, c=6), 2, ["ac", "bd"], id="an unknown one is not short"),
        pytest.param("a b", taking(gone=100, a=1, b=1), 2, ["a", "b"], id="times of others"),
    ],
)
def test_checks_are_split(checks: str, times: Mapping[str, timedelta], shards: int, parts: list[str]):
    assert split(checks, times, shards) == parts


@st.composite
def suites(draw: st.DrawFn, most: int) -> tuple[list[Check], dict[str, timedelta]]:
    count = draw(st.integers(0, most))
    checks = [
        a_check(f"c{number}", *(f"c{other}" for other in draw(st.sets(st.integers(0, number - 1), max_size=1))))
        if number
        else a_check("c0")
        for number in range(count)
    ]
    seconds = draw(st.lists(st.one_of(st.none(), st.integers(0, 50)), min_size=count, max_size=count))
    times = {
        check.name: timedelta(seconds=took) for check, took in zip(checks, seconds, strict=True) if took is not None
    }
    return draw(st.permutations(checks)), times


@given(suites(12), st.integers(1, 6))
def test_every_check_runs_once_and_beside_those_it_runs_after(
    suite: tuple[list[Check], dict[str, timedelta]], shards: int
):
    checks, times = suite
    parts = balance(checks, times, shards)
    assert sorted(check.name for part in parts for check in part) == sorted(check.name for check in checks)
    assert all(parts)
    assert len(parts) <= shards
    for part in parts:
        inside = [check.name for check in part]
        assert inside == [check.name for check in checks if check.name in inside]
        assert all(other in inside for check in part for other in check.after)
    assert balance(checks, times, shards) == parts


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=7), st.integers(1, 3))
def test_no_shard_is_a_third_longer_than_the_best_there_is(seconds: list[int], shards: int):
    checks = [a_check(f"c{number}") for number in range(len(seconds))]
    times = {check.name: timedelta(seconds=took) for check, took in zip(checks, seconds, strict=True)}
    longest = max(sum(times[check.name].seconds for check in part) for part in balance(checks, times, shards))
    best = min(
        max(sum(took for took, place in zip(seconds, places, strict=True) if place == shard) for shard in range(shards))
        for places in product(range(shards), repeat=len(seconds))
    )
    assert longest <= best * 4 / 3
