"""Runs git for us: no shell, nobody's configuration or hooks, an end in time, and a bound on what it says.

Standard library only: the hook imports it within every push.
"""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from controller.errors import Unavailable

TIMEOUT = 20.0
"""Seconds one git command may take."""
MAX_OUTPUT = 64 * 2**20
"""Bytes; a repository that says more about its refs is not one that we can serve."""

_OURS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "core.hooksPath",
    "GIT_CONFIG_VALUE_1": os.devnull,
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}
_ALWAYS = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


class GitFailed(Exception):
    """git ended with an error; `code` is its exit code and the text its last words."""

    def __init__(self, code: int | None, words: str) -> None:
        super().__init__(words or f"git ended with code {code}")
        self.code = code


def clean_environment() -> dict[str, str]:
    """Ours without git's variables: a push or a hook around us sets GIT_DIR and more, all of them wrong for us."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _ALWAYS


def ask(repository: Path, *words: str, strict: bool = False) -> bytes:
    """What git says about a bare repository. Raises GitFailed; Unavailable where it took too long or said too much."""
    output = head(repository, *words, limit=MAX_OUTPUT + 1, strict=strict)
    if len(output) > MAX_OUTPUT:
        raise Unavailable(f"git {words[0]} said more than {MAX_OUTPUT:,} bytes about {repository.name}")
    return output


def head(repository: Path, *words: str, limit: int, strict: bool = False) -> bytes:
    """The first `limit` bytes of what git says; the rest is never made. Raises as `ask` does."""
    command = ["git", f"--git-dir={repository}", *words]
    return run(command, clean_environment() | _OURS, limit=limit, strict=strict)


def run(
    command: Sequence[str],
    env: dict[str, str],
    *,
    limit: int = MAX_OUTPUT,
    timeout: float = TIMEOUT,
    strict: bool = False,
) -> bytes:
    """The first `limit` bytes of a command's output. Raises GitFailed or Unavailable.

    `strict`: a command that succeeds and still warns has left something out (a broken ref, say), and has failed too.
    """
    try:
        with tempfile.TemporaryFile() as errors:
            output, code = _finish(command, env, errors, limit, timeout)
            errors.seek(0)
            said = errors.read(4096).decode(errors="replace").strip()
    except OSError as error:
        raise Unavailable(f"git cannot be run: {error.strerror}") from error
    if code or (strict and code == 0 and "warning:" in said):
        raise GitFailed(code, said)
    return output


def _finish(
    command: Sequence[str], env: dict[str, str], errors: IO[bytes], limit: int, timeout: float
) -> tuple[bytes, int | None]:
    """The output and the exit code; no code where the limit cut the output off, and git was stopped on purpose.

    In a process group of its own, so that what git started cannot hold the pipe open after git was killed.
    """
    overdue = threading.Event()
    with subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, process_group=0
    ) as process:
        timer = threading.Timer(timeout, _stop, (process, overdue))
        timer.start()
        try:
            output, code = _read(process, limit)
        finally:
            _stop(process)
            timer.cancel()
    if overdue.is_set():
        raise Unavailable(f"git did not answer within {timeout:g} s")
    return output, code


def _stop(process: subprocess.Popen[bytes], overdue: threading.Event | None = None) -> None:
    if process.poll() is None:  # not waited for yet, so that the number is still its own
        if overdue is not None:
            overdue.set()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _read(process: subprocess.Popen[bytes], limit: int) -> tuple[bytes, int | None]:
    assert process.stdout is not None
    output = process.stdout.read(limit)
    if len(output) == limit and process.stdout.read(1):
        return output, None
    return output, process.wait()
