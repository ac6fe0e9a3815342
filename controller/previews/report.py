"""What a pull request is told: pure functions from what is known to whole words.

The comment answers, in this order: what state is it in, where do I click, what did the checks say, what failed and
which lines matter, how was the database made, when does it go, and what can I do about any of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.common.check_tables import ICONS, failures, table, why_not
from controller.common.markdown import COMMENT_LIMIT, block, fit, inline, one_line
from controller.common.nouns import Phase, PreviewKey, short
from controller.common.spec import FILE, Spec, SpecProblem
from controller.common.words import (
    DeploymentReport,
    DeploymentState,
    Words,
)
from controller.previews.check_report import check_reports, spec_check
from controller.previews.commands import PREFIX
from controller.previews.lifetime import expires_at
from controller.previews.model import Case, Database, Preview, Rules
from controller.previews.plan import current_job, needs_approval, next_suite, why_closed, why_waiting
from smoke.documents import format_duration
from smoke.model import Outcome

DESCRIPTION_LIMIT = 140
"""Characters of a deployment's description (GitHub's limit)."""


@dataclass(frozen=True, slots=True)
class State:
    """`word` is for filters and machines, `line` for people (plain text), `icon` for the eye."""

    word: str
    line: str
    icon: str


def state(case: Case, hold: str = "") -> State:
    """Where a pull request's preview stands. `hold` is why nothing is done about it, where the plan said so."""
    preview = case.preview
    if preview is None:
        return _state_without_preview(case, hold)
    if case.pull is not None and not case.pull.is_open and preview.phase is not Phase.TERMINATING:
        return State("terminating", f"to be removed: {hold or why_closed(case.pull)}", "💤")
    match preview.phase:
        case Phase.TERMINATING:
            because = case.ending.because if case.ending else "it is being removed"
            return State("terminating", f"being removed: {because}", "💤")
        case Phase.STARTING:
            return State("starting", f"starting · {_doing(preview)}", "⏳")
        case Phase.FAILED:
            return State("failed", f"failed · {preview.reason or 'it did not start'}", "❌")
        case Phase.SLEEPING:
            return State("sleeping", f"asleep, a visit wakes it · {_verdict(case, preview)[1]}", "💤")
        case Phase.READY:
            icon, verdict = _verdict(case, preview)
            return State("ready", f"ready · {verdict}", icon)


def _state_without_preview(case: Case, hold: str) -> State:
    if case.pull is not None and not case.pull.is_open:
        return State("removed", f"removed: {why_closed(case.pull)}", "💤")
    if case.ending is not None and hold == case.ending.because:
        return State("removed", f"removed: {hold}", "💤")
    if isinstance(case.spec, SpecProblem):
        return State("waiting", f"{FILE} cannot be used", "❌")
    return State("waiting", f"no preview: {hold}" if hold else "no preview yet", "⏳")


def _doing(preview: Preview) -> str:
    if preview.reason:
        return preview.reason
    return preview.steps[-1].name if preview.steps else "preparing"


def _verdict(case: Case, preview: Preview) -> tuple[str, str]:
    """Icon and words for all suites together."""
    if not isinstance(case.spec, Spec) or not case.spec.checks.suites():
        return "✅", "it has no checks"
    jobs = {suite: current_job(case, preview, suite) for suite in case.spec.checks.suites()}
    runs = [job.run for job in jobs.values() if job and job.run]
    for run in runs:
        if run.outcome is not Outcome.PASSED:
            return ICONS[run.outcome], why_not(run)
    if len(runs) < len(jobs):
        waiting = next(suite for suite, job in jobs.items() if not (job and job.run))
        return "⏳", f"{waiting} checks are running"  # or about to: not worth an edit of its own
    results = [result for run in runs for result in run.results]
    flaky = sum(result.flaky for result in results)
    count = len(results) - sum(result.skipped is not None for result in results)
    passed = f"all {count} checks passed" if count > 1 else "its check passed"
    return ("⚠️", f"{passed}, {flaky} not on the first attempt") if flaky else ("✅", passed)


