"""Writes down what happens to targets: each step that was taken, each release's fate, each run of its checks.

Releases, runs and rollbacks are read from what is there, so what a killed controller did not write is written by the
next one; its other steps may be missing from the timeline.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from controller.common.nouns import short
from controller.deploys.fate import runs_of
from controller.deploys.model import Case, Deed, Event, Record, Release, Rollback
from controller.deploys.ports import Journal
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

ROLLBACK = RollBack.__name__.lower()


class Meter(Protocol):
    """What is counted of deploys. Targets are the policy's: few."""

    def target_stepped(self, target: str, step: str) -> None: ...
    def target_judged(self, target: str, verdict: str, took: float) -> None: ...
    def set_target(self, target: str, state: str) -> None: ...


class Chronicle:
    def __init__(self, journal: Journal, meter: Meter, clock: Callable[[], datetime]) -> None:
        self._journal = journal
        self._meter = meter
        self._clock = clock
        self._deeds: dict[tuple[str, int], Deed] = {}
        self._runs: set[tuple[str, int]] = set()
        self._rollbacks: set[tuple[str, datetime]] = set()

    async def note(self, target: str, step: Step) -> None:
        kind = type(step).__name__.lower()
        self._meter.target_stepped(target, kind)
        number, text, actor = told(step)
        event = Event(target, self._clock(), kind, text, actor, number)
        await self._journal.record_target([event])

    async def observe(self, case: Case) -> None:
        record = case.seen.record
        for release in record.releases:
            deed = deed_of(record, release)
            known = self._deeds.get((record.target, release.number))
            if known != deed:
                await self._journal.keep_deed(deed)
                self._deeds[record.target, release.number] = deed
                if known is not None and deed.decided_at is not None and known.decided_at is None:
                    took = deed.decided_at - deed.ordered_at
                    self._meter.target_judged(record.target, deed.verdict.value, took.total_seconds())
        await self._keep_rollback(record)
        await self._keep_runs(case)

    async def _keep_rollback(self, record: Record) -> None:
        back = record.rollback
        if back is None or (record.target, back.at) in self._rollbacks:
            return
        kept = await self._journal.target_timeline(record.target)
        if not any((one.kind, one.release) == (ROLLBACK, back.bad) and one.at >= back.at for one in kept):
            await self._journal.record_target([Event(record.target, back.at, ROLLBACK, *_of(back))])
        self._rollbacks.add((record.target, back.at))

    async def _keep_runs(self, case: Case) -> None:
        target = case.target
        for release in case.seen.record.releases:
            for job in runs_of(case, release):
                if job.run is not None and (target, job.order) not in self._runs:
                    await self._journal.record_target_run(target, release.number, job.order, job.run)
                    self._runs.add((target, job.order))


def deed_of(record: Record, release: Release) -> Deed:
    return Deed(
        target=record.target,
        number=release.number,
        revision=release.revision,
        title=release.commit.title,
        actor=release.actor,
        committed_at=release.commit.committed_at,
        ordered_at=release.ordered_at,
        live_at=release.live_at,
        verdict=release.verdict,
        decided_at=release.decided_at,
        why=release.why,
        restored_at=release.restored_at,
    )


def told(step: Step) -> tuple[int, str, str]:
    """The release, a line, and who: for the timeline."""
    match step:
        case Make(release, because) | Observe(release, because):
            return release.number, f"{short(release.revision)}: {because}", release.actor
        case Apply(number, because) | Verify(number, because) | Reject(number, because) | Smoke(number, _, because):
            return number, because, "mayfly"
        case RollBack(back):
            text, actor, number = _of(back)
            return number, text, actor
        case Halt(stop, bad):
            return bad, stop.because, "mayfly"
        case Settle() | Dismiss() | Resume() | Wait():
            return 0, step.because, "mayfly"


def _of(back: Rollback) -> tuple[str, str, int]:
    """A line, who, and the release that was bad."""
    return f"to #{back.to}: {back.because}", back.actor, back.bad
