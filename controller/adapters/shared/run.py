"""Short commands of our own (git, cp): their output, within a time, and nothing left when we stop waiting."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from controller.errors import Unavailable
from smoke.patience import within


class CommandFailed(Exception):
    """It ended with another status than 0; the last line it said is the reason."""

    def __init__(self, argv: tuple[str, ...], said: str) -> None:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        self.reason = lines[-1][:300] if lines else "it said nothing"
        super().__init__(f"{argv[0]}: {self.reason}")


class TooMuch(CommandFailed):
    """It had more to say than we take; it was ended."""


async def run(
    *argv: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    limit: timedelta = timedelta(minutes=2),
    most: int = 256 * 2**20,
) -> bytes:
    """Standard output, of `most` bytes. Raises CommandFailed (TooMuch), or Unavailable where it could not be started or
    took too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=env,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"cannot run {argv[0]}: {error.strerror or error}") from error
    try:
        async with asyncio.timeout(limit.total_seconds()):
            output, errors = await _heard(process, most)
    except TimeoutError:
        raise Unavailable(f"{argv[0]} took longer than {limit}") from None
    finally:
        await _end(process)
    if len(output) > most:
        raise TooMuch(argv, f"it says more than {most:,} bytes")
    if process.returncode:
        raise CommandFailed(argv, errors.decode(errors="replace"))
    return output


async def _heard(process: asyncio.subprocess.Process, most: int) -> tuple[bytes, bytes]:
    """Output and errors; one byte more than `most` where there is more of the output, which then goes on."""
    assert process.stdout is not None, "it is a pipe"
    assert process.stderr is not None, "it is a pipe"
    errors = asyncio.ensure_future(_last(process.stderr))
    try:
        return await process.stdout.readexactly(most + 1), b""
    except asyncio.IncompleteReadError as whole:
        said = await errors
        await process.wait()
        return whole.partial, said
    finally:
        errors.cancel()
        await asyncio.gather(errors, return_exceptions=True)


async def _last(stream: asyncio.StreamReader) -> bytes:
    """Its last words, however many there were."""
    said = b""
    while more := await stream.read(2**16):
        said = (said + more)[-(2**16) :]
    return said


async def _end(process: asyncio.subprocess.Process) -> None:
    """Politely first: git takes its locks away. What it still had to say is let go: a pipe closes once it is read."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        await within(2, process.wait())
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            await within(2, _last(stream))