def words(case: Case, hold: str, rules: Rules, dashboard: str) -> Words:
    """Everything to say about one pull request now. `dashboard` is its base URL."""
    if case.pull is None or _never_mind(case):
        return Words()
    return Words(
        comment=comment(case, hold, rules, dashboard),
        checks=(*spec_check(case), *check_reports(case)),
        deployment=deployment(case),
    )


def _never_mind(case: Case) -> bool:
    """It is over, and it never had a preview to speak of; or that goes now, and will be spoken of when it is gone."""
    if case.pull is None or case.pull.is_open:
        return False
    stands = case.preview is not None and case.preview.phase is not Phase.TERMINATING
    return stands or (case.preview is None and case.ending is None)


def comment(case: Case, hold: str, rules: Rules, dashboard: str) -> str:
    """The whole comment, at most 65,536 characters. What matters most stands first, so that cutting takes the least."""
    stands = state(case, hold)
    parts = [f"{marker(case.key)}\n### {stands.icon} Preview {inline(_calm(case, stands))}"]
    if case.preview is None or case.preview.phase is Phase.TERMINATING:
        parts += [*_approval(case, rules), *_problem(case), *_way_back(case, stands)]
    else:
        parts += [_where(case, case.preview, dashboard), *_approval(case, rules), *_problem(case)]
        parts += [*_waiting(case), *_stuck(case.preview)]
        parts += [*_checks(case, case.preview), *_about(case, case.preview, rules)]
    return fit(parts, COMMENT_LIMIT)


def _calm(case: Case, stands: State) -> str:
    """The line without the step that it is at: a comment that names each one is edited all the time."""
    starts = case.preview is not None and case.preview.phase is Phase.STARTING
    return "starting" if starts and case.preview and not case.preview.reason else stands.line


def marker(key: PreviewKey) -> str:
    """Names our comment among others; the pull request does not show it."""
    return f"<!-- mayfly {key.repo}#{key.number} -->"


def _where(case: Case, preview: Preview, dashboard: str) -> str:
    page = f"[details]({dashboard}/previews/{case.key.repo}/{case.key.number})"
    at = f"at `{short(preview.revision)}`"
    if case.pull is not None and case.pull.head != preview.revision:
        at += f" (the head is `{short(case.pull.head)}`)"
    others = [f"{service.name}: {service.host}" for service in preview.services if service.host][1:]
    rest = f" · {inline(', '.join(others))}" if others else ""
    return f"**{preview.url}** · {at} · {page}{rest}"


def _approval(case: Case, rules: Rules) -> list[str]:
    """To be copied whole: a revision that only begins alike is not approved by it."""
    if case.pull is None or not case.pull.is_open or not needs_approval(case, rules):
        return []
    runs = "What runs is left as it is" if case.preview else "Nothing of it runs yet"
    look = "somebody with write permission has to look at the change, and then say (it counts for this revision only):"
    approve = f"{PREFIX} approve {case.pull.head}"
    return [f"`{short(case.pull.head)}` comes from a fork. {runs}: {look}", block(approve)]


def _problem(case: Case) -> list[str]:
    if not isinstance(case.spec, SpecProblem):
        return []
    kept = "What runs is left as it is." if case.preview else "There is no preview until it is mended."
    return [f"`{FILE}` at the head cannot be used. {kept}", block(case.spec.text)]


def _waiting(case: Case) -> list[str]:
    waits = why_waiting(case)
    if case.pull is None or not waits:
        return []
    return [f"`{short(case.pull.head)}` is not deployed yet: {inline(waits)}. What runs is left as it is."]


def _stuck(preview: Preview) -> list[str]:
    if preview.phase is not Phase.FAILED:
        return []
    parts = [f"**What failed:** {inline(preview.reason)}"] if preview.reason else []
    if preview.logs:
        parts.append(block(preview.logs))
    return [*parts, f"Push a fix, or try this revision again with `{PREFIX} redeploy`."]


