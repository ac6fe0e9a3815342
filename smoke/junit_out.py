"""Writes a run as JUnit XML, with attempts as Surefire writes them.

A check that passed in the end has a `<flakyFailure>` for each earlier try; one that failed in the end has its first
failure as `<failure>` and a `<rerunFailure>` for each later one. Broken is an `error`. The tests inside a command stand
in a suite of their own.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from smoke.model import Attempt, CheckResult, Outcome, SuiteRun

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(run: SuiteRun) -> bytes:
    """The run as a document."""
    suites = Element("testsuites")
    _suite(suites, run.suite, run.results, run)
    for result in run.results:
        if result.cases:
            _suite(suites, f"{run.suite} › {result.name}", result.cases, run)
    indent(suites)
    document: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return document


def _suite(parent: Element, name: str, results: Sequence[CheckResult], run: SuiteRun) -> None:
    took = sum((result.took for result in results), timedelta())
    suite = SubElement(parent, "testsuite", name=_clean(name), time=_seconds(took))
    suite.set("timestamp", run.started_at.isoformat(timespec="seconds"))
    for result in results:
        _case(suite, name, result)
    if run.error and results is run.results:
        whole = SubElement(suite, "testcase", classname=_clean(name), name="the whole run", time=_seconds(run.took))
        SubElement(whole, "error", message=_clean(run.error))
    suite.set("tests", str(len(suite)))
    for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(counted, str(len(suite.findall(f"testcase/{tag}"))))


def _case(suite: Element, classname: str, result: CheckResult) -> None:
    last = result.attempts[-1].took if result.attempts else timedelta()
    case = SubElement(suite, "testcase", classname=_clean(classname), name=_clean(result.name), time=_seconds(last))
    if result.file:
        case.set("file", _clean(result.file))
    if result.line is not None:
        case.set("line", str(result.line))
    if not result.attempts:
        SubElement(case, "skipped", message=_clean(result.skipped or "it did not run"))
        return
    *earlier, final = result.attempts
    if final.outcome is Outcome.PASSED:
        for attempt in earlier:
            _problem(case, attempt, "flaky")
        return
    first, *reruns = result.attempts
    _problem(case, first, "")
    for attempt in reruns:
        _problem(case, attempt, "rerun")


def _problem(case: Element, attempt: Attempt, prefix: str) -> None:
    kind = "error" if attempt.outcome is Outcome.BROKEN else "failure"
    problem = SubElement(case, f"{prefix}{kind.capitalize()}" if prefix else kind, message=_clean(attempt.message))
    problem.set("type", attempt.outcome.value)
    if prefix:
        problem.set("time", _seconds(attempt.took))
        SubElement(problem, "stackTrace").text = _clean(attempt.details)
    else:
        problem.text = _clean(attempt.details)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _seconds(took: timedelta) -> str:
    return f"{took.total_seconds():.3f}"
