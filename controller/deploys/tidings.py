"""What people are told of a target through their routes: notices, named by what happened, so that each is told once.
Pure.

what happened                           severity                           status
--------------------------------------  ---------------------------------  --------
rolled back                             page; info where a person did it   firing
what was restored works                 the same                           resolved
it does not                             page, with what can be said        firing
stopped                                 page, with what can be said        firing
the checks cannot be run                page                               firing
a release, or the head, cannot be made  ticket                             firing
verified                                info; page where one was before    resolved
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from controller.common.markdown import one_line, passage
from controller.common.notices import Notice, Severity, Status
from controller.common.nouns import Commit, short
from controller.deploys.fate import Stage, fate, named, runs_of
from controller.deploys.model import Case, Record, Release, Rollback, Stop, Verdict
from controller.deploys.runs import micros, name_of, tally
from smoke.model import Outcome

TEXT_LIMIT = 3000
"""Characters. What matters most stands first."""


@dataclass(frozen=True, slots=True)
class Tiding:
    """`what` names it within its target, for ever."""

    what: str
    at: datetime
    severity: Severity
    title: str
    lines: tuple[str, ...] = ()
    status: Status = Status.FIRING
    release: Release | None = None


def notices(case: Case, link: str) -> tuple[Notice, ...]:
    """All that is to be told of the target as it stands. `link` is its page."""
    return tuple(_notice(case.target, tiding, link) for tiding in _tidings(case))


def _notice(target: str, tiding: Tiding, link: str) -> Notice:
    about = f"target:{target}"
    release = tiding.release
    which = {"release": str(release.number), "revision": release.revision} if release else {}
    return Notice(
        id=f"{about}:{tiding.what}",
        at=tiding.at,
        severity=tiding.severity,
        status=tiding.status,
        about=about,
        title=one_line(f"{target}: {tiding.title}"),
        text=passage("\n".join(filter(None, tiding.lines)), TEXT_LIMIT),
        link=link,
        labels={"target": target, **which},
    )


def _tidings(case: Case) -> Iterator[Tiding]:
    record = case.seen.record
    if record.rollback is not None:
        yield from _of_rollback(record, record.rollback)
    if record.stop is not None and not _told_by_rollback(record, record.stop):
        yield _of_stop(record, record.stop)
    if record.running is not None:
        yield from _of_live(case, record.running)
    yield from _of_what_cannot_be(case)


def _of_rollback(record: Record, back: Rollback) -> Iterator[Tiding]:
    bad, to = record.release(back.bad), named(record, back.to)
    severity = Severity.PAGE if back.actor == "mayfly" else Severity.INFO
    title = f"{named(record, back.bad)} was rolled back to {to}"
    yield Tiding(
        f"{back.bad}:rolled-back",
        back.at,
        severity,
        title,
        (f"Why: {back.because}", f"By: {back.actor}", *_of_commit(bad), bad.evidence if bad else ""),
        release=bad,
    )
    if back.ended_at is None:
        return
    if back.restored:
        lines = (back.outcome, f"{named(record, back.bad)} was rolled back: {back.because}")
        title = f"{to} is restored"
        yield Tiding(f"{back.bad}:restored", back.ended_at, severity, title, lines, Status.RESOLVED, record.running)
        return
    commands = _commands(record.stop) if record.stop else ()
    title = f"{to} was rolled back to, and does not work"
    what = f"{back.bad}:not-restored"
    yield Tiding(what, back.ended_at, Severity.PAGE, title, (back.outcome, *commands), release=record.running)


def _told_by_rollback(record: Record, stop: Stop) -> bool:
    """A rollback that did not help stops the target: that is one thing to tell."""
    return record.rollback is not None and record.rollback.outcome == stop.because


def _of_stop(record: Record, stop: Stop) -> Tiding:
    live = record.running
    lines = (stop.because, *_commands(stop), *_of_commit(live), live.evidence if live else "")
    title = "stopped: a person has to decide"
    return Tiding(f"{record.live}:stopped:{micros(stop.at)}", stop.at, Severity.PAGE, title, lines, release=live)


def _commands(stop: Stop) -> tuple[str, ...]:
    told = "Nothing is deployed or rolled back until somebody says so"
    return (f"{told}:", *(f"  {command}" for command in stop.commands)) if stop.commands else (f"{told}.",)


def _of_live(case: Case, live: Release) -> Iterator[Tiding]:
    became, name = fate(case, live), name_of(live)
    if became.stage is Stage.UNKNOWN:
        counted = tally(case.seen, case.rules)
        lines = (counted.worst, "It is left as it is, and its checks are tried again.", *_of_commit(live))
        at, title = counted.last_at or live.ordered_at, f"the checks of {name} cannot be run"
        yield Tiding(f"{live.number}:broken", at, Severity.PAGE, title, lines, release=live)
    if became.stage is Stage.VERIFIED and live.decided_at is not None:
        title, what = f"{name} is verified", f"{live.number}:verified"
        lines = (live.why, *_of_commit(live))
        severity = Severity.PAGE if _paged_before(case, live) else Severity.INFO
        yield Tiding(what, live.decided_at, severity, title, lines, Status.RESOLVED, live)


def _paged_before(case: Case, live: Release) -> bool:
    """Whether somebody was paged since a release was verified: who was told that it begins is told that it ends."""
    older = [one for one in case.seen.record.releases if one.number < live.number]
    if older and older[-1].verdict is Verdict.REJECTED and older[-1].live_at is not None:
        return True
    broken = [job.run is not None and job.run.outcome is Outcome.BROKEN for job in runs_of(case, live)]
    return sum(broken) >= case.rules.broken


def _of_what_cannot_be(case: Case) -> Iterator[Tiding]:
    newest, head = case.seen.record.releases[-1:], case.head
    for release in newest:
        if fate(case, release).stage is Stage.NOT_MADE and release.decided_at is not None:
            title, what = f"{name_of(release)} is not deployed", f"{release.number}:not-made"
            lines = (release.why, *_of_commit(release), release.evidence)
            yield Tiding(what, release.decided_at, Severity.TICKET, title, lines, release=release)
    if head is not None and head.problem:
        title, what = f"{short(head.commit.revision)} cannot be deployed", f"{head.commit.revision}:problem"
        yield Tiding(what, head.commit.committed_at, Severity.TICKET, title, (head.problem, _commit(head.commit)))


def _of_commit(release: Release | None) -> tuple[str, ...]:
    return (_commit(release.commit),) if release is not None else ()


def _commit(commit: Commit) -> str:
    by = f", by {one_line(commit.author, 80)}" if commit.author else ""
    return f"Commit: {one_line(commit.title, 200)}{by}" if commit.title else ""
