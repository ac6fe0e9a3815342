"""What became of one release, so far. Pure.

verdict      what is seen                                stage
-----------  ------------------------------------------  -----------
pending      it is not live                              making
             its rollout is not complete                 rollout
             the checks cannot be run, again and again   unknown
             not enough of its checks passed             checking
             they passed                                 soaking
verified     another one is live                         retired
             it is rolled back to; that is not over      restoring
             that did not bring the target back          not-restored
             else                                        verified
superseded                                               superseded
rejected     it never was live                           not-made
             it still is                                 bad
             it is not any more                          rolled-back
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.common.nouns import CheckJob
from controller.deploys.model import Case, Record, Release, RolloutState, Verdict
from controller.deploys.runs import Tally, micros, name_of, tally
from smoke.documents import format_duration


class Stage(StrEnum):
    MAKING = "making"
    ROLLOUT = "rollout"
    CHECKING = "checking"
    UNKNOWN = "unknown"
    SOAKING = "soaking"
    VERIFIED = "verified"
    RETIRED = "retired"
    RESTORING = "restoring"
    NOT_RESTORED = "not-restored"
    SUPERSEDED = "superseded"
    NOT_MADE = "not-made"
    BAD = "bad"
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True, slots=True)
class Fate:
    """`line` follows the release's name: `is verified: its checks passed`. Plain text, with strangers' words in it."""

    stage: Stage
    line: str


def fate(case: Case, release: Release) -> Fate:
    match release.verdict:
        case Verdict.PENDING:
            return _pending(case, release)
        case Verdict.VERIFIED:
            return _verified(case.seen.record, release)
        case Verdict.SUPERSEDED:
            return Fate(Stage.SUPERSEDED, f"was superseded {release.why}".rstrip())
        case Verdict.REJECTED:
            return _rejected(case.seen.record, release)


def _pending(case: Case, release: Release) -> Fate:
    rollout = case.seen.rollout
    if release.number != case.seen.record.live:
        return Fate(Stage.MAKING, "is made")
    if rollout is None or rollout.release != release.number or rollout.state is not RolloutState.COMPLETE:
        return Fate(Stage.ROLLOUT, "is rolled out")
    counted = tally(case.seen, case.rules)
    if counted.passed_at is not None or not release.checks:
        return Fate(Stage.SOAKING, f"soaks for {format_duration(case.rules.soak)}" if case.rules.soak else "works")
    if counted.broken >= case.rules.broken:
        return Fate(Stage.UNKNOWN, f"is not known to work: its checks cannot be run: {counted.worst}")
    return Fate(Stage.CHECKING, f"is checked{_so_far(counted)}")


def _so_far(counted: Tally) -> str:
    if not counted.failed:
        return ""
    times = "once" if counted.failed == 1 else f"{counted.failed} times"
    return f", and failed {times}: {counted.worst}"


def _verified(record: Record, release: Release) -> Fate:
    back = record.rollback
    if release.number != record.live:
        return Fate(Stage.RETIRED, "was verified, and gave way")
    if back is None or back.to != release.number or back.restored:
        return Fate(Stage.VERIFIED, _because("is verified", release.why))
    if back.restored is None:
        return Fate(Stage.RESTORING, f"is rolled back to, from {named(record, back.bad)}")
    return Fate(Stage.NOT_RESTORED, _because("is back, and does not work", back.outcome))


def _rejected(record: Record, release: Release) -> Fate:
    if release.live_at is None:
        return Fate(Stage.NOT_MADE, _because("is not deployed", release.why))
    if release.number == record.live:
        return Fate(Stage.BAD, _because("is bad, and still there", release.why))
    back = record.rollback
    to = f" to {named(record, back.to)}" if back is not None and back.bad == release.number else ""
    return Fate(Stage.ROLLED_BACK, _because(f"was rolled back{to}", release.why))


def _because(line: str, why: str) -> str:
    return f"{line}: {why}" if why else line


def named(record: Record, number: int) -> str:
    """For people; releases that were forgotten have their number only."""
    release = record.release(number)
    return name_of(release) if release else f"#{number}"


def runs_of(case: Case, release: Release) -> tuple[CheckJob, ...]:
    """The checks that it was judged by, oldest first. Another release may have the same revision: what was ordered
    before it was live, or after it was judged, is not its own."""
    record = case.seen.record
    since = record.live_since if release.number == record.live else release.live_at
    until = release.decided_at if release.number != record.live else None
    if since is None:
        return ()
    begin, end = micros(since), micros(until) if until else None
    own = (job for job in case.seen.jobs if job.revision == release.revision and job.order > begin)
    return tuple(job for job in own if end is None or job.order <= end)
