"""The check runs of a preview. Pure functions."""

from controller.common.check_tables import STATUS, TITLE_LIMIT, annotations_of, summary_of, title_of
from controller.common.markdown import SUMMARY_LIMIT, block, fit, inline, one_line
from controller.common.nouns import CheckJob, Phase
from controller.common.spec import FILE, Spec, SpecProblem
from controller.common.words import CheckReport, CheckStatus
from controller.previews.model import Case
from controller.previews.plan import current_job
from smoke.model import Outcome


def check_reports(case: Case) -> tuple[CheckReport, ...]:
    """One check run for each suite, of the revision that the preview runs and no other."""
    preview = case.preview
    if preview is None or preview.phase is Phase.TERMINATING or not isinstance(case.spec, Spec):
        return ()
    if case.pull is None or case.pull.head != preview.revision:
        return ()  # the spec at hand is the head's, not this revision's
    reports: list[CheckReport] = []
    blocked = f"the preview did not start: {preview.reason}" if preview.phase is Phase.FAILED else ""
    for suite in case.spec.checks.suites():
        job = current_job(case, preview, suite)
        reports.append(_check_report(case, preview.revision, suite, job, blocked))
        if job and job.run and job.run.outcome is not Outcome.PASSED:
            blocked = f"{suite} did not pass"
    return tuple(reports)


def _check_report(case: Case, revision: str, suite: str, job: CheckJob | None, blocked: str) -> CheckReport:
    name = f"mayfly/{suite}"
    external_id = f"{case.key}:{suite}:{revision}:{case.wishes.checks_since(suite)}"
    if job is None and blocked:
        title = one_line(f"not run: {blocked}", TITLE_LIMIT)
        return CheckReport(name, revision, CheckStatus.ACTION_REQUIRED, title, inline(title), external_id)
    if job is None:
        return CheckReport(name, revision, CheckStatus.QUEUED, "waiting for the preview", "", external_id)
    if job.run is None:
        return CheckReport(
            name, revision, CheckStatus.IN_PROGRESS, "running", "", external_id, started_at=job.started_at
        )
    return CheckReport(
        name,
        revision,
        STATUS[job.run.outcome],
        title_of(job.run),
        fit(summary_of(job), SUMMARY_LIMIT),
        external_id,
        tuple(annotations_of(job.run)),
        job.started_at,
        job.started_at + job.run.took,
    )


def spec_check(case: Case) -> tuple[CheckReport, ...]:
    """A spec that cannot be used is a failed check on its commit, so that nobody merges past it unseen. None at all
    is no failure: a repository may have no previews."""
    if not isinstance(case.spec, SpecProblem) or case.spec.absent or case.pull is None or not case.pull.is_open:
        return ()
    head = case.pull.head
    summary = fit([block(case.spec.text)], SUMMARY_LIMIT)
    title = f"{FILE} cannot be used"
    return (CheckReport("mayfly/spec", head, CheckStatus.FAILURE, title, summary, f"{case.key}:spec:{head}"),)
