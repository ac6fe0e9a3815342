"""Small words for the tests of this room."""

from collections.abc import Sequence

from smoke.documents import load
from smoke.model import CheckResult, SuiteRun
from smoke.runner import run
from smoke.spec import Check, CheckFile
from smoke.target import Target


def checks_of(text: str) -> list[Check]:
    return load(text, CheckFile, "checks.yaml").checks


async def run_all(text: str, target: Target) -> SuiteRun:
    return await run(checks_of(text), target, suite="smoke", revision="a" * 40)


async def run_one(text: str, target: Target) -> CheckResult:
    """The result of a check that is written without its list and name: `http: {path: /}`."""
    lines = "\n".join(f"    {line}" for line in text.strip().splitlines())
    result = await run_all(f"checks:\n  - name: it\n{lines}", target)
    assert not result.error
    [only] = result.results
    return only


def outcomes(results: Sequence[CheckResult]) -> dict[str, list[str]]:
    return {result.name: [str(attempt.outcome) for attempt in result.attempts] for result in results}
