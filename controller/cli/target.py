"""The words and options of the commands about targets: where main is deployed."""

# ruff: noqa: PLC0415 -- what is needed by some is loaded by them: `--help` is quick

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.console import EXIT_CODES, explained

app = typer.Typer()

HomeOption = Annotated[Path | None, typer.Option("--home", metavar="DIR", help="Where Mayfly keeps its state.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and only that, on stdout.")]
TargetName = Annotated[str, typer.Argument(metavar="TARGET", help="Like production.", show_default=False)]
ReasonOption = Annotated[str, typer.Option("--reason", help="For those who read the timeline.", show_default=False)]
WaitOption = Annotated[bool, typer.Option("--wait", help="Until it is known; exit code 1 where it does not hold.")]


@app.command(epilog=EXIT_CODES)
def targets(*, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the targets: where main is deployed, and how it stands there."""
    with explained():
        from controller.cli import targets as asking

        asking.ls(home, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def releases(target: TargetName, *, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the releases of a target: what, who, why, and how long it took."""
    with explained():
        from controller.cli import targets as asking

        asking.releases(home, target, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def rollback(  # noqa: PLR0913 - each is an option
    target: TargetName,
    *,
    to: Annotated[int | None, typer.Option("--to", min=1, help="A verified release, instead of the latest.")] = None,
    reason: ReasonOption,
    force: Annotated[
        bool, typer.Option("--force", help="Although a migration in between is not marked reversible.")
    ] = False,
    wait: WaitOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a verified release back, whole, and check it. Twice goes further back."""
    with explained():
        from controller.cli import targets as asking

        errand = asking.Errand(home, target, reason, as_json, wait)
        asking.rollback(errand, to=to, force=force)


@app.command(epilog=EXIT_CODES)
def hold(target: TargetName, *, reason: ReasonOption, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Let nothing be deployed or rolled back there by itself."""
    with explained():
        from controller.cli import targets as asking

        asking.hold(asking.Errand(home, target, reason, as_json))


@app.command(epilog=EXIT_CODES)
def release(target: TargetName, *, reason: ReasonOption, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Let a target go on that is held or stopped."""
    with explained():
        from controller.cli import targets as asking

        asking.release(asking.Errand(home, target, reason, as_json))


@app.command(epilog=EXIT_CODES)
def redeploy(
    target: TargetName,
    *,
    to: Annotated[int | None, typer.Option("--to", min=1, help="A release as it was, instead of the branch.")] = None,
    reason: ReasonOption,
    wait: WaitOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy the head of the branch, or a release, again; also one that was rejected."""
    with explained():
        from controller.cli import targets as asking

        asking.redeploy(asking.Errand(home, target, reason, as_json, wait), to=to)
