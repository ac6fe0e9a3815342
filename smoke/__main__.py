"""The command line: `python -m smoke run checks.yaml --url http://localhost:8000` (argparse: typer takes 70 ms)."""

import gc

if __name__ == "__main__":
    gc.disable()  # nothing that is imported is garbage, and looking for some is a tenth of a short run

import argparse
import json
import os
import re
import sys
from collections.abc import MutableMapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import get_args

from smoke.cli import USAGE, Options, UsageError, run_file
from smoke.spec import KINDS, Check

VARS = "MAYFLY_VARS"
VAR = "MAYFLY_VAR_"
EPILOG = f"""exit codes: 0 passed, 1 failed, 2 the command or the file is wrong, 3 broken (nothing is known).
Variables may also come as a JSON object in ${VARS}, or each in one of its own (${VAR}API_KEY is {{api_key}}), so that
secrets do not stand on a command line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns an exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "kinds":
        print(_kinds())
        return 0
    try:
        return run_file(options.file, _options(options))
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m smoke", description="Smoke and end-to-end checks.", epilog=EPILOG)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("kinds", help="what a check can be")
    run = commands.add_parser("run", help="run a check file", epilog=EPILOG)
    run.add_argument("file", type=Path, help="checks, as YAML or JSON")
    run.add_argument("--url", required=True, help="where the application answers")
    run.add_argument("--suite", default="smoke", help="its name in the report")
    run.add_argument("--revision", default="", help="the commit that is checked; also {sha}")
    run.add_argument("--json", type=Path, metavar="OUT", help="write the result as JSON")
    run.add_argument("--junit", type=Path, metavar="OUT", help="write the result as JUnit XML")
    run.add_argument("--output", type=Path, metavar="DIR", help="for screenshots; a temporary folder otherwise")
    run.add_argument("--workdir", type=Path, metavar="DIR", help="where commands run; here otherwise")
    run.add_argument("--var", action="append", default=[], metavar="K=V", help="a variable, {k} in the checks")
    run.add_argument("--only", action="append", default=[], metavar="NAME", help="this check, and those it runs after")
    run.add_argument("--untrusted", action="store_true", help="checks may name no host and read no environment")
    run.add_argument("--quiet", action="store_true", help="no table")
    run.add_argument(
        "--hand-over", action="store_true", help="print the result for a log reader; the exit code is then 0"
    )
    run.add_argument("--collect", type=Path, metavar="DIR", help="shared with the containers that run checks' images")
    run.add_argument(
        "--until", type=_moment, metavar="TIME", help="when all have to be done: 2026-03-02T12:00:00+00:00"
    )
    return parser


def _moment(text: str) -> datetime:
    """Raises argparse.ArgumentTypeError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} does not say in which time zone, like +00:00")
    return moment


def _options(given: argparse.Namespace) -> Options:
    return Options(
        url=given.url,
        suite=given.suite,
        revision=given.revision,
        json_file=given.json,
        junit_file=given.junit,
        output=given.output,
        workdir=given.workdir,
        variables=_variables(given.var, os.environ),
        only=given.only,
        trusted=not given.untrusted,
        quiet=given.quiet or (given.json is not None and not sys.stdout.isatty()),
        hand_over=given.hand_over,
        collect=given.collect,
        until=given.until,
    )


def _variables(pairs: Sequence[str], environment: MutableMapping[str, str]) -> dict[str, str]:
    """Takes those in the environment out of it: commands get each under its own name. Raises UsageError."""
    try:
        known = json.loads(environment.pop(VARS, "") or "{}")
    except ValueError as error:
        raise UsageError(f"${VARS} is not JSON: {error}") from error
    if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
        raise UsageError(f"${VARS} is not a JSON object of texts")
    for name in [name for name in environment if name.startswith(VAR)]:
        known[name.removeprefix(VAR).lower()] = environment.pop(name)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--var {pair!r} is not NAME=VALUE")
        known[name] = value
    for name in known:
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
            raise UsageError(f"{name!r} is not the name of a variable, like `api_key`")
    return known


def _kinds() -> str:
    """A line for each, from its model."""
    known = {kind: get_args(Check.model_fields[kind].annotation)[0] for kind in KINDS}
    return "\n".join(f"{kind:9} {(model.__doc__ or '').splitlines()[0]}" for kind, model in known.items())


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    sys.exit(main())
