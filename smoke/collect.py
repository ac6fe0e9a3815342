"""Commands that run in containers of their own, in the same pod: their images know nothing of us.

Each such container runs `WRAPPER`; a folder that all containers of the pod share is all that is between us. A check is
named by its number in the file, from 1; each side writes files of its own, as they are different users.

    over                  ours: the containers end
    <number>.turn         ours: the attempt to make, from 1; anything else ends one that goes on
    <number>/<try>.began  the command was started
    <number>/<try>.output its output
    <number>/<try>.xml    the JUnit file that it left
    <number>/<try>.status its exit status (128 and more: ended by that signal); once it is there, all the others are
    <number>/folder       where it ran
"""

import asyncio
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from smoke.addresses import why
from smoke.context import Context
from smoke.documents import format_duration
from smoke.handover import regular_file
from smoke.spec import CommandCheck
from smoke.target import Broken, Target

WRAPPER = r"""
run=$1 number=$2 report=$3 try=0
shift 3
mine=$run/$number
umask 022
pause() { sleep 0.2 2>/dev/null || sleep 1; }
turn() {
  now=
  if [ -e "$run/over" ]; then now=over; elif [ -r "$run/$number.turn" ]; then read -r now <"$run/$number.turn"; fi
}
sweep() { if [ "$PPID" -eq 0 ]; then kill -KILL -1; else kill -KILL $pid $watch; fi 2>/dev/null; }
trap 'sweep; exit 0' TERM
mkdir -p "$mine" && pwd >"$mine/folder"
while turn; [ "$now" != over ]; do
  [ "$now" -gt $try ] 2>/dev/null || { pause; continue; }
  try=$now watch=
  [ -z "$report" ] || rm -f "$report"
  "$@" >"$mine/$try.output" 2>&1 </dev/null &
  pid=$!
  : >"$mine/$try.began"
  (while turn; [ "$now" = $try ]; do pause; done; sweep) &
  watch=$!
  wait $pid
  code=$?
  [ ! -f "$report" ] || cat "$report" >"$mine/$try.xml"
  echo $code >"$mine/$try.new" && mv "$mine/$try.new" "$mine/$try.status"
  sweep
done
exit 0
"""
"""For `sh -c WRAPPER sh FOLDER NUMBER REPORT COMMAND...`: makes every attempt that it is told to, and exits with 0.

REPORT is where the command leaves its JUnit file, a path that begins with `/` or `./`, or empty. As the first process
of a container it ends everything that an attempt left running.
"""
_PAUSE = 0.1
_MAX_OUTPUT = 64 * 1024
_NOT_RUN = frozenset({126, 127})
"""What a POSIX shell exits with where a command cannot be run, or is not found (XCU 2.8.2)."""


@dataclass(frozen=True, slots=True)
class Beside(Target):
    """A target whose checks that name an image run in containers beside us.

    `shared` is the folder between us. Without a `checkout` there is no repository to run any other command in.
    """

    shared: Path = Path("/mayfly/run")
    checkout: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, wherever it ran. `code` is None where it took too long, negative for a signal.

    `report` is where its JUnit file would be; files in that are relative to `root`.
    """

    code: int | None
    output: str
    report: Path
    root: Path


def report_path(spec: CommandCheck, shared: str, number: int) -> str:
    """What `{junit}` stands for in a container beside us, and the wrapper's REPORT."""
    if spec.junit is not None:
        return f"./{spec.junit}"
    return f"{shared}/{number}/junit.xml" if spec.reports else ""


async def collected(spec: CommandCheck, context: Context) -> Ended:
    """Has the container beside us make this attempt. Raises Broken where there is none, or it does not start."""
    target = context.target
    if not isinstance(target, Beside):
        raise Broken(f"it runs in a container of `{spec.image}`, and there are no containers here")
    _refuse_secrets(spec, context)
    number, attempt = context.tools.number_of(context.name), str(context.attempt)
    folder = target.shared / str(number)
    _tell(target.shared, number, attempt)
    if not await _there(folder / f"{attempt}.began", context.time_limit):
        raise Broken(f"its container did not start within {format_duration(context.time_limit)}")
    if await _there(folder / f"{attempt}.status", context.time_limit):
        return _ended(spec, folder, attempt)
    _tell(target.shared, number, "none")
    return Ended(None, _text(folder / f"{attempt}.output"), folder / f"{attempt}.xml", folder)


def dismiss(shared: Path) -> None:
    """Nothing more is asked of the containers beside us: they end, and with them the pod."""
    with suppress(OSError):
        (shared / "over").touch()


def _refuse_secrets(spec: CommandCheck, context: Context) -> None:
    """Raises Broken where a secret would stand in a manifest, and Missing for text that uses what has no value."""
    filled = [context.fill(word.replace("{junit}", "{{junit}}")) for word in spec.run]
    filled += [context.fill(text) for text in spec.env.values() if not re.fullmatch(r"\{[a-z_][a-z0-9_]*\}", text)]
    if any(secret in text for text in filled for secret in context.secrets):
        raise Broken("a secret cannot be written into the command of a container; read it from the environment there")


def _tell(shared: Path, number: int, turn: str) -> None:
    try:
        with tempfile.NamedTemporaryFile("w", dir=shared, prefix=".turn-", delete=False) as file:
            file.write(f"{turn}\n")
        temporary = Path(file.name)
        temporary.chmod(0o644)
        temporary.replace(shared / f"{number}.turn")
    except OSError as error:
        raise Broken(f"its container cannot be told to begin: {why(error)}") from error


async def _there(path: Path, limit: timedelta) -> bool:
    """Whether the file appears in time."""
    until = time.monotonic() + limit.total_seconds()
    while not path.exists():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(_PAUSE)
    return True


def _ended(spec: CommandCheck, folder: Path, attempt: str) -> Ended:
    status, output = _text(folder / f"{attempt}.status").strip(), _text(folder / f"{attempt}.output")
    if not re.fullmatch(r"\d{1,3}", status):
        raise Broken("its container left no exit status", output)
    code = int(status)
    if code in _NOT_RUN:
        raise Broken(f"{spec.run[0]!r} cannot be run in `{spec.image}`", output)
    root = Path(_text(folder / "folder").rstrip("\n") or "/")
    return Ended(128 - code if code > 128 else code, output, folder / f"{attempt}.xml", root)


def _text(path: Path) -> str:
    return (regular_file(path, _MAX_OUTPUT) or b"").decode(errors="replace")
