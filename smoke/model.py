"""The nouns of a check. Nothing here does I/O or reads a clock.

An outcome is one of three. `broken` means that nothing is known about the application, because the check could not be
run; silence (no checks, no cases, everything skipped) is `broken` too, never `passed`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import TypeAdapter


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a check. `message` is one line; `details` are the lines that matter."""

    outcome: Outcome
    took: timedelta
    message: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check with every attempt, oldest first. The last attempt decides.

    `cases` are the tests inside a `command` check, read from its JUnit XML; `file` and `line` say where a case stands,
    relative to the repository. `skipped` is the reason it did not run; it has no attempts then.
    """

    name: str
    kind: str
    attempts: tuple[Attempt, ...] = ()
    cases: tuple["CheckResult", ...] = ()
    skipped: str | None = None
    file: str = ""
    line: int | None = None
    screenshot: str = ""
    """Name of a PNG file beside the result, where the check took one."""

    @property
    def outcome(self) -> Outcome:
        return self.attempts[-1].outcome if self.attempts else Outcome.BROKEN

    @property
    def flaky(self) -> bool:
        """It passed in the end, and not at first (or one of its cases did so)."""
        if any(case.flaky for case in self.cases):
            return True
        return self.outcome is Outcome.PASSED and any(
            attempt.outcome is not Outcome.PASSED for attempt in self.attempts
        )

    @property
    def took(self) -> timedelta:
        return sum((attempt.took for attempt in self.attempts), timedelta())


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One run of a suite (`smoke`, `e2e`) against one revision."""

    suite: str
    revision: str
    started_at: datetime
    took: timedelta
    results: tuple[CheckResult, ...] = ()
    error: str = ""
    """Why nothing could be run at all; empty where the checks ran."""

    @property
    def outcome(self) -> Outcome:
        ran = [result.outcome for result in self.results if result.skipped is None]
        if Outcome.FAILED in ran:
            return Outcome.FAILED
        if self.error or not ran or Outcome.BROKEN in ran:
            return Outcome.BROKEN
        return Outcome.PASSED

    def to_json(self) -> bytes:
        return _SUITE_RUN.dump_json(self, indent=1)

    @staticmethod
    def from_json(data: bytes) -> "SuiteRun":
        """Raises pydantic.ValidationError where the data is not a suite run."""
        return _SUITE_RUN.validate_json(data)


_SUITE_RUN: TypeAdapter[SuiteRun] = TypeAdapter(SuiteRun)
