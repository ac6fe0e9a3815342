"""What the commits of main are told of their deploys: a commit status, a check run, a deployment. Pure.

One name for all of it, `mayfly/production`, so that a branch protection can name it. The steps of a release are not
told one by one: a forge is no log, and counts what is written.
"""

from collections.abc import Iterator

from controller.common.check_tables import TITLE_LIMIT, annotations_of, failures, table
from controller.common.markdown import SUMMARY_LIMIT, block, fit, inline, one_line
from controller.common.nouns import CheckJob, short
from controller.common.words import (
    CheckReport,
    CheckStatus,
    CommitReport,
    CommitState,
    CommitStatus,
    DeploymentReport,
    DeploymentState,
)
from controller.deploys.fate import Fate, Stage, fate, runs_of
from controller.deploys.model import Case, Draft, Release
from controller.deploys.runs import name_of

DESCRIPTION_LIMIT = 140
"""Characters of a status' or deployment's description (GitHub's limit)."""
RUNS = 5
"""The latest are shown."""
SAID = {
    Stage.MAKING: (CommitState.PENDING, CheckStatus.QUEUED, DeploymentState.QUEUED),
    Stage.ROLLOUT: (CommitState.PENDING, CheckStatus.IN_PROGRESS, DeploymentState.IN_PROGRESS),
    Stage.CHECKING: (CommitState.PENDING, CheckStatus.IN_PROGRESS, DeploymentState.IN_PROGRESS),
    Stage.UNKNOWN: (CommitState.ERROR, CheckStatus.ACTION_REQUIRED, DeploymentState.ERROR),
    Stage.SOAKING: (CommitState.PENDING, CheckStatus.IN_PROGRESS, DeploymentState.IN_PROGRESS),
    Stage.VERIFIED: (CommitState.SUCCESS, CheckStatus.SUCCESS, DeploymentState.SUCCESS),
    Stage.RETIRED: (CommitState.SUCCESS, CheckStatus.SUCCESS, DeploymentState.INACTIVE),
    Stage.RESTORING: (CommitState.PENDING, CheckStatus.IN_PROGRESS, DeploymentState.IN_PROGRESS),
    Stage.NOT_RESTORED: (CommitState.ERROR, CheckStatus.ACTION_REQUIRED, DeploymentState.ERROR),
    Stage.SUPERSEDED: (CommitState.SUCCESS, CheckStatus.NEUTRAL, DeploymentState.INACTIVE),
    Stage.NOT_MADE: (CommitState.FAILURE, CheckStatus.FAILURE, DeploymentState.FAILURE),
    Stage.BAD: (CommitState.FAILURE, CheckStatus.FAILURE, DeploymentState.FAILURE),
    Stage.ROLLED_BACK: (CommitState.FAILURE, CheckStatus.FAILURE, DeploymentState.FAILURE),
}
"""One that was superseded has not failed: a newer one took its place, and says how both of them work."""


def commit_reports(case: Case, link: str) -> tuple[CommitReport, ...]:
    """One for each revision, of its latest release, oldest first; and one for a head that cannot be a release. `link`
    is the target's page."""
    latest = {release.revision: release for release in case.seen.record.releases}
    known = tuple(_report(case, release, link) for release in latest.values())
    head = case.head
    if head is None or not head.problem or head.commit.revision in latest:
        return known
    return (*known, _problem(case, head, link))


def _report(case: Case, release: Release, link: str) -> CommitReport:
    became = fate(case, release)
    state, _, deployed = SAID[became.stage]
    line = one_line(f"{name_of(release)} {became.line}", DESCRIPTION_LIMIT)
    status = CommitStatus(_name(case), state, line, link) if became.stage is not Stage.RETIRED else None
    url = case.seen.url if release.number == case.seen.record.live else ""
    deployment = DeploymentReport(case.target, release.revision, deployed, url, line, production=True)
    return CommitReport(release.revision, status, _check(case, release, became), deployment)


def _check(case: Case, release: Release, became: Fate) -> CheckReport | None:
    """None of what is long over: its runs may be forgotten, and what was said of it stays; as it does while a release
    that was good once is rolled back to."""
    record = case.seen.record
    back = record.rollback
    if became.stage in {Stage.RETIRED, Stage.RESTORING}:
        return None
    if became.stage is Stage.ROLLED_BACK and (back is None or back.bad != release.number):
        return None
    status = SAID[became.stage][1]
    jobs = [job for job in runs_of(case, release) if job.run is not None]
    return CheckReport(
        _name(case),
        release.revision,
        status,
        one_line(f"{name_of(release)} {became.line}", TITLE_LIMIT),
        fit(_summary(case, release, became, jobs), SUMMARY_LIMIT),
        f"{case.target}:{release.number}",
        tuple(annotations_of(jobs[-1].run)) if jobs and jobs[-1].run else (),
        release.live_at or release.ordered_at,
        release.decided_at,
    )


def _summary(case: Case, release: Release, became: Fate, jobs: list[CheckJob]) -> Iterator[str]:
    yield f"**{case.target}**: {inline(f'{name_of(release)} {became.line}')}"
    yield from attempts(release, jobs)


def attempts(release: Release, jobs: list[CheckJob]) -> Iterator[str]:
    """The latest runs as a table, and the lines that matter: those that it was rejected for, or the last run's."""
    if shown := table(jobs[-RUNS:]):
        yield shown
    if release.evidence:
        yield block(release.evidence)
    elif jobs and (run := jobs[-1].run):
        yield from failures(run)


def _problem(case: Case, head: Draft, link: str) -> CommitReport:
    revision = head.commit.revision
    line = one_line(f"{short(revision)} cannot be deployed: {head.problem}", DESCRIPTION_LIMIT)
    status = CommitStatus(_name(case), CommitState.FAILURE, line, link)
    check = CheckReport(
        _name(case),
        revision,
        CheckStatus.FAILURE,
        "it cannot be deployed",
        fit([block(head.problem)], SUMMARY_LIMIT),
        f"{case.target}:{revision}",
    )
    return CommitReport(revision, status, check)


def _name(case: Case) -> str:
    return f"mayfly/{case.target}"
