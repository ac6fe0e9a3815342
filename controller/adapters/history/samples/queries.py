"""What is asked of samples, each as one statement: a sample goes from the fresh ones to its steps between two.

Every part of a union has the same columns; a part that has nothing to say in one leaves it null.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Subquery,
    Text,
    bindparam,
    case,
    cast,
    func,
    null,
    select,
    true,
    union_all,
)

from controller.adapters.history.samples.chunks import BROKEN, EXCUSED, FAILED
from controller.adapters.history.samples.spans import DAY, FIVE_MINUTES, MINUTE, SAMPLE, Span
from controller.adapters.history.samples.tables import chunks, fresh, names, steps

LOOKED_UP = 5_000
"""Most steps of one series that are looked up each by its key; SQLite takes 32,766 values."""
_NO_NUMBER = cast(null(), BigInteger)
_NO_BYTES = cast(null(), LargeBinary)


def counts(since: int, until: int, spans: Sequence[Span], probes: Sequence[str]) -> Select[Any]:
    """probe, total, failed, broken; or probe, step and body of a chunk that the window may cut. `spans` are what is
    asked of the steps; fresh samples are asked from `since` on, before `until`. Of all probes where none is named."""
    new = _fresh_counts((fresh.c.at >= since) & (fresh.c.at < until) & _is_of(fresh.c.series, probes))
    rolled = [_cut(span, probes) if span.size == SAMPLE else _whole(span, probes) for span in spans]
    return _with_probe(union_all(new, *rolled).subquery())


def days(since: int, probes: Sequence[str]) -> Select[Any]:
    """probe, total, failed, broken, day. Of all probes where none is named."""
    of_day = (steps.c.minutes == DAY // MINUTE) & _is_of(steps.c.series, probes)
    whole = select(steps.c.series, steps.c.total, steps.c.failed, steps.c.broken, steps.c.step.label("day"))
    new = (
        select(fresh.c.series, fresh.c.state, (fresh.c.at // DAY).label("day"))
        .where(fresh.c.at >= since // DAY * DAY, _is_of(fresh.c.series, probes))
        .subquery()
    )
    total, failed, broken = _tallied(new.c.state)
    some = select(new.c.series, total, failed, broken, new.c.day).group_by(new.c.series, new.c.day)
    return _with_probe(union_all(whole.where(of_day, steps.c.step >= since // DAY), some).subquery())


def series(probes: Sequence[str], span: Span) -> Select[Any]:
    """probe; step, total, failed, broken, latencies of steps; at, state, took of fresh samples, whose latencies are
    null."""
    of = select(names.c.id).where(names.c.probe.in_(probes))
    blank = _NO_NUMBER.label("at"), _NO_NUMBER.label("state"), _NO_NUMBER.label("took")
    counted = steps.c.series, steps.c.step, steps.c.total, steps.c.failed, steps.c.broken, steps.c.latencies
    whole = select(*counted, *blank).where(
        steps.c.minutes == span.size // MINUTE, steps.c.series.in_(of), _within(steps.c.step, span)
    )
    nothing = _NO_NUMBER, _NO_NUMBER, _NO_NUMBER, _NO_NUMBER, _NO_BYTES
    new = select(fresh.c.series, *nothing, fresh.c.at, fresh.c.state, fresh.c.took).where(
        fresh.c.series.in_(of), fresh.c.at >= span.first * span.size, fresh.c.at < span.last * span.size
    )
    return _with_probe(union_all(whole, new).subquery())


def latest(of: Sequence[int], span: Span, limit: int) -> Select[Any]:
    """series, at, state, late, took, message of fresh samples, whose body is null; series, step, body of chunks in
    `span`, the last `limit`."""
    nothing = _NO_NUMBER.label("step"), _NO_BYTES.label("body")
    new = select(fresh.c.series, fresh.c.at, fresh.c.state, fresh.c.late, fresh.c.took, fresh.c.message, *nothing)
    last = (
        select(chunks.c.series, chunks.c.step, chunks.c.body)
        .where(chunks.c.series.in_(of), _within(chunks.c.step, span))
        .order_by(chunks.c.step.desc())
        .limit(limit)
        .subquery()
    )
    blank = _NO_NUMBER, _NO_NUMBER, _NO_NUMBER, _NO_NUMBER, cast(null(), Text)
    packed = select(last.c.series, *blank, last.c.step, last.c.body)
    return select(union_all(new.where(fresh.c.series.in_(of)), packed).subquery())


def kept() -> Select[Any]:
    """oldest, newest: of the chunks; fives: the oldest step of 5 minutes. Null where there are none."""
    five = steps.c.minutes == FIVE_MINUTES // MINUTE
    return select(
        select(func.min(chunks.c.step)).scalar_subquery().label("oldest"),
        select(func.max(chunks.c.step)).scalar_subquery().label("newest"),
        select(func.min(steps.c.step)).where(five).scalar_subquery().label("fives"),
    )


def _whole(span: Span, probes: Sequence[str]) -> Select[Any]:
    added = func.sum(steps.c.total), func.sum(steps.c.failed), func.sum(steps.c.broken)
    step = _within(steps.c.step, span) if probes else (steps.c.step >= span.first) & (steps.c.step < span.last)
    of = steps.c.minutes == span.size // MINUTE, step, _is_of(steps.c.series, probes)
    return select(steps.c.series, *added, _NO_NUMBER, _NO_BYTES).where(*of).group_by(steps.c.series)


def _cut(span: Span, probes: Sequence[str]) -> Select[Any]:
    nothing = _NO_NUMBER, _NO_NUMBER, _NO_NUMBER
    of = chunks.c.step >= span.first // FIVE_MINUTES, chunks.c.step <= (span.last - 1) // FIVE_MINUTES
    return select(chunks.c.series, *nothing, chunks.c.step, chunks.c.body).where(*of, _is_of(chunks.c.series, probes))


def _fresh_counts(where: ColumnElement[bool]) -> Select[Any]:
    nothing = _NO_NUMBER.label("step"), _NO_BYTES.label("body")
    return select(fresh.c.series, *_tallied(fresh.c.state), *nothing).where(where).group_by(fresh.c.series)


def _tallied(state: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[int]]:
    """As `tallies.Tally` takes them."""

    def number(which: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((which, 1), else_=0))

    known = (state < EXCUSED) & (state != BROKEN)
    return (
        number(known).label("total"),
        number(state == FAILED).label("failed"),
        number(state == BROKEN).label("broken"),
    )


def _is_of(series: ColumnElement[int], probes: Sequence[str]) -> ColumnElement[bool]:
    return series.in_(select(names.c.id).where(names.c.probe.in_(probes))) if probes else true()


def _with_probe(found: Subquery) -> Select[Any]:
    rest = [column for column in found.c if column.name != "series"]
    return select(names.c.probe, *rest).join_from(found, names, names.c.id == found.c.series)


def _within(step: ColumnElement[int], span: Span) -> ColumnElement[bool]:
    if span.last - span.first > LOOKED_UP:
        return (step >= span.first) & (step < span.last)
    numbers = list(range(span.first, span.last))
    return step.in_(bindparam(None, numbers, Integer, expanding=True))