def _checks(case: Case, preview: Preview) -> list[str]:
    if not isinstance(case.spec, Spec):
        return []
    jobs = [job for suite in case.spec.checks.suites() if (job := current_job(case, preview, suite))]
    soon = next_suite(case, preview, case.spec) if preview.phase is Phase.READY else ""
    return [*filter(None, [table(jobs, soon)]), *(part for job in jobs if job.run for part in failures(job.run))]


def _about(case: Case, preview: Preview, rules: Rules) -> Iterator[str]:
    if preview.database is not None and preview.phase is not Phase.STARTING:
        yield _database(preview.database)
    yield _lifetime(case, rules)


def _database(database: Database) -> str:
    if not database.seed:
        made = f"PostgreSQL, empty, made in {format_duration(database.cloned_in)}"
    else:
        made = f"PostgreSQL ({_bytes(database.size)}), cloned in {format_duration(database.cloned_in)} from the seed"
        made += f" `{database.seed[:7]}`"
        fresh = database.seeded_in is not None
        made += f" (made in {format_duration(database.seeded_in or timedelta())})" if fresh else " (used again)"
    if database.migrated_in is not None:
        made += f", migrated in {format_duration(database.migrated_in)}"
    return f"**Database:** {made}."


def _bytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def _lifetime(case: Case, rules: Rules) -> str:
    more = f"`{PREFIX} help` lists all commands."
    ends = expires_at(case, rules)
    if case.wishes.pinned_by:
        pinned = f"**Pinned** by {inline(case.wishes.pinned_by)}: idleness does not remove it"
        last = f", its age does on {_day(ends)}" if ends else ""
        return f"{pinned}{last}. `{PREFIX} unpin` lets the clock run. {more}"
    when = f" on {_day(ends)}" if ends else ""
    keep = f"`{PREFIX} pin` or `{PREFIX} extend 2d` keeps it."
    return f"**Expires**{when}, unless somebody pushes, commands or visits before. {keep} {more}"


def _day(moment: datetime) -> str:
    """By the day: a comment that named minutes would be edited at every visit."""
    return f"{moment.day} {moment:%B %Y}"


def _way_back(case: Case, stands: State) -> list[str]:
    if case.pull is None or stands.word != "removed":
        return []
    if not case.pull.is_open:
        again = "" if case.pull.merged else " Reopen the pull request to get a new one."
        return [f"Everything it had is gone.{again}"]
    return [f"`{PREFIX} up` or a push brings it back, with a fresh database."]


def deployment(case: Case) -> DeploymentReport | None:
    """The forge's own record of the environment: set inactive at the end."""
    name = f"preview/{case.key.repo}/{case.key.number}"
    preview = case.preview
    if preview is None or preview.phase is Phase.TERMINATING:
        if case.ending is None:
            return None
        revision = case.pull.head if case.pull else ""
        return DeploymentReport(
            name, revision, DeploymentState.INACTIVE, "", one_line(f"removed: {case.ending.because}", DESCRIPTION_LIMIT)
        )
    described = one_line(_described(preview), DESCRIPTION_LIMIT)
    return DeploymentReport(name, preview.revision, _deployment_state(preview.phase), preview.url, described)


def _described(preview: Preview) -> str:
    """Of the phase alone: what the checks say stands elsewhere, and every other word would be one more status."""
    if preview.phase is Phase.FAILED:
        return f"failed: {preview.reason or 'it did not start'}"
    return "starting" if preview.phase is Phase.STARTING else "ready"


def _deployment_state(phase: Phase) -> DeploymentState:
    match phase:
        case Phase.STARTING:
            return DeploymentState.IN_PROGRESS
        case Phase.READY | Phase.SLEEPING:
            return DeploymentState.SUCCESS
        case Phase.FAILED:
            return DeploymentState.FAILURE
        case Phase.TERMINATING:
            return DeploymentState.INACTIVE
