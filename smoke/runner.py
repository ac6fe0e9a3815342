"""Runs checks: in parallel, in order where asked, each with its retries. One run makes one `SuiteRun`.

what happened                                    what is said
-----------------------------------------------  ----------------------------------------
a check it runs `after` did not pass             skipped, with that reason
the application's answer is wrong, or late       failed
the check cannot be run (no Chromium, no value)  broken
another attempt is left                          tried again; every attempt is kept
"""

import asyncio
import importlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from smoke.context import Context
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from smoke.spec import Check, why_not
from smoke.target import Broken, Failed, Finding, Target, last_lines, one_line
from smoke.tools import Tools

OnAttempt = Callable[[Check, int, Attempt], None]
"""Called after each attempt, which counts from 1."""
_PAUSE = 0.25
"""Seconds before the second attempt; twice as long before each further one."""
MAX_CASES = 5000
"""Most tests kept of one command."""
CASE_DETAILS = 4096
"""Most characters of details kept of each."""


async def run(
    checks: Sequence[Check],
    target: Target,
    *,
    suite: str = "smoke",
    revision: str = "",
    on_attempt: OnAttempt | None = None,
    tools: Tools | None = None,
) -> SuiteRun:
    """Every check, once or as often as it may be tried. Results come in the order of the checks. Raises nothing.

    `tools` are those of many runs; whoever opened them closes them.
    """
    started_at, began = datetime.now(UTC), time.perf_counter()
    error = target.why_not() or why_not(checks)
    results: tuple[CheckResult, ...] = ()
    if not error and tools is not None:
        results = await _all(checks, tools, target, on_attempt)
    elif not error:
        async with Tools(target, [check.name for check in checks]) as own:
            results = await _all(checks, own, target, on_attempt)
    return SuiteRun(suite, revision, started_at, _since(began), results, error)


def selected(checks: Sequence[Check], names: Sequence[str]) -> list[Check]:
    """The checks of these names, and those they run after. Raises KeyError for a name that is none."""
    by_name = {check.name: check for check in checks}
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += by_name[name].after
    return [check for check in checks if check.name in wanted]


async def _all(
    checks: Sequence[Check], tools: Tools, target: Target, on_attempt: OnAttempt | None
) -> tuple[CheckResult, ...]:
    tasks: dict[str, asyncio.Task[CheckResult]] = {}

    async def one(check: Check) -> CheckResult:
        for name in check.after:
            if (await tasks[name]).outcome is not Outcome.PASSED:
                return CheckResult(check.name, check.kind, skipped=f"`{name}` did not pass")
        async with _place(check, tools):
            return await _tried(check, tools, target, on_attempt)

    async with asyncio.TaskGroup() as group:
        for check in checks:
            tasks[check.name] = group.create_task(one(check))
    return tuple(tasks[check.name].result() for check in checks)


def _place(check: Check, tools: Tools) -> AbstractAsyncContextManager[None]:
    return tools.heavy if check.kind in {"command", "browser"} else tools.network


async def _tried(check: Check, tools: Tools, target: Target, on_attempt: OnAttempt | None) -> CheckResult:
    attempts: list[Attempt] = []
    while True:
        number = len(attempts) + 1
        context = Context(target, tools, check.name, check.time_limit, number)
        began = time.perf_counter()
        finding = await _found(check, context)
        secrets = context.secrets
        message, details = one_line(finding.message, secrets), last_lines(finding.details, secrets)
        attempts.append(Attempt(finding.outcome, _since(began), message, details))
        if on_attempt is not None:
            on_attempt(check, number, attempts[-1])
        if finding.outcome is Outcome.PASSED or number > check.retries:
            break
        await asyncio.sleep(_PAUSE * 2 ** (number - 1))
    return CheckResult(
        check.name,
        check.kind,
        tuple(attempts),
        cases=tuple(_clean(case, secrets) for case in _most_telling(finding.cases)),
        screenshot=finding.screenshot,
    )


def _most_telling(cases: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """All of them; of very many, those that did not pass first."""
    if len(cases) <= MAX_CASES:
        return cases
    return tuple(sorted(cases, key=lambda case: case.outcome is Outcome.PASSED or case.skipped is not None))[:MAX_CASES]


def _clean(case: CheckResult, secrets: set[str]) -> CheckResult:
    attempts = tuple(
        replace(
            attempt,
            message=one_line(attempt.message, secrets),
            details=last_lines(attempt.details, secrets, CASE_DETAILS),
        )
        for attempt in case.attempts
    )
    skipped = None if case.skipped is None else one_line(case.skipped, secrets)
    return replace(case, name=one_line(case.name, secrets), attempts=attempts, skipped=skipped)


async def _found(check: Check, context: Context) -> Finding:
    try:
        kind = importlib.import_module(f"smoke.kinds.{check.kind}")
        return cast("Finding", await kind.check(getattr(check, check.kind), context))
    except Failed as problem:
        return Finding(Outcome.FAILED, problem.message, problem.details)
    except Broken as problem:
        return Finding(Outcome.BROKEN, problem.message, problem.details)
    except Exception as bug:  # noqa: BLE001 - one check that trips over us must not silence all the others
        return Finding(Outcome.BROKEN, f"the check itself went wrong: {type(bug).__name__}: {bug}")


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.perf_counter() - began)
