"""`python -m smoke`: runs a check file and says how it went. Started often, so it imports little.

Exit codes: 0 passed, 1 failed, 2 the command or the file is wrong, 3 broken (nothing is known).
"""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from smoke.documents import DocumentError, load
from smoke.model import Outcome, SuiteRun
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
    return EXIT_CODES[outcome.outcome]


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
    if options.quiet:
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
    return Target(
        options.url,
        known | dict(options.variables),
        options.workdir or Path.cwd(),
        output,
        external=options.trusted,
    )


async def _stoppable(
    checks: Sequence[Check], target: Target, options: Options, on_attempt: OnAttempt | None
) -> SuiteRun:
    task = asyncio.ensure_future(
        run(checks, target, suite=options.suite, revision=options.revision, on_attempt=on_attempt)
    )
    stopped: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        stopped.append(number)
        task.cancel()

    with suppress(RuntimeError, ValueError):  # not the main thread: whoever runs us there also stops us
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        raise SystemExit(128 + stopped[0]) from None


def write_reports(outcome: SuiteRun, options: Options) -> None:
    """Each file appears whole or not at all. Raises UsageError where one cannot be written."""
    if options.json_file is not None:
        _write(options.json_file, outcome.to_json())
    if options.junit_file is not None:
        from smoke.junit_out import write  # noqa: PLC0415 - only who asks for it pays for it

        _write(options.junit_file, write(outcome))


def _write(path: Path, data: bytes) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(data)
        temporary = Path(file.name)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
