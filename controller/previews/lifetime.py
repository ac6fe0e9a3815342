"""How long a preview lives: what the policy gives, the spec shortens, and people stop or lengthen. Pure functions."""

from datetime import datetime, timedelta

from controller.common.spec import Spec
from controller.previews.model import Case, Rules
from smoke.documents import format_duration


def why_over(case: Case, rules: Rules, now: datetime) -> str:
    ends = expires_at(case, rules)
    if ends is None or now <= ends:
        return ""
    longest = _life_over_at(case, rules)
    if longest is not None and now > longest:
        age = format_duration(_longest_life(case, rules))
        return f"it was {age} old, the longest that a preview lives here"
    return f"nobody pushed, commanded or visited for {format_duration(_expire_after(case, rules))}"


def expires_at(case: Case, rules: Rules) -> datetime | None:
    """When the preview will be removed if nothing happens; None where nothing will."""
    ends = [_life_over_at(case, rules), _idle_over_at(case, rules)]
    return min((end for end in ends if end is not None), default=None)


def _idle_over_at(case: Case, rules: Rules) -> datetime | None:
    if case.pull is None or case.stale or case.wishes.pinned_by:
        return None
    idle_over = last_activity(case) + _expire_after(case, rules)
    return max(idle_over, case.wishes.extended_until or idle_over)


def _life_over_at(case: Case, rules: Rules) -> datetime | None:
    return case.preview.created_at + _longest_life(case, rules) if case.preview else None


def _longest_life(case: Case, rules: Rules) -> timedelta:
    if case.wishes.pinned_by:
        return rules.max_life
    return _tighter(rules.max_life, case.spec.lifetime.max if isinstance(case.spec, Spec) else None)


def _expire_after(case: Case, rules: Rules) -> timedelta:
    return _tighter(rules.expire_after, case.spec.lifetime.expire_after if isinstance(case.spec, Spec) else None)


def sleep_after(case: Case, rules: Rules) -> timedelta:
    return _tighter(rules.sleep_after, case.spec.lifetime.sleep_after if isinstance(case.spec, Spec) else None)


def _tighter(policy: timedelta, spec: timedelta | None) -> timedelta:
    return policy if spec is None else min(policy, spec)


def last_activity(case: Case) -> datetime:
    """The last push, command, or visit by a person. Our own checks do not count."""
    moments = [
        case.pull.pushed_at if case.pull else None,
        case.wishes.last_at,
        case.preview.last_visit if case.preview else None,
    ]
    return max(moment for moment in moments if moment is not None)
