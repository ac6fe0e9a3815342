"""What is wrong with the release that is live. Pure."""

from datetime import datetime

from controller.deploys.model import Case, RolloutState, Verdict
from controller.deploys.runs import tally
from smoke.documents import format_duration


def why_bad(case: Case, now: datetime) -> str:
    """Only of a release that is being tested; later, it is for the probes to say."""
    live, rules = case.seen.record.running, case.rules
    if live is None or live.verdict is not Verdict.PENDING:
        return ""
    if why := why_rollout_bad(case, now):
        return why
    counted = tally(case.seen, rules)
    if counted.failed >= rules.failures:
        return f"its checks failed {counted.failed} times: {counted.worst}"
    if counted.passed_at is not None and case.probed.failed > rules.soak_failures:
        return f"its probes failed {case.probed.failed} times while it soaked: {case.probed.worst}"
    return ""


def why_rollout_bad(case: Case, now: datetime) -> str:
    rollout, record = case.seen.rollout, case.seen.record
    seen = rollout if rollout is not None and rollout.release == record.live else None
    if seen is not None and seen.state is RolloutState.FAILED:
        return f"its rollout failed: {seen.message}"
    done = seen is not None and seen.state is RolloutState.COMPLETE
    until = deadline(case)
    if done or until is None or now <= until:
        return ""
    doing = f" ({seen.message})" if seen is not None and seen.message else ""
    return f"it was not rolled out within {format_duration(case.rules.progress_deadline)}{doing}"


def deadline(case: Case) -> datetime | None:
    since = case.seen.record.live_since
    return since + case.rules.progress_deadline if since else None
