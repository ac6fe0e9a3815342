"""What is packed comes back, what is merged is what it would have been, and a window is covered once."""

import itertools
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.adapters.history.samples import chunks, latencies
from controller.adapters.history.samples.chunks import Raw
from controller.adapters.history.samples.spans import DAY, FIVE_MINUTES, HOUR, MINUTE, SAMPLE, Span, cover, snapped

STEP = 5_900_000
START = STEP * FIVE_MINUTES
TOOKS = st.lists(st.integers(100, 300_000_000), min_size=1, max_size=200)
SHARES = st.floats(0.01, 0.99)
MOMENTS = st.integers(0, 4 * DAY) | st.integers(0, 50).map(lambda hours: hours * HOUR)
RAWS = st.builds(
    Raw,
    at=st.integers(START, START + FIVE_MINUTES - 1),
    state=st.sampled_from([0, 1, 2, 4, 5, 6]),
    late=st.integers(0, 2**32 - 1),
    took=st.integers(0, 2**32 - 1),
    message=st.just("") | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
)


def histogram(tooks: list[int]) -> latencies.Latencies:
    found: latencies.Latencies = {}
    for took in tooks:
        latencies.add(found, {latencies.bucket(took): 1})
    return found


@given(st.lists(TOOKS, min_size=1, max_size=5), SHARES)
def test_percentiles_of_merged_steps_are_those_of_all_samples_to_two_percent(
    steps: list[list[int]], share: float
) -> None:
    merged: latencies.Latencies = {}
    for tooks in steps:
        latencies.add(merged, latencies.unpacked(latencies.packed(histogram(tooks))))
    together = sorted(itertools.chain(*steps))
    exact = together[math.ceil(share * len(together)) - 1]
    (ours,) = latencies.percentiles(merged, [share])
    assert merged == histogram(together)
    assert ours is not None
    assert abs(ours / timedelta(microseconds=1) - exact) <= 0.02 * exact


def test_there_is_no_percentile_of_nothing() -> None:
    assert latencies.percentiles(latencies.unpacked(latencies.packed({})), [0.5, 0.9]) == [None, None]


@pytest.mark.parametrize(
    ("found", "body"),
    [
        pytest.param({}, b"", id="nothing"),
        pytest.param({650: 3, 652: 1}, b"\x8a\x05\x03\x02\x01", id="two buckets"),
        pytest.param({0: 128}, b"\x00\x80\x01", id="a count of two bytes"),
    ],
)
def test_a_histogram_is_packed_into_few_bytes(found: latencies.Latencies, body: bytes) -> None:
    assert latencies.packed(found) == body
    assert latencies.unpacked(body) == found


@given(st.lists(RAWS, min_size=1, max_size=30))
def test_a_chunk_gives_back_what_it_was_made_of(raws: list[Raw]) -> None:
    assert chunks.unpacked(STEP, chunks.packed(raws)) == sorted(raws)


@given(st.lists(RAWS, min_size=1, max_size=30), *[st.integers(START - HOUR, START + HOUR)] * 2)
def test_a_window_cuts_a_chunk_to_the_microsecond(raws: list[Raw], since: int, until: int) -> None:
    states = chunks.states(STEP, chunks.packed(raws), since, until)
    assert states == [raw.state for raw in sorted(raws) if since <= raw.at < until]


def test_without_messages_a_sample_takes_twelve_bytes() -> None:
    raws = [Raw(START + number, 0, 5, 5, "") for number in range(10)]
    said = [raw._replace(message="connection refused by 10.1.2.3:443 while the page was asked") for raw in raws]
    assert len(chunks.packed(raws)) == 4 + 12 * 10
    assert len(chunks.packed(said)) < 4 + 22 * 10


def test_what_lasted_longer_than_fits_is_kept_as_long_as_fits() -> None:
    (raw,) = chunks.unpacked(STEP, chunks.packed([Raw(START, 0, 2**40, 2**32, "")]))
    assert (raw.late, raw.took) == (2**32 - 1, 2**32 - 1)


@given(MOMENTS, MOMENTS)
def test_a_window_is_covered_once_and_without_a_gap(since: int, until: int) -> None:
    spans = cover(since, until)
    edges = [edge for span in spans for edge in (span.first * span.size, span.last * span.size)]
    assert edges == sorted(edges)
    assert sum(span.last * span.size - span.first * span.size for span in spans) == max(until - since, 0)
    assert edges[1:-1:2] == edges[2::2]
    assert len(spans) <= 7
    assert (edges[0], edges[-1]) == (since, until) if spans else since >= until


@pytest.mark.parametrize(
    ("since", "until", "spans"),
    [
        pytest.param(10 * HOUR, 10 * HOUR, [], id="nothing"),
        pytest.param(10 * HOUR, 11 * HOUR, [Span(HOUR, 10, 11)], id="an hour"),
        pytest.param(MINUTE, 7 * MINUTE, [Span(SAMPLE, MINUTE, 7 * MINUTE)], id="no whole step"),
        pytest.param(0, 3 * DAY, [Span(DAY, 0, 3)], id="days"),
        pytest.param(
            10 * HOUR + 3 * MINUTE,
            13 * HOUR + 2 * MINUTE,
            [
                Span(SAMPLE, 10 * HOUR + 3 * MINUTE, 10 * HOUR + 5 * MINUTE),
                Span(FIVE_MINUTES, 121, 132),
                Span(HOUR, 11, 13),
                Span(SAMPLE, 13 * HOUR, 13 * HOUR + 2 * MINUTE),
            ],
            id="the page's example",
        ),
    ],
)
def test_a_window_takes_the_fewest_steps(since: int, until: int, spans: list[Span]) -> None:
    assert cover(since, until) == spans


@pytest.mark.parametrize(
    ("at", "begins"),
    [
        pytest.param(30 * HOUR + 1, 30 * HOUR + 1, id="single samples are kept"),
        pytest.param(20 * HOUR + 7 * MINUTE, 20 * HOUR + 5 * MINUTE, id="steps of 5 minutes are"),
        pytest.param(9 * HOUR + 7 * MINUTE, 9 * HOUR, id="only hours are"),
    ],
)
def test_a_window_begins_with_what_is_kept_of_its_time(at: int, begins: int) -> None:
    assert snapped(at, chunks_since=24 * HOUR, fives_since=10 * HOUR) == begins
