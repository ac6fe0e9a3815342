"""What the checks said of the release that is live, since it is. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.common.check_tables import why_not
from controller.common.nouns import CheckJob, short
from controller.deploys.model import Case, Release, Rules, Seen
from controller.deploys.steps import Smoke, Step, Wait
from smoke.model import Outcome

SLOWEST = timedelta(minutes=1)
"""Between two runs of checks that could not be run."""
DETAILS = 30
"""Lines that are kept as evidence."""


@dataclass(frozen=True, slots=True)
class Tally:
    failed: int = 0
    broken: int = 0
    """One after the other: a run that says something ends them."""
    passed_at: datetime | None = None
    """When as many had passed one after the other as have to."""
    last_at: datetime | None = None
    """When the latest ended."""
    running: bool = False
    next_order: int = 0
    worst: str = ""
    """What the latest run that did not pass said."""


def since_live(seen: Seen) -> tuple[CheckJob, ...]:
    """Runs against what is live, oldest first."""
    since, running = seen.record.live_since, seen.record.running
    if since is None or running is None:
        return ()
    return tuple(job for job in seen.jobs if job.revision == running.revision and job.order > micros(since))


def tally(seen: Seen, rules: Rules) -> Tally:
    """Orders count up from the moment it became live: the same round twice asks for the same run."""
    since = seen.record.live_since
    jobs = since_live(seen)
    order = max((job.order for job in jobs), default=micros(since) if since else 0) + 1
    failed = broken = streak = 0
    passed_at = last_at = None
    worst = ""
    for job in jobs:
        if job.run is None:
            continue
        last_at = job.started_at + job.run.took
        match job.run.outcome:
            case Outcome.PASSED:
                streak, broken = streak + 1, 0
                passed_at = passed_at or (last_at if streak >= rules.passes else None)
            case Outcome.FAILED:
                failed, broken, streak, worst = failed + 1, 0, 0, why_not(job.run)
            case Outcome.BROKEN:
                broken, streak, worst = broken + 1, 0, why_not(job.run)
    return Tally(failed, broken, passed_at, last_at, any(job.run is None for job in jobs), order, worst)


def evidence(seen: Seen) -> str:
    """What the checks that did not pass said, and the last lines of what ran."""
    lines: list[str] = []
    for job in since_live(seen)[-1:]:
        if job.run is not None and job.run.outcome is not Outcome.PASSED:
            lines += [f"{job.suite}: {job.run.error}"] if job.run.error else []
            for result in job.run.results:
                last = result.attempts[-1] if result.attempts else None
                if last is not None and last.outcome is not Outcome.PASSED:
                    lines += [f"{job.suite} › {result.name}: {last.message}", *last.details.splitlines()]
    if seen.rollout is not None and seen.rollout.release == seen.record.live:
        lines += seen.rollout.logs.splitlines()
    return "\n".join(lines[:DETAILS])


def micros(moment: datetime) -> int:
    """Since 1970: what orders are named by."""
    return int(moment.timestamp() * 1_000_000)


def smoke_again(case: Case, counted: Tally, now: datetime, because: str) -> Step:
    if counted.running:
        return Wait("its checks run")
    pause = case.rules.pause if not counted.broken else min(SLOWEST, case.rules.pause * 2**counted.broken)
    if counted.last_at is not None and now < counted.last_at + pause:
        return Wait("its checks run again soon", counted.last_at + pause)
    return Smoke(case.seen.record.live, counted.next_order, because)


def name_of(release: Release | None) -> str:
    return f"#{release.number} ({short(release.revision)})" if release is not None else "nothing"
