"""What people read, compared whole."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.common.markdown import COMMENT_LIMIT, SUMMARY_LIMIT
from controller.common.nouns import Phase, Service, ServiceState, Step, StepState
from controller.common.spec import SpecProblem
from controller.common.words import Annotation, CheckStatus, DeploymentState, Words
from controller.previews.model import Database, Ending, Forks, Rules, Wishes
from controller.previews.plan import decide
from controller.previews.report import comment, deployment, state, words
from smoke.model import Attempt, CheckResult, Outcome
from tests.examples import ABC, CHECKED, DEF, KEY, NOON, a_case, a_job, a_preview, a_pull, a_result, a_run, an_attempt

RULES = Rules()
DASHBOARD = "http://localhost:8080"
SEEDED = Database(
    seed="5eed000aaaa",
    size=12_000_000,
    cloned_in=timedelta(milliseconds=80),
    seeded_in=timedelta(seconds=2.1),
    migrated_in=timedelta(milliseconds=200),
)


def said(case, hold=""):
    return comment(case, hold, RULES, DASHBOARD)


def test_a_preview_that_is_ready_and_checked():
    case = a_case(preview=a_preview(jobs=CHECKED, database=SEEDED))
    assert (
        said(case)
        == """\
<!-- mayfly shop#7 -->
### ✅ Preview ready · all 2 checks passed

**http://pr-7-shop.localhost:8080** · at `abc1234` · [details](http://localhost:8080/previews/shop/7)

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › smoke check | ✅ passed | 1 | 23 ms |
| e2e › e2e check | ✅ passed | 1 | 23 ms |

**Database:** PostgreSQL (12 MB), cloned in 80 ms from the seed `5eed000` (made in 2.1 s), migrated in 200 ms.

**Expires** on 5 March 2026, unless somebody pushes, commands or visits before. \
`/preview pin` or `/preview extend 2d` keeps it. `/preview help` lists all commands."""
    )


def test_checks_that_failed_come_with_the_lines_that_matter():
    failing = CheckResult(
        "home page",
        "http",
        (Attempt(Outcome.FAILED, timedelta(seconds=2), "status 500, expected below 400", "Traceback:\n  KeyError"),),
    )
    case = a_case(preview=a_preview(jobs=(a_job(run=a_run("smoke", a_result("login"), failing)),)))
    assert (
        said(case)
        == """\
<!-- mayfly shop#7 -->
### ❌ Preview ready · smoke failed: home page

**http://pr-7-shop.localhost:8080** · at `abc1234` · [details](http://localhost:8080/previews/shop/7)

| check | result | attempts | time |
| --- | --- | --- | --- |
| smoke › login | ✅ passed | 1 | 23 ms |
| smoke › home page | ❌ failed | 1 | 2 s |

**smoke › home page** failed: status 500, expected below 400

```text
Traceback:
  KeyError
```

**Expires** on 5 March 2026, unless somebody pushes, commands or visits before. \
`/preview pin` or `/preview extend 2d` keeps it. `/preview help` lists all commands."""
    )


def test_a_deploy_that_failed_says_what_and_how_to_go_on():
    failed = a_preview(
        phase=Phase.FAILED,
        reason='migrate: column "colour" of relation "products" contains null values',
        logs="ALTER TABLE products ADD COLUMN colour text NOT NULL\nERROR: contains null values",
    )
    assert (
        said(a_case(preview=failed))
        == """\
<!-- mayfly shop#7 -->
### ❌ Preview failed · migrate: column "colour" of relation "products" contains null values

**http://pr-7-shop.localhost:8080** · at `abc1234` · [details](http://localhost:8080/previews/shop/7)

**What failed:** migrate: column "colour" of relation "products" contains null values

```text
ALTER TABLE products ADD COLUMN colour text NOT NULL
ERROR: contains null values
```

Push a fix, or try this revision again with `/preview redeploy`.

**Expires** on 5 March 2026, unless somebody pushes, commands or visits before. \
`/preview pin` or `/preview extend 2d` keeps it. `/preview help` lists all commands."""
    )


def test_a_removed_preview_says_why_and_how_to_get_it_back():
    ending = Ending(KEY, "nobody pushed, commanded or visited for 3 days", NOON)
    assert (
        said(a_case(ending=ending), hold=ending.because)
        == """\
