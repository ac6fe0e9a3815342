"""Back to a release that is known to be good, and whether that worked. Pure.

what stands in the way                                       what comes of it
-----------------------------------------------------------  --------------------------------------------------
nothing earlier is verified                                  Halt
the policy names no way back (a watched target)              Halt
a migration changed the database, and is not marked          Halt, with the command for either way; a person's
                                                             `--force` goes over it, and what worked after that will
                                                             work again
it is marked with a command                                  that runs first, newest release first
what was restored does not work either                       Settle and stop: it never loops
"""

from datetime import datetime

from controller.common.spec import Undo
from controller.deploys.model import Case, Decision, Record, Release, Rollback, RolloutState, Stop, Verdict
from controller.deploys.runs import evidence, name_of, smoke_again, tally
from controller.deploys.steps import Dismiss, Halt, RollBack, Settle, Step, Wait
from controller.deploys.wrong import deadline, why_rollout_bad


def by_person(case: Case, wanted: Decision, now: datetime) -> Step:
    record, bad = case.seen.record, case.seen.record.running
    if record.rollback is not None and record.rollback.restored is None:
        return Dismiss(wanted.order, f"{record.rollback.actor} was already rolling back")
    if bad is None:
        return Dismiss(wanted.order, "nothing is deployed")
    good = record.release(wanted.to) if wanted.to else last_good(record)
    if good is None or good.number not in {one.number for one in can_go_back_to(record)}:
        return Dismiss(wanted.order, f"there is no release {f'#{wanted.to}' if wanted.to else ''} to roll back to")
    return _back(case, bad, good, f"{wanted.actor}: {wanted.because}", now, wanted)


def restoring(case: Case, rollback: Rollback, now: datetime) -> Step:
    """Its checks run once more on what was restored. If they do not pass, a person is needed: it never loops."""
    rollout, live, rules = case.seen.rollout, case.seen.record.running, case.rules
    name = name_of(live)
    if bad := why_rollout_bad(case, now):
        return _not_restored(case, f"after the rollback {name} did not work: {bad}", now)
    if rollout is None or rollout.release != rollback.to or rollout.state is not RolloutState.COMPLETE:
        return Wait(f"rolling back to {name}", deadline(case))
    counted = tally(case.seen, rules)
    if counted.passed_at is not None or (live is not None and not live.checks):
        return Settle(restored=True, because=f"{name} works again")
    if counted.failed >= rules.failures:
        return _not_restored(case, f"after the rollback {name} fails its checks too: {counted.worst}", now)
    if counted.broken >= rules.broken:
        because = f"after the rollback the checks of {name} could not be run: {counted.worst}"
        return _not_restored(case, because, now)
    return smoke_again(case, counted, now, f"was {name} restored?")


def _not_restored(case: Case, because: str, now: datetime) -> Step:
    target, older = case.target, last_good(case.seen.record)
    further = f'mayfly rollback {target} --to {older.number} --reason "…"' if older else ""
    commands = (further, f'mayfly redeploy {target} --reason "…"', f'mayfly release {target} --reason "…"')
    return Settle(restored=False, because=because, stop=Stop(because, now, tuple(filter(None, commands))))


def undo(case: Case, bad: Release, because: str, now: datetime) -> Step:
    good = last_good(case.seen.record)
    if good is None:
        because = f"{name_of(bad)}: {because}; no earlier release is known to be good"
        commands = (f'mayfly redeploy {case.target} --reason "…"', f'mayfly release {case.target} --reason "…"')
        return Halt(Stop(because, now, commands), bad.number, evidence(case.seen))
    return _back(case, bad, good, because, now)


def _back(case: Case, bad: Release, good: Release, because: str, now: datetime, asked: Decision | None = None) -> Step:
    """A person's rollback is done as they said; neither goes over a migration unless that is marked, or forced."""
    order, force = (asked.order, asked.force) if asked else (0, False)
    if not case.rules.may_roll_back:
        stop = Stop(f"{name_of(bad)}: {because}; the policy names no way to roll this target back", now)
        return Halt(stop, bad.number, evidence(case.seen), order)
    after = _after(case.seen.record, good.number)
    migrated = [one for one in after if one.number in case.seen.migrated and not _works_after(case, good, one)]
    never = [one for one in migrated if one.spec.database.rollback in (None, "never")]
    if never and not force:
        return Halt(_migration_in_the_way(case, bad, good, never, because, now), bad.number, evidence(case.seen), order)
    undo = tuple(one.number for one in reversed(migrated) if isinstance(one.spec.database.rollback, Undo))
    actor = asked.actor if asked else "mayfly"
    return RollBack(Rollback(bad.number, good.number, because, actor, now, order, undo), evidence(case.seen))


def _migration_in_the_way(
    case: Case, bad: Release, good: Release, never: list[Release], because: str, now: datetime
) -> Stop:
    names = ", ".join(name_of(one) for one in never)
    back = f'mayfly rollback {case.target} --to {good.number} --force --reason "…"'
    stay = f'mayfly release {case.target} --reason "…"'
    why = f"{name_of(bad)}: {because}; not rolled back, as a migration of {names} is not marked reversible"
    return Stop(why, now, (back, stay))


def _after(record: Record, good: int) -> list[Release]:
    """What ran after the good one, oldest first: what that left in the database may still be there."""
    return [one for one in record.releases if good < one.number and one.live_at is not None]


def _works_after(case: Case, good: Release, other: Release) -> bool:
    """Whether the good one was rolled back to after the other one ran, and its checks passed on what that had left."""
    back = case.seen.record.rollback
    return back is not None and bool(back.restored) and back.to == good.number and other.number <= back.bad


def last_good(record: Record) -> Release | None:
    """The newest verified release that is older than what is live: rolling back twice goes further back."""
    older = (one for one in reversed(record.releases) if one.number < record.live)
    return next((one for one in older if one.verdict is Verdict.VERIFIED), None)


def can_go_back_to(record: Record) -> tuple[Release, ...]:
    """Newest first: what a person may name. A rejected one is never among them."""
    return tuple(
        one for one in reversed(record.releases) if one.verdict is Verdict.VERIFIED and one.number != record.live
    )
