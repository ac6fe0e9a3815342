"""The record after a step. Pure: one write of it is all that deciding changes, so a step is taken whole or not."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from controller.deploys.model import Record, Release, Rollback, Stop, Verdict
from controller.deploys.steps import (
    Apply,
    Dismiss,
    Halt,
    Make,
    Observe,
    Reject,
    Resume,
    RollBack,
    Settle,
    Smoke,
    Step,
    Verify,
    Wait,
)


def changed(record: Record, step: Step, keep: int, now: datetime, *, warm: bool = False) -> Record:
    """`keep` is how many releases are kept; `warm`, whether the last verified one goes on beside a new one."""
    match step:
        case Make(release, _, order):
            return replace(_appended(record, release, now), order=max(order, record.order), stop=None)
        case Observe(release):
            return _live(_appended(record, release, now), release.number, now)
        case Apply(number):
            return replace(_live(record, number, now), warm=_good(record) if warm else 0)
        case Verify(number, because):
            return _pruned(replace(_judged(record, number, Verdict.VERIFIED, because, now), warm=0), keep)
        case Reject(number, because, evidence):
            return _judged(record, number, Verdict.REJECTED, because, now, evidence)
        case RollBack(rollback, evidence):
            return _rolled_back(record, rollback, evidence, now)
        case Settle(restored, because, stop):
            return _settled(record, because, stop, now, restored=restored)
        case Halt(stop, bad, evidence, order):
            judged = _judged(record, bad, Verdict.REJECTED, stop.because, now, evidence) if bad else record
            return replace(judged, stop=stop, warm=0, order=max(order, record.order))
        case Dismiss(order):
            return replace(record, order=max(order, record.order))
        case Resume():
            return replace(record, stop=None)
        case Smoke() | Wait():
            return record
        case _ as never:
            assert_never(never)


def _appended(record: Record, release: Release, now: datetime) -> Record:
    known = _superseded(record, release.number, now)
    return replace(known, releases=(*known.releases, release))


def _superseded(record: Record, by: int, now: datetime) -> Record:
    """Without pending ones that are not live: what is live is judged until another one takes its place."""
    return replace(
        record,
        releases=tuple(
            _gave_way(one, by, now) if one.verdict is Verdict.PENDING and one.number != record.live else one
            for one in record.releases
        ),
    )


def _gave_way(release: Release, to: int, now: datetime) -> Release:
    return replace(release, verdict=Verdict.SUPERSEDED, why=f"by #{to} before it was judged", decided_at=now)


def _live(record: Record, number: int, now: datetime) -> Record:
    releases = []
    for one in record.releases:
        if one.number == number:
            releases.append(replace(one, live_at=one.live_at or now))
        elif one.number == record.live and one.verdict is Verdict.PENDING:
            releases.append(_gave_way(one, number, now))
        else:
            releases.append(one)
    return replace(record, releases=tuple(releases), live=number, live_since=now, stop=None)


def _judged(record: Record, number: int, verdict: Verdict, why: str, now: datetime, evidence: str = "") -> Record:
    return replace(
        record,
        releases=tuple(
            replace(one, verdict=verdict, why=why, evidence=evidence or one.evidence, decided_at=now)
            if one.number == number
            else one
            for one in record.releases
        ),
    )


def _rolled_back(record: Record, rollback: Rollback, evidence: str, now: datetime) -> Record:
    """The bad one is rejected, the good one is live, and who did it: all in one write, so that it is done once."""
    judged = _judged(record, rollback.bad, Verdict.REJECTED, rollback.because, now, evidence)
    return replace(
        judged,
        live=rollback.to,
        live_since=now,
        warm=0,
        rollback=rollback,
        stop=None,
        order=max(rollback.order, record.order),
    )


def _settled(record: Record, outcome: str, stop: Stop | None, now: datetime, *, restored: bool) -> Record:
    back = record.rollback
    if back is None:
        return record
    ended = replace(back, restored=restored, outcome=outcome, ended_at=now)
    releases = record.releases
    if restored:
        releases = tuple(replace(one, restored_at=now) if one.number == back.bad else one for one in releases)
    return replace(record, releases=releases, rollback=ended, stop=stop or record.stop)


def _good(record: Record) -> int:
    """The release that is live, where it is verified."""
    running = record.running
    return running.number if running is not None and running.verdict is Verdict.VERIFIED else 0


def _pruned(record: Record, keep: int) -> Record:
    """The latest `keep`, the two latest verified ones, and what runs."""
    verified = [one.number for one in record.releases if one.verdict is Verdict.VERIFIED][-2:]
    latest = [one.number for one in record.releases][-keep:]
    kept = {*verified, *latest, record.live, record.warm}
    return replace(record, releases=tuple(one for one in record.releases if one.number in kept))
