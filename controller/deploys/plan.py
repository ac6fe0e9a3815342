"""What to do next with a target: one step, from all that is known. First match:

    what is seen                                                   step
    -------------------------------------------------------------  ---------------------------------------------------
    another tool has deployed something                            Observe; Halt where that was rejected before
    a person's rollback that was not carried out                   RollBack or Halt (see `back`); Dismiss
    a rollback that did not end                                    Smoke on what was restored; Settle
    stopped                                                        Wait for a person; Resume once they said so
    the live release is pending and bad                            RollBack or Halt (see `back`)
    a person's redeploy, or a head that is neither live, newest
      nor rejected, nor left for an earlier release by a person
      (and the target deploys by itself)                           Make
    the newest pending release could not be made                   Reject
    the newest pending release is made                             Apply
    the live release is pending: rolled out, passed, soaked        Verify
    rolled out, not enough passed                                  Smoke
    else                                                           Wait

Bad is: its rollout failed or took too long; its checks failed as often as the threshold; the target's probes failed
more often than the soak allows. Checks that could not be run are neither good nor bad: they are tried again, slower.
A held target is checked and reported; nothing is deployed or rolled back by itself.
"""

from datetime import datetime

from controller.common.nouns import short
from controller.deploys.back import by_person, restoring, undo
from controller.deploys.model import (
    Case,
    Draft,
    MakingState,
    Record,
    Release,
    RolloutState,
    Stop,
    Verdict,
)
from controller.deploys.runs import SLOWEST, name_of, smoke_again, tally
from controller.deploys.steps import Apply, Dismiss, Halt, Make, Observe, Reject, Resume, Step, Verify, Wait
from controller.deploys.wishes import why_held
from controller.deploys.wrong import deadline, why_bad
from smoke.documents import format_duration


def next_step(case: Case, now: datetime) -> Step:
    """The one thing to do next; the caller does it, looks again, and asks again."""
    record = case.seen.record
    if (step := _by_others(case, now)) is not None:
        return step
    wanted = case.wishes.rollback
    if wanted is not None and wanted.order > record.order:
        return by_person(case, wanted, now)
    if record.rollback is not None and record.rollback.restored is None:
        return restoring(case, record.rollback, now)
    if record.stop is not None:
        return _stopped(case, record.stop)
    held, bad = why_held(case.wishes), why_bad(case, now)
    if bad and held:
        return Wait(f"{name_of(record.running)} is bad ({bad}), and the target is {held}")
    if bad and record.running is not None:
        return undo(case, record.running, bad, now)
    step = None if held else _deploying(case, now)
    return step or _verifying(case, now, held)


def _by_others(case: Case, now: datetime) -> Step | None:
    """A target that another tool deploys: what is new there is a release; nothing else is different."""
    draft, record = case.head, case.seen.record
    if not case.rules.watched or draft is None or draft.commit.revision != case.seen.deployed:
        return None
    running = record.running
    if running is not None and running.revision == draft.commit.revision:
        return None
    if record.rollback is not None and record.rollback.restored is None:
        return None  # it has not followed yet
    before = next((one for one in reversed(record.releases) if one.revision == draft.commit.revision), None)
    if before is not None and before.verdict is Verdict.REJECTED and record.stop is None:
        because = f"{name_of(before)} was rejected ({before.why}), and another tool has deployed it again"
        return Halt(Stop(because, now, (f'mayfly release {case.target} --reason "…"',)))
    if record.stop is not None or draft.spec is None:
        return None
    return Observe(_release(record, draft, "another tool deployed it", "", now), "another tool deployed it")


def _stopped(case: Case, stop: Stop) -> Step:
    said = case.wishes.released
    if said is not None and said.at > stop.at:
        return Resume(f"{said.actor}: {said.because}")
    if (redeploy := _redeploy(case)) is not None:
        return redeploy
    return Wait(f"stopped: {stop.because}")


def _deploying(case: Case, now: datetime) -> Step | None:
    if case.rules.watched:
        return None
    record = case.seen.record
    if (redeploy := _redeploy(case)) is not None:
        return redeploy
    newest = record.releases[-1] if record.releases else None
    if case.rules.auto and (because := _why_new(case, newest)) and case.head is not None:
        return Make(_release(record, case.head, because, "", now), because)
    if newest is None or newest.verdict is not Verdict.PENDING or newest.number == record.live:
        return None
    making = case.seen.makings.get(newest.number)
    if making is None or making.state is MakingState.RUNNING:
        return None
    if making.state is MakingState.FAILED:
        return Reject(newest.number, f"it could not be made: {making.reason}", making.logs)
    return Apply(newest.number, newest.because)


