"""Reads JUnit XML, of which everybody writes a dialect of their own.

    who                                       how it says "tried again"
    ----------------------------------------  -------------------------------------------------------------
    pytest-rerunfailures, gotestsum           the same test stands there several times, oldest first
    pytest-rerunfailures (new)                <rerun> inside of the test
    Surefire, Playwright (passed in the end)  <flakyFailure>, <flakyError> inside of the test
    Surefire, Playwright (failed in the end)  <failure>, then <rerunFailure>, <rerunError> for each later try

Nothing that is counted in an attribute is believed: the tests are counted. A document type is refused, and with it
every entity. Suites may nest.
"""

import math
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from smoke.model import Attempt, CheckResult, Outcome
from smoke.target import last_lines, one_line

MAX_BYTES = 20 * 2**20
MAX_DEPTH = 60
MAX_TESTS = 50_000
_BAD = frozenset({"failure", "error"})
_EARLIER = frozenset({"flakyFailure", "flakyError", "rerun"})
_LATER = frozenset({"rerunFailure", "rerunError"})
_PLACE = re.compile(
    r"(?:^|[\s(\"'])((?:[\w.@-]+/|/)*[\w.@-]+\.(?:py|js|jsx|ts|tsx|mjs|cjs|java|kt|go|rb|php)):(\d+)", re.MULTILINE
)


class JunitError(ValueError):
    """The file is not JUnit XML, or not one that is safe to read."""


def read(data: bytes, root: Path | None = None) -> tuple[CheckResult, ...]:
    """Its tests, each once, with every attempt. Files are told relative to `root`. Raises JunitError."""
    tree = _tree(data)
    if tree.tag not in {"testsuites", "testsuite"}:
        raise JunitError(f"it begins with <{tree.tag[:40]}>, not with <testsuites>")
    tests: dict[tuple[str, str, str], list[CheckResult]] = {}
    for suite, case in _cases(tree):
        test = _test(suite, case, root)
        tests.setdefault((test.name, case.get("file", ""), case.get("line", "")), []).append(test)
        if len(tests) > MAX_TESTS:
            raise JunitError(f"it has more than {MAX_TESTS:,} tests")
    return tuple(_merged(same) for same in tests.values())


def _tree(data: bytes) -> Element:
    if len(data) > MAX_BYTES:
        raise JunitError(f"it has more than {MAX_BYTES // 2**20} MiB")
    parser, builder, depth = expat.ParserCreate(), TreeBuilder(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise JunitError("it is nested too deeply")
        builder.start(tag.rpartition(":")[2], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag.rpartition(":")[2])

    def refuse(*_: object) -> None:
        raise JunitError("it declares a document type, which is refused")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, LookupError, ValueError, AssertionError) as error:
        if isinstance(error, JunitError):
            raise
        raise JunitError(f"it is not XML: {error}") from error


def _cases(tree: Element, suite: Element | None = None) -> Iterator[tuple[Element | None, Element]]:
    """Every test with the innermost suite around it. A suite that failed as a whole counts as a test of its own."""
    for child in tree:
        if child.tag == "testcase":
            yield suite if suite is not None else tree, child
        elif child.tag == "testsuite":
            yield from _cases(child, child)
        elif child.tag in _BAD:
            whole = Element("testcase", {"name": tree.get("name", "the whole suite")})
            whole.append(child)
            yield None, whole


def _test(suite: Element | None, case: Element, root: Path | None) -> CheckResult:
    name = one_line(" › ".join(part for part in (_group(suite, case), case.get("name", "")) if part)) or "a test"
    skipped = next((child for child in case if child.tag == "skipped"), None)
    bad = [child for child in case if child.tag in _BAD]
    attempts = tuple(_attempts(case, bad, skipped is not None))
    reason = one_line(_message(skipped)) or "skipped" if skipped is not None and not attempts else None
    file, line = _place(suite, case, bad, root)
    return CheckResult(name, "test", attempts, skipped=reason, file=file, line=line)


def _group(suite: Element | None, case: Element) -> str:
    group = case.get("classname") or (suite.get("name") if suite is not None else "")
    return "" if group is None or group == case.get("name") else group


def _attempts(case: Element, bad: list[Element], skipped: bool) -> Iterator[Attempt]:
    earlier = [child for child in case if child.tag in _EARLIER]
    later = [child for child in case if child.tag in _LATER]
    took = _seconds(case.get("time"))
    for child in earlier:
        yield _bad_attempt(child, _seconds(child.get("time")))
    if bad:
        yield _bad_attempt(bad[0], took, also=bad[1:])
    for child in later:
        yield _bad_attempt(child, _seconds(child.get("time")))
    if not bad and not later and not skipped:
        yield Attempt(Outcome.PASSED, took)


def _bad_attempt(child: Element, took: timedelta, also: list[Element] | None = None) -> Attempt:
    details = "\n\n".join(text for part in [child, *(also or [])] if (text := _text(part)))
    return Attempt(Outcome.FAILED, took, one_line(_message(child)), last_lines(details))


def _text(child: Element) -> str:
    trace = child.find("stackTrace")
    return ((trace.text if trace is not None else child.text) or "").strip("\n")


def _message(child: Element) -> str:
    said = child.get("message") or next((line for line in _text(child).splitlines() if line.strip()), "")
    return said or child.get("type", "")


def _seconds(text: str | None) -> timedelta:
    """`1.5`, and Surefire's `1,234.5`; nothing where it is none."""
    try:
        seconds = float((text or "0").replace(",", ""))
        return timedelta(seconds=seconds) if math.isfinite(seconds) and seconds > 0 else timedelta()
    except (ValueError, OverflowError):
        return timedelta()


def _place(suite: Element | None, case: Element, bad: list[Element], root: Path | None) -> tuple[str, int | None]:
    """Where it stands, or where it failed, which is of more use."""
    file = case.get("file") or (suite.get("file") if suite is not None else "") or ""
    for failure in bad:
        for match in _PLACE.finditer(_text(failure)[:100_000]):
            found = _relative(match[1], root)
            if found and (not file or found == _relative(file, root)):
                return found, int(match[2][:9])
    line = case.get("line", "")
    number = int(line) if re.fullmatch(r"[0-9]{1,9}", line) else None
    if number is not None and suite is not None and suite.get("name") == "pytest":
        number += 1  # pytest counts lines from 0
    return _relative(file, root), number


def _relative(file: str, root: Path | None) -> str:
    """A path inside the repository; empty for any other."""
    path = PurePosixPath(file.replace("\\", "/"))
    if root is not None and path.is_relative_to(root.resolve()):
        path = path.relative_to(root.resolve())
    if not file or path.is_absolute() or ".." in path.parts or len(file) > 500:
        return ""
    return str(path)


def _merged(tests: list[CheckResult]) -> CheckResult:
    """One test from all its mentions: the later ones are further attempts."""
    attempts = tuple(attempt for test in tests for attempt in test.attempts)
    skipped = None if attempts else tests[-1].skipped
    placed = next((test for test in reversed(tests) if test.file), tests[-1])
    return CheckResult(placed.name, placed.kind, attempts, skipped=skipped, file=placed.file, line=placed.line)