<!-- mayfly shop#7 -->
### 💤 Preview removed: nobody pushed, commanded or visited for 3 days

`/preview up` or a push brings it back, with a fresh database."""
    )


def test_a_merged_pull_request_says_that_everything_is_gone():
    case = a_case(a_pull(is_open=False, merged=True), ending=Ending(KEY, "the pull request was merged", NOON))
    assert (
        said(case)
        == """\
<!-- mayfly shop#7 -->
### 💤 Preview removed: the pull request was merged

Everything it had is gone."""
    )


def test_a_wrong_spec_is_shown_and_what_runs_is_left_as_it_is():
    problem = SpecProblem(".preview.yaml at abc1234: line 3, column 5: `prot`: unknown key. Did you mean `port`?")
    case = a_case(preview=a_preview(revision=DEF), spec=problem)
    assert (
        said(case)
        == """\
<!-- mayfly shop#7 -->
### ✅ Preview ready · it has no checks

**http://pr-7-shop.localhost:8080** · at `def5678` (the head is `abc1234`) · \
[details](http://localhost:8080/previews/shop/7)

`.preview.yaml` at the head cannot be used. What runs is left as it is.

```text
.preview.yaml at abc1234: line 3, column 5: `prot`: unknown key. Did you mean `port`?
```

**Expires** on 5 March 2026, unless somebody pushes, commands or visits before. \
`/preview pin` or `/preview extend 2d` keeps it. `/preview help` lists all commands."""
    )


def test_a_wrong_spec_is_a_failed_check_of_its_commit():
    said_words = words(a_case(spec=SpecProblem("line 3")), "line 3", RULES, DASHBOARD)
    [check] = said_words.checks
    assert (check.name, check.revision, check.status) == ("mayfly/spec", ABC, CheckStatus.FAILURE)
    assert check.summary == "```text\nline 3\n```"


@pytest.mark.parametrize(
    ("case", "hold", "line"),
    [
        pytest.param(a_case(), "all 30 places are taken", "waiting | no preview: all 30 places are taken", id="full"),
        pytest.param(a_case(), "", "waiting | no preview yet", id="about to be made"),
        pytest.param(a_case(spec=SpecProblem("x")), "x", "waiting | .preview.yaml cannot be used", id="wrong spec"),
        pytest.param(a_case(a_pull(is_open=False)), "", "removed | removed: the pull request was closed", id="closed"),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.STARTING, steps=(Step("seed", StepState.RUNNING, NOON),))),
            "",
            "starting | starting · seed",
            id="starting names its step",
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.STARTING)), "", "starting | starting · preparing", id="just begun"
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.STARTING, reason="PostgreSQL is not running")),
            "",
            "starting | starting · PostgreSQL is not running",
            id="what it waits for",
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.TERMINATING)),
            "",
            "terminating | being removed: it is being removed",
            id="going",
        ),
        pytest.param(
            a_case(preview=a_preview(phase=Phase.SLEEPING, jobs=CHECKED)),
            "",
            "sleeping | asleep, a visit wakes it · all 2 checks passed",
            id="asleep",
        ),
        pytest.param(a_case(preview=a_preview()), "", "ready | ready · smoke checks are running", id="not yet checked"),
        pytest.param(
            a_case(preview=a_preview(jobs=(a_job(run=None),))),
            "",
            "ready | ready · smoke checks are running",
            id="checking",
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=(a_job(), a_job("e2e", "failed")))),
            "",
            "ready | ready · e2e failed: e2e check",
            id="e2e failed",
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=(a_job(run=a_run("smoke", error="no Chromium")),))),
            "",
            "ready | ready · smoke could not be run: no Chromium",
            id="an error beside checks",
        ),
        pytest.param(
            a_case(preview=a_preview(jobs=(a_job(run=replace(a_run(), results=(), error="it was killed")),))),
            "",
            "ready | ready · smoke could not be run: it was killed",
            id="silence is not success",
        ),
    ],
)
def test_the_state_in_one_line(case, hold, line):
    stands = state(case, hold)
    assert f"{stands.word} | {stands.line}" == line


def test_passed_on_the_second_attempt_is_never_plain_passed():
    flaky = a_result("home page", Outcome.FAILED, Outcome.PASSED)
    case = a_case(preview=a_preview(jobs=(a_job(run=a_run("smoke", flaky)), a_job("e2e"))))
    assert "| smoke › home page | ⚠️ flaky: passed on attempt 2 | 2 | 46 ms |" in said(case)
    assert said(case).splitlines()[1] == "### ⚠️ Preview ready · all 2 checks passed, 1 not on the first attempt"


def test_the_tests_inside_a_suite_are_counted_and_the_failed_ones_shown():
    inner = (
        a_result("test_browse"),
        replace(a_result("test_pay", Outcome.FAILED), file="e2e/test_pay.py", line=12),
        CheckResult("test_refund", "junit", skipped="no refunds yet"),
    )
    suite = a_result("pytest", Outcome.FAILED, cases=inner)
    text = said(a_case(preview=a_preview(jobs=(a_job(run=a_run("e2e", suite), suite="e2e"), a_job()))))
    assert "| e2e › pytest | ❌ failed (1 of 2 tests) | 1 | 23 ms |" in text
    assert "**e2e › pytest › test\\_pay** failed (`e2e/test_pay.py:12`)" in text
    assert "test\\_browse" not in text


def test_check_runs_are_of_the_revision_that_runs_and_block_what_depends_on_them():
    inner = replace(
        a_result("test_pay", Outcome.FAILED),
        file="e2e/test_pay.py",
        line=12,
        attempts=(an_attempt(Outcome.FAILED, message="402"),),
    )
    smoke = a_run("smoke", a_result("pytest", Outcome.FAILED, cases=(inner,)))
    first, second = words(a_case(preview=a_preview(jobs=(a_job(run=smoke),))), "", RULES, DASHBOARD).checks
    assert (first.name, first.revision, first.status) == ("mayfly/smoke", ABC, CheckStatus.FAILURE)
    assert first.title == "smoke failed: pytest"
    assert first.annotations == (Annotation("e2e/test_pay.py", 12, "pytest › test_pay", "402"),)
    assert (second.status, second.title) == (CheckStatus.ACTION_REQUIRED, "not run: smoke did not pass")


@pytest.mark.parametrize(
    ("preview", "statuses"),
    [
        pytest.param(a_preview(), ["queued", "queued"], id="ready, not yet checked"),
        pytest.param(a_preview(jobs=(a_job(run=None),)), ["in_progress", "queued"], id="smoke runs"),
        pytest.param(a_preview(jobs=CHECKED), ["success", "success"], id="all passed"),
        pytest.param(
            a_preview(jobs=(a_job(run="broken"),)), ["action_required", "action_required"], id="broken blocks a merge"
        ),
        pytest.param(
            a_preview(phase=Phase.FAILED, reason="migrate: no"),
            ["action_required", "action_required"],
            id="not started",
        ),
        pytest.param(a_preview(revision=DEF, jobs=CHECKED), [], id="never of another revision"),
        pytest.param(a_preview(phase=Phase.TERMINATING), [], id="nothing while it goes"),
    ],
)
def test_the_status_of_each_suite(preview, statuses):
    assert [check.status for check in words(a_case(preview=preview), "", RULES, DASHBOARD).checks] == statuses


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(a_case(), None, id="none yet"),
        pytest.param(a_case(preview=a_preview(phase=Phase.STARTING)), DeploymentState.IN_PROGRESS, id="starting"),
        pytest.param(a_case(preview=a_preview()), DeploymentState.SUCCESS, id="ready"),
        pytest.param(a_case(preview=a_preview(phase=Phase.SLEEPING)), DeploymentState.SUCCESS, id="asleep"),
        pytest.param(a_case(preview=a_preview(phase=Phase.FAILED)), DeploymentState.FAILURE, id="failed"),
        pytest.param(a_case(ending=Ending(KEY, "x" * 500, NOON)), DeploymentState.INACTIVE, id="gone"),
    ],
)
def test_the_deployment(case, expected):
    report = deployment(case)
    assert (report.state if report else None) == expected
    assert report is None or len(report.description) <= 140


def test_nothing_is_said_where_the_forge_knows_nothing_or_there_never_was_a_preview():
    assert words(a_case(None, a_preview()), "", RULES, DASHBOARD) == Words()
    assert words(a_case(a_pull(is_open=False)), "", RULES, DASHBOARD) == Words()


def test_a_pin_is_named_with_who():
    text = said(a_case(preview=a_preview(jobs=CHECKED), wishes=Wishes(pinned_by="@ada")))
    assert "**Pinned** by @\u200bada: idleness does not remove it, its age does on 16 March 2026." in text


def test_other_services_are_told():
    services = (
        Service("web", ServiceState.HEALTHY, "pr-7-shop"),
        Service("api", ServiceState.HEALTHY, "pr-7-shop--api"),
    )
    assert " · api: pr-7-shop--api" in said(a_case(preview=a_preview(services=services)))


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (replace(SEEDED, seeded_in=None, migrated_in=None), "cloned in 80 ms from the seed `5eed000` (used again)."),
        (replace(SEEDED, seed=""), "**Database:** PostgreSQL, empty, made in 80 ms, migrated in 200 ms."),
        (replace(SEEDED, size=2_500_000_000), "PostgreSQL (2.5 GB)"),
    ],
)
def test_how_the_database_was_made(database, expected):
    assert expected in said(a_case(preview=a_preview(database=database)))


def test_everything_hostile_stays_text_and_everything_oversized_fits():
    evil = "| <script>alert(1)</script> @everyone http://evil.example #1 ``` " * 50
    results = [
        replace(
            a_result(f"{n} {evil}", Outcome.FAILED),
            attempts=(an_attempt(Outcome.FAILED, message=evil, details=evil * 9),),
        )
        for n in range(200)
    ]
    case = a_case(preview=a_preview(jobs=(a_job(run=a_run("smoke", *results)),), reason=evil, logs=evil))
    report = words(case, "", RULES, DASHBOARD)
    assert len(report.comment) <= COMMENT_LIMIT
    assert len(report.checks[0].summary) <= SUMMARY_LIMIT
    outside = "".join(part for index, part in enumerate(report.comment.split("````")) if index % 2 == 0)
    assert "<script" not in outside.replace("\\<script", "")
    assert "@everyone" not in outside
    assert report.comment.startswith("<!-- mayfly shop#7 -->\n### ❌ Preview ready · smoke failed: 0 ")
    assert "rest is on the dashboard" in report.comment


FORK = a_pull(from_fork=True)
ASKING = Rules(forks=Forks.APPROVE)


def test_a_fork_is_told_who_has_to_say_what():
    case = a_case(FORK)
    hold = decide(case, ASKING, NOON).because
    assert (
        comment(case, hold, ASKING, DASHBOARD)
        == f"""\
<!-- mayfly shop#7 -->
### ⏳ Preview no preview: it comes from a fork, and abc1234 is not approved

`abc1234` comes from a fork. Nothing of it runs yet: somebody with write permission has to look at the change, \
and then say (it counts for this revision only):

```text
/preview approve {ABC}
```"""
    )


def test_a_push_to_a_fork_asks_again_while_the_approved_revision_runs():
    case = a_case(FORK, a_preview(revision=DEF), wishes=Wishes(approved=frozenset({DEF})))
    said = comment(case, "", ASKING, DASHBOARD)
    assert "at `def5678` (the head is `abc1234`)" in said
    assert "`abc1234` comes from a fork. What runs is left as it is: somebody" in said
    assert f"\n/preview approve {ABC}\n" in said


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(a_case(FORK, wishes=Wishes(approved=frozenset({ABC}))), id="approved"),
        pytest.param(a_case(replace(FORK, is_open=False), ending=Ending(KEY, "closed", NOON)), id="closed"),
        pytest.param(a_case(), id="not a fork"),
    ],
)
def test_nobody_is_asked_to_approve_what_needs_no_approval(case):
    assert "approve" not in comment(case, "", ASKING, DASHBOARD)


def test_while_it_starts_the_comment_stays_as_it_is():
    begun = a_preview(phase=Phase.STARTING)
    later = replace(begun, steps=(Step("migrate", StepState.RUNNING, NOON),), database=SEEDED)
    assert said(a_case(preview=begun)) == said(a_case(preview=later))
    assert deployment(a_case(preview=begun)) == deployment(a_case(preview=later))
    assert state(a_case(preview=begun)).line != state(a_case(preview=later)).line  # the dashboard tells each


def test_between_one_suite_and_the_next_the_comment_stays_as_it_is():
    between = a_case(preview=a_preview(jobs=(a_job("smoke"),)))
    running = a_case(preview=a_preview(jobs=(a_job("smoke"), a_job("e2e", run=None))))
    assert said(between) == said(running)
    assert "| e2e | ⏳ running | | |" in said(running)
