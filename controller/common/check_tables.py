"""What checks said, as tables, details and annotations. Pure functions."""

from collections.abc import Iterator
from itertools import islice

from controller.common.markdown import block, code, inline, one_line, passage
from controller.common.nouns import CheckJob
from controller.common.words import Annotation, CheckStatus
from smoke.documents import format_duration
from smoke.model import CheckResult, Outcome, SuiteRun

MAX_ROWS = 100
"""Of the table of checks: a longer one would not fit, and no part of a table is left out."""
MAX_FAILURES = 100
"""Whose lines are shown."""
MAX_ANNOTATIONS = 500
TITLE_LIMIT = 200
"""Characters. A title is shown as it is, not as Markdown."""
ICONS = {Outcome.PASSED: "✅", Outcome.FAILED: "❌", Outcome.BROKEN: "⚠️"}
STATUS = {
    Outcome.PASSED: CheckStatus.SUCCESS,
    Outcome.FAILED: CheckStatus.FAILURE,
    Outcome.BROKEN: CheckStatus.ACTION_REQUIRED,
}


def table(jobs: list[CheckJob], soon: str = "") -> str:
    """A row for each check, and one for a suite that begins `soon`; empty where there is none."""
    rows = list(islice((row for job in jobs for row in _rows(job)), MAX_ROWS + 1))
    rows += [_running(soon)] if soon else []
    if len(rows) > MAX_ROWS:
        rows[MAX_ROWS:] = ["| … and more, which are on the dashboard | | | |"]
    return "\n".join(["| check | result | attempts | time |", "| --- | --- | --- | --- |", *rows]) if rows else ""


def _rows(job: CheckJob) -> Iterator[str]:
    if job.run is None:
        yield _running(job.suite)
        return
    if job.run.error:
        yield f"| {job.suite} | {ICONS[Outcome.BROKEN]} {inline(job.run.error)} | | |"
    for result in job.run.results:
        took = format_duration(result.took) if result.attempts else ""
        count = str(len(result.attempts) or "")
        yield f"| {job.suite} › {inline(result.name, 80)} | {_result(result)} | {count} | {took} |"


def _running(suite: str) -> str:
    return f"| {suite} | ⏳ running | | |"


def _result(result: CheckResult) -> str:
    if result.skipped is not None:
        return f"skipped: {inline(result.skipped, 120)}"
    if not result.flaky:
        return f"{ICONS[result.outcome]} {result.outcome}{_tally(result)}"
    if any(attempt.outcome is not Outcome.PASSED for attempt in result.attempts):
        return f"⚠️ flaky: passed on attempt {len(result.attempts)}{_tally(result)}"
    return f"⚠️ passed with flaky tests{_tally(result)}"


def _tally(result: CheckResult) -> str:
    """How the tests inside a check went: ` (11 of 12 passed)`."""
    ran = [test for test in result.cases if test.skipped is None]
    passed = sum(test.outcome is Outcome.PASSED for test in ran)
    return f" ({passed} of {len(ran)} tests)" if ran else ""


def failures(run: SuiteRun) -> Iterator[str]:
    bad = [pair for result in run.results for pair in _bad(result)]
    for name, one in bad[:MAX_FAILURES]:
        last = one.attempts[-1] if one.attempts else None
        message = f": {inline(last.message)}" if last and last.message else ""
        place = f" ({code(f'{one.file}:{one.line or 1}')})" if one.file else ""
        yield f"**{inline(run.suite)} › {inline(name, 160)}** {one.outcome}{message}{place}"
        if last and last.details:
            yield block(last.details)
    if len(bad) > MAX_FAILURES:
        yield f"_({len(bad) - MAX_FAILURES:,} more did not pass: they are on the dashboard)_"


def _bad(result: CheckResult) -> Iterator[tuple[str, CheckResult]]:
    """What to show of a check that did not pass: the tests inside it that failed, or itself where none did."""
    if result.skipped is not None or result.outcome is Outcome.PASSED:
        return
    tests = [test for test in result.cases if test.skipped is None and test.outcome is not Outcome.PASSED]
    if tests:
        yield from ((f"{result.name} › {test.name}", test) for test in tests)
    else:
        yield result.name, result


def title_of(run: SuiteRun) -> str:
    if run.outcome is not Outcome.PASSED:
        return one_line(why_not(run), TITLE_LIMIT)
    flaky = sum(result.flaky for result in run.results)
    return f"passed in {format_duration(run.took)}" + (f", {flaky} flaky" if flaky else "")


def summary_of(job: CheckJob) -> Iterator[str]:
    yield table([job])
    if job.run:
        yield from failures(job.run)


def annotations_of(run: SuiteRun) -> Iterator[Annotation]:
    """Beside the lines they are about, the first 500. No Markdown is read there."""
    bad = (pair for result in run.results for pair in _bad(result))
    for name, one in islice(bad, MAX_ANNOTATIONS):
        if one.file and one.attempts:
            last = one.attempts[-1]
            message = passage(last.message or last.details, 2000)
            yield Annotation(one_line(one.file, 1000), one.line or 1, one_line(name, TITLE_LIMIT), message)


def why_not(run: SuiteRun) -> str:
    failed = [result.name for result in run.results if result.skipped is None and result.outcome is Outcome.FAILED]
    broken = [result.name for result in run.results if result.skipped is None and result.outcome is Outcome.BROKEN]
    if failed:
        return f"{run.suite} failed: {_names(failed)}"
    if broken:
        return f"{run.suite} could not be run: {_names(broken)}"
    return f"{run.suite} could not be run: {run.error or 'no check ran'}"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more
