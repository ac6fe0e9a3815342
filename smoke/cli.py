"""`python -m smoke`: runs a check file and says how it went. Started often, so it imports little.

Exit codes: 0 passed, 1 failed, 2 the command or the file is wrong, 3 broken (nothing is known). Where the result is
handed over, whoever takes it reads the outcome there: 0 then, whatever it is.
"""

import asyncio
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from smoke.documents import DocumentError, format_duration, load
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from smoke.runner import OnAttempt, run, selected
from smoke.spec import Check, CheckFile
from smoke.target import Target

EXIT_CODES = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.BROKEN: 3}
USAGE = 2


class UsageError(Exception):
    """What was asked for makes no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """Of one run. `variables` are `{name}` in the checks; `trusted` checks may name hosts and read the environment."""

    url: str
    suite: str = "smoke"
    revision: str = ""
    json_file: Path | None = None
    junit_file: Path | None = None
    output: Path | None = None
    workdir: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    only: Sequence[str] = ()
    trusted: bool = True
    quiet: bool = False
    hand_over: bool = False
    """Print the result, with the screenshots in `output`, as lines for `smoke.handover`; nothing else is printed."""
    collect: Path | None = None
    """Folder that is shared with the containers of checks that name an image. Commands without one need a `workdir`."""
    until: datetime | None = None
    """When the checks have to be done, an aware time: those that are not are broken then."""


def run_file(file: Path, options: Options) -> int:
    """Runs it, shows a table, writes the reports. Returns an exit code; problems are told on standard error."""
    try:
        checks = read_checks(file)
        chosen = _chosen(checks, options)
        outcome = run_checks(chosen, options)
        write_reports(outcome, options)
    except (DocumentError, UsageError) as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    finally:
        if options.collect is not None:
            _dismiss(options.collect)
    return 0 if options.hand_over else EXIT_CODES[outcome.outcome]


def read_checks(file: Path) -> list[Check]:
    """Raises DocumentError or UsageError."""
    try:
        return load(file.read_bytes(), CheckFile, str(file)).checks
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _chosen(checks: list[Check], options: Options) -> list[Check]:
    if not options.only:
        return checks
    try:
        return selected(checks, options.only)
    except KeyError as error:
        known = ", ".join(check.name for check in checks)
        raise UsageError(f"no check is called {error.args[0]!r}; there are: {known}") from error


def run_checks(checks: Sequence[Check], options: Options) -> SuiteRun:
    """Raises UsageError where the URL is none. Ends its children where it is told to stop (SIGTERM, SIGINT)."""
    target = _target(options)
    if problem := target.why_not():
        raise UsageError(problem)
    try:
        return _run(checks, target, options)
    finally:
        if options.output is None:
            with suppress(OSError):  # what is in it is kept
                target.output.rmdir()


def _run(checks: Sequence[Check], target: Target, options: Options) -> SuiteRun:
    if options.quiet or options.hand_over:
        return asyncio.run(_stoppable(checks, target, options, None))
    from smoke.table import Progress, show  # noqa: PLC0415 - rich costs more than many a run

    with Progress(checks) as progress:
        outcome = asyncio.run(_stoppable(checks, target, options, progress.attempted))
    show(outcome)
    return outcome


def _target(options: Options) -> Target:
    output = options.output or Path(tempfile.mkdtemp(prefix="mayfly-smoke-"))
    output.mkdir(parents=True, exist_ok=True)
    known = {"sha": options.revision} if options.revision else {}
    variables = known | dict(options.variables)
    workdir = options.workdir or Path.cwd()
    if options.collect is None:
        return Target(options.url, variables, workdir, output, external=options.trusted)
    from smoke.collect import Beside  # noqa: PLC0415 - only who asks for it pays for it

    checkout = options.workdir is not None
    return Beside(options.url, variables, workdir, output, options.trusted, shared=options.collect, checkout=checkout)


def _dismiss(shared: Path) -> None:
    from smoke.collect import dismiss  # noqa: PLC0415 - likewise

    dismiss(shared)


async def _stoppable(
    checks: Sequence[Check], target: Target, options: Options, on_attempt: OnAttempt | None
) -> SuiteRun:
    started_at = datetime.now(UTC)
    limit = None if options.until is None else max(0.0, (options.until - started_at).total_seconds())
    made: defaultdict[str, list[Attempt]] = defaultdict(list)

    def attempted(check: Check, number: int, attempt: Attempt) -> None:
        made[check.name].append(attempt)
        if on_attempt is not None:
            on_attempt(check, number, attempt)

    task = asyncio.ensure_future(
        run(checks, target, suite=options.suite, revision=options.revision, on_attempt=attempted)
    )
    stopped: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        stopped.append(number)
        task.cancel()

    with suppress(RuntimeError, ValueError):  # not the main thread: whoever runs us there also stops us
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        async with asyncio.timeout(limit):
            return await task
    except TimeoutError:
        results = tuple(_so_far(check, made[check.name]) for check in checks)
        took = datetime.now(UTC) - started_at
        error = f"the checks took longer than {format_duration(took)}"
        return SuiteRun(options.suite, options.revision, started_at, took, results, error)
    except asyncio.CancelledError:
        if not stopped:
            raise
        raise SystemExit(128 + stopped[0]) from None


def _so_far(check: Check, attempts: Sequence[Attempt]) -> CheckResult:
    unfinished = Attempt(Outcome.BROKEN, timedelta(), "it had not ended when the time for all checks was up")
    return CheckResult(check.name, check.kind, tuple(attempts) or (unfinished,))


def write_reports(outcome: SuiteRun, options: Options) -> None:
    """Each file appears whole or not at all; the lines of a hand-over come last. Raises UsageError where one cannot be
    written."""
    if options.json_file is not None:
        _write(options.json_file, outcome.to_json())
    if options.junit_file is not None:
        from smoke.junit_out import write  # noqa: PLC0415 - only who asks for it pays for it

        _write(options.junit_file, write(outcome))
    if options.hand_over:
        _hand_over(outcome, options)


def _hand_over(outcome: SuiteRun, options: Options) -> None:
    from smoke.handover import encode, screenshots  # noqa: PLC0415 - likewise

    artifacts = screenshots(outcome, options.output) if options.output is not None else {}
    try:
        for line in ("", *encode(outcome, artifacts)):  # whatever was written before ends its line
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError as error:
        raise UsageError(f"the result cannot be handed over: {error.strerror}") from error


def _write(path: Path, data: bytes) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(data)
        temporary = Path(file.name)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
