"""A command: anything that exits with 0. It runs without a shell, in a process group of its own that ends with it; one
that names an image runs in a container beside us instead, and is judged alike.

exit code  its JUnit file               outcome
---------  ---------------------------  -------
0          none was promised            passed
0          every case passed            passed
any        a case failed                failed
not 0      none, or every case passed   failed
any        promised, and is not there   broken
any        unreadable, or has no cases  broken
none       it took too long             failed
none       there is no such command     broken
none       there is nowhere to run it   broken
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from smoke.addresses import why
from smoke.collect import Beside, Ended, collected
from smoke.context import Context
from smoke.documents import format_duration
from smoke.handover import regular_file
from smoke.junit import MAX_BYTES, JunitError, read
from smoke.model import CheckResult, Outcome
from smoke.patience import within
from smoke.spec import CommandCheck
from smoke.target import Broken, Finding

MAX_OUTPUT = 64 * 1024
GRACE = 2.0
"""Seconds from SIGTERM to SIGKILL."""
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "SSL_CERT_FILE", "VIRTUAL_ENV")


class Tail:
    """The end of what a process writes, and no more of it than `MAX_OUTPUT`. Reads without being waited for."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._kept = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reading, self._read)

    def _read(self) -> bool:
        try:
            data = os.read(self._reading, 64 * 1024)
        except BlockingIOError:
            return False
        self._kept = (self._kept + data)[-MAX_OUTPUT:]
        if not data:
            self._loop.remove_reader(self._reading)
        return bool(data)

    def close(self) -> str:
        """What was written. A process that got away may still hold the other end: it is not waited for."""
        for _ in range(64):
            if not self._read():
                break
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        return self._kept.decode(errors="replace")


async def check(spec: CommandCheck, context: Context) -> Finding:
    if spec.image is not None:
        return await _concluded(spec, context, await collected(spec, context))
    if isinstance(context.target, Beside) and not context.target.checkout:
        raise Broken("there is no checkout of the repository to run it in: name an `image` for it")
    report = _report_path(spec, context)
    try:
        return await _concluded(spec, context, await _run(spec, context, report))
    finally:
        if spec.junit is None:
            report.unlink(missing_ok=True)


async def _run(spec: CommandCheck, context: Context, report: Path) -> Ended:
    words = [context.fill(word.replace("{junit}", "{{junit}}")) for word in spec.run]
    words = [word.replace("{junit}", str(report)) for word in words]
    environment = _environment(spec, context)
    report.unlink(missing_ok=True)
    tail = Tail()
    code: int | None = None
    try:
        async with _process(words, environment, context.target.workdir, tail.writing) as process:
            with suppress(TimeoutError):
                async with asyncio.timeout(context.time_limit.total_seconds()):
                    code = await process.wait()
    finally:
        output = tail.close()
    return Ended(code, output, report, context.target.workdir)


async def _concluded(spec: CommandCheck, context: Context, ended: Ended) -> Finding:
    """What it means that it ended so. Raises Broken where the tests that it promised cannot be read."""
    if ended.code is None:
        return Finding(Outcome.FAILED, f"it did not end within {format_duration(context.time_limit)}", ended.output)
    cases = await asyncio.to_thread(_cases, ended) if spec.reports else ()
    return _judged(ended.code, cases, ended.output)


def _report_path(spec: CommandCheck, context: Context) -> Path:
    """Where its JUnit file will be. Raises Broken for one outside the working directory."""
    if spec.junit is None:
        return context.target.output.resolve() / context.file_name(".xml")
    root = context.target.workdir.resolve()
    path = root / spec.junit
    if not path.parent.resolve().is_relative_to(root) or path.is_symlink():
        raise Broken(f"{spec.junit} leads out of the repository")
    if path.is_dir():
        raise Broken(f"{spec.junit} is a folder")
    return path


def _environment(spec: CommandCheck, context: Context) -> dict[str, str]:
    """A few harmless words of ours, every variable in capitals, then the check's own."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    variables = {name.upper(): value for name, value in context.variables.items()}
    return variables | kept | {name: context.fill(value) for name, value in spec.env.items()}


@asynccontextmanager
async def _process(
    words: list[str], environment: Mapping[str, str], folder: Path, output: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, with everything in its group gone at the end. Closes `output`."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        place = "" if folder.is_dir() else f" in {folder}"
        raise Broken(f"{words[0]!r} cannot be run{place}: {why(error)}") from error
    finally:
        os.close(output)
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        await within(GRACE, process.wait())
    _signal_group(process.pid, signal.SIGKILL)  # what it left running in its group
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    # A group keeps its id from being used again for as long as anything is left in it; with nothing left there is
    # nobody to signal.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _cases(ended: Ended) -> tuple[CheckResult, ...]:
    if ended.report.is_symlink() or not ended.report.is_file():
        raise Broken("it wrote no JUnit file", ended.output)
    data = regular_file(ended.report, MAX_BYTES)
    if data is None:
        raise Broken("its JUnit file cannot be read", ended.output)
    try:
        cases = read(data, ended.root)
    except JunitError as error:
        raise Broken(f"its JUnit file cannot be read: {error}", ended.output) from error
    if all(case.skipped is not None for case in cases):
        raise Broken("its JUnit file has no test that ran", ended.output)
    return cases


def _judged(code: int, cases: tuple[CheckResult, ...], output: str) -> Finding:
    ran = [case for case in cases if case.skipped is None]
    failed = [case for case in ran if case.outcome is not Outcome.PASSED]
    ended = f"it was ended by signal {-code}" if code < 0 else f"it exited with {code}"
    if failed:
        first = failed[0]
        said = f": {first.attempts[-1].message}" if first.attempts[-1].message else ""
        words = f"{len(failed)} of {len(ran)} tests failed; {first.name}{said}"
        return Finding(Outcome.FAILED, words, output, cases)
    if code:
        return Finding(Outcome.FAILED, f"{ended}{', though every test passed' if ran else ''}", output, cases)
    return Finding(Outcome.PASSED, f"{len(ran)} tests passed" if ran else ended, output, cases)
