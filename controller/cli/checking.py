"""`mayfly check`: runs a check file, or the checks of a `.preview.yaml`, against anything that answers."""

import tempfile
from pathlib import Path

from controller.cli.console import Failure
from controller.common.spec import FILE, Spec
from smoke.cli import EXIT_CODES, Options, UsageError, read_checks, run_checks
from smoke.documents import MAX_BYTES, load
from smoke.spec import Check


def check(file: Path, url: str, suite: str, *, as_json: bool) -> int:
    """The exit code: 0 passed, 1 failed, 3 broken. Raises Failure or DocumentError where the file is wrong."""
    if not file.is_file():
        raise Failure(f"{file}: there is no such file")
    with tempfile.TemporaryDirectory(prefix="mayfly-check-") as folder:
        options = Options(url, suite=suite, workdir=file.resolve().parent, output=Path(folder), quiet=as_json)
        try:
            checks = _of_spec(file, suite) if file.name == FILE else read_checks(file)
            outcome = run_checks(checks, options)
        except UsageError as error:
            raise Failure(str(error)) from error
    if as_json:
        print(outcome.to_json().decode())
    return EXIT_CODES[outcome.outcome]


def _of_spec(file: Path, suite: str) -> list[Check]:
    with file.open("rb") as stream:
        suites = load(stream.read(MAX_BYTES + 1), Spec, str(file)).checks.suites()
    if suite not in suites:
        known = ", ".join(f"`{name}`" for name in suites) or "none"
        raise Failure(f"{file} has no suite `{suite}`; it has {known}")
    return suites[suite]