def _why_new(case: Case, newest: Release | None) -> str:
    """Why the head becomes a release; empty where it does not."""
    head, record = case.head, case.seen.record
    if head is None or head.problem or head.spec is None:
        return ""
    identity = Release(
        0, head.commit, head.spec, (), head.commit.committed_at, "", env=head.env, secrets=head.secrets
    ).identity
    known = [one for one in record.releases if one.identity == identity]
    if known and (known[-1].verdict is Verdict.REJECTED or known[-1] is newest or known[-1] is record.running):
        return ""
    if known and newest is not None and _is_chosen(case, newest):
        return ""
    if newest is not None and newest.revision == head.commit.revision:
        return "the operator changed its configuration"
    return f"{short(head.commit.revision)} was pushed"


def _is_chosen(case: Case, newest: Release) -> bool:
    """Whether a person asked for it as it was before: the head, which they know, does not take its place."""
    wanted = case.wishes.redeploy
    return wanted is not None and wanted.to > 0 and newest.ordered_at == wanted.at


def _redeploy(case: Case) -> Step | None:
    """What a person asked for: the head, or the content of an earlier release."""
    wanted, record = case.wishes.redeploy, case.seen.record
    if case.rules.watched or wanted is None or wanted.order <= record.order:
        return None
    because = f"{wanted.actor}: {wanted.because}"
    if wanted.to and (earlier := record.release(wanted.to)) is not None:
        draft = Draft(earlier.commit, earlier.spec, earlier.checks, "", earlier.env, earlier.secrets, earlier.pull)
    elif wanted.to:
        return Dismiss(wanted.order, f"there is no release #{wanted.to}")
    elif case.head is None:
        return None
    else:
        draft = case.head
    if draft.problem or draft.spec is None:
        return Dismiss(wanted.order, draft.problem or "it has no spec")
    return Make(_release(record, draft, because, wanted.actor, wanted.at), because, wanted.order)


def _verifying(case: Case, now: datetime, held: str) -> Step:
    live, rollout = case.seen.record.running, case.seen.rollout
    if live is None:
        return Wait(_why_nothing(case, held))
    if live.verdict is not Verdict.PENDING:
        return Wait(_why_idle(case, live, held))
    if rollout is None or rollout.release != live.number or rollout.state is not RolloutState.COMPLETE:
        doing = rollout.message if rollout is not None and rollout.release == live.number else ""
        return Wait(f"{name_of(live)} is rolled out" + (f": {doing}" if doing else ""), deadline(case))
    counted = tally(case.seen, case.rules)
    passed_at = counted.passed_at or (None if live.checks else case.seen.record.live_since)
    if passed_at is None:
        return smoke_again(case, counted, now, f"does {name_of(live)} work?")
    if now < passed_at + case.rules.soak:
        return Wait(f"{name_of(live)} soaks", passed_at + case.rules.soak)
    if not case.probed.known:
        return Wait(f"{name_of(live)} has soaked, but its probes said nothing yet", now + SLOWEST)
    return Verify(live.number, _why_good(case, live))


def _why_nothing(case: Case, held: str) -> str:
    if held:
        return held
    if case.head is not None and case.head.problem:
        return f"{short(case.head.commit.revision)} cannot be deployed: {case.head.problem}"
    newest = case.seen.record.releases[-1] if case.seen.record.releases else None
    if newest is not None and newest.verdict is Verdict.PENDING:
        return f"{name_of(newest)} is made"
    return "nothing was deployed yet"


def _why_idle(case: Case, live: Release, held: str) -> str:
    if held:
        return held
    newest = case.seen.record.releases[-1]
    if newest.verdict is Verdict.PENDING and newest.number != live.number:
        return f"{name_of(newest)} is made"
    if case.head is not None and case.head.problem:
        return f"{short(case.head.commit.revision)} cannot be deployed: {case.head.problem}"
    if newest.verdict is Verdict.REJECTED:
        again = f"`mayfly redeploy {case.target}` tries it again"
        return f"{name_of(newest)} was rejected: a new commit is deployed, or {again}"
    return f"{name_of(live)} is verified"


def _why_good(case: Case, live: Release) -> str:
    checks = "its checks passed" if live.checks else "it was rolled out, and has no checks"
    soaked = f", and it soaked for {format_duration(case.rules.soak)}" if case.rules.soak else ""
    return checks + soaked


def _release(record: Record, draft: Draft, because: str, actor: str, now: datetime) -> Release:
    assert draft.spec is not None  # who calls has looked
    return Release(
        number=max((one.number for one in record.releases), default=0) + 1,
        commit=draft.commit,
        spec=draft.spec,
        checks=draft.checks,
        ordered_at=now,
        because=because,
        actor=actor or draft.commit.author or "mayfly",
        env=draft.env,
        secrets=draft.secrets,
        pull=draft.pull,
    )
