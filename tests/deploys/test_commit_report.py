"""What the commits of main are told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.common.words import (
    CheckReport,
    CheckStatus,
    CommitReport,
    CommitState,
    CommitStatus,
    DeploymentReport,
    DeploymentState,
)
from controller.deploys.commit_report import DESCRIPTION_LIMIT, SAID, commit_reports
from controller.deploys.fate import Stage
from controller.deploys.model import RolloutState, Verdict
from tests.deploys.examples import (
    BAD,
    GOOD,
    LINK,
    TARGET,
    WHY,
    a_case,
    a_draft,
    a_job,
    a_release,
    a_rollback,
    restored,
)
from tests.examples import ABC, DEF, NOON

VERIFIED = a_release(7, Verdict.VERIFIED)
URL = "https://shop.example.com"


def told(case, revision=ABC):
    return next(report for report in commit_reports(case, LINK) if report.revision == revision)


def states(case, revision=ABC):
    """In one line: of the status, the check run and the deployment."""
    report = told(case, revision)
    said = (
        report.status and report.status.state,
        report.check and report.check.status,
        report.deployment and report.deployment.state,
    )
    return " | ".join(word.value if word else "-" for word in said)


def test_all_that_the_commit_of_a_verified_release_is_told():
    line = "#7 (abc1234) is verified: its checks passed"
    summary = """\
**production**: #7 (abc1234) is verified: its checks passed

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › home page | ✅ passed | 1 | 23 ms |"""
    report = told(a_case(GOOD, VERIFIED, jobs=(a_job(),)))
    assert report.check is not None
    assert replace(report, check=replace(report.check, summary=report.check.summary.replace("\\#\u200b", "#"))) == (
        CommitReport(
            ABC,
            CommitStatus("mayfly/production", CommitState.SUCCESS, line, LINK),
            CheckReport(
                "mayfly/production",
                ABC,
                CheckStatus.SUCCESS,
                line,
                summary,
                "production:7",
                started_at=NOON,
                completed_at=NOON + timedelta(minutes=1),
            ),
            DeploymentReport(TARGET, ABC, DeploymentState.SUCCESS, URL, line, production=True),
        )
    )


@pytest.mark.parametrize(
    ("case", "revision", "words"),
    [
        pytest.param(a_case(GOOD, a_release(live_at=None), live=6), ABC, "pending | queued | queued", id="it is made"),
        pytest.param(
            a_case(rollout=RolloutState.PROGRESSING), ABC, "pending | in_progress | in_progress", id="it is rolled out"
        ),
        pytest.param(a_case(), ABC, "pending | in_progress | in_progress", id="it is checked"),
        pytest.param(a_case(jobs=(a_job(),)), ABC, "pending | in_progress | in_progress", id="it soaks"),
        pytest.param(
            a_case(jobs=(a_job("broken"), a_job("broken", 2), a_job("broken", 3))),
            ABC,
            "error | action_required | error",
            id="its checks cannot be run",
        ),
        pytest.param(a_case(GOOD, VERIFIED), ABC, "success | success | success", id="verified"),
        pytest.param(a_case(GOOD, VERIFIED), DEF, "- | - | inactive", id="the one before it"),
        pytest.param(
            a_case(a_release(7, Verdict.SUPERSEDED), a_release(8), live=8),
            ABC,
            "success | neutral | inactive",
            id="superseded: it did not fail",
        ),
        pytest.param(
            a_case(GOOD, replace(BAD, live_at=None), live=6), ABC, "failure | failure | failure", id="it cannot be made"
        ),
        pytest.param(a_case(GOOD, BAD), ABC, "failure | failure | failure", id="bad, and still there"),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=a_rollback()), ABC, "failure | failure | failure", id="rolled back"
        ),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=a_rollback()), DEF, "pending | - | in_progress", id="rolled back to"
        ),
        pytest.param(a_case(GOOD, BAD, live=6, rollback=restored()), DEF, "success | success | success", id="restored"),
        pytest.param(
            a_case(GOOD, BAD, live=6, rollback=restored(restored=False)),
            DEF,
            "error | action_required | error",
            id="not restored",
        ),
        pytest.param(
            a_case(BAD, GOOD, live=6, rollback=restored(bad=5)), ABC, "failure | - | failure", id="rolled back long ago"
        ),
        pytest.param(
            a_case(GOOD, live=6, head=a_draft("line 3")),
            a_draft().commit.revision,
            "failure | failure | -",
            id="a head that cannot be a release",
        ),
    ],
)
def test_the_states_of_a_commit(case, revision, words):
    assert states(case, revision) == words


def test_every_stage_has_its_states():
    assert set(SAID) == set(Stage)


def test_a_rejected_one_is_told_why_with_the_lines_that_matter():
    case = a_case(
        GOOD, BAD, live=6, live_since=NOON + timedelta(minutes=1), rollback=restored(), jobs=(a_job("failed"),)
    )
    report = told(case)
    assert report.check is not None
    assert report.status is not None
    assert report.status.description == f"#7 (abc1234) was rolled back to #6 (def5678): {WHY}"
    assert (
        report.check.summary.replace("\\#", "#").replace("\u200b", "")
        == """\
**production**: #7 (abc1234) was rolled back to #6 (def5678): its checks failed 2 times: smoke failed: home page

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › home page | ❌ failed | 1 | 23 ms |

```text
smoke › home page: status 500
KeyError: 'hat'
```"""
    )


def test_only_what_is_live_has_an_address():
    case = a_case(GOOD, VERIFIED)
    assert [report.deployment and report.deployment.url for report in commit_reports(case, LINK)] == ["", URL]


def test_a_run_under_way_is_not_told_and_what_is_not_over_did_not_end():
    report = told(a_case(jobs=(a_job("failed"), a_job(None, 2))))
    assert report.check is not None
    assert report.check.completed_at is None
    assert "running" not in report.check.summary


def test_a_revision_is_told_of_its_latest_release_alone():
    again = a_release(8, revision=ABC)
    reports = commit_reports(a_case(GOOD, BAD, again, live=8), LINK)
    assert [(one.revision, one.check and one.check.external_id) for one in reports] == [
        (DEF, None),
        (ABC, "production:8"),
    ]


def test_a_head_that_became_a_release_is_no_problem_of_its_own():
    head = a_draft("line 3")
    release = a_release(8, revision=head.commit.revision)
    assert len(commit_reports(a_case(GOOD, release, live=8, head=head), LINK)) == 2


def test_a_description_always_fits_and_is_one_line():
    case = a_case(GOOD, replace(BAD, why="first line\nsecond line " + "x" * 500))
    report = told(case)
    assert report.status is not None
    assert len(report.status.description) == DESCRIPTION_LIMIT
    assert "first line second line" in report.status.description
