"""The words and options of `mayfly probes` and `mayfly silence`."""

# ruff: noqa: PLC0415 -- what is needed by some is loaded by them: `--help` is quick

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.console import EXIT_CODES, explained

app = typer.Typer()

HomeOption = Annotated[Path | None, typer.Option("--home", metavar="DIR", help="Where Mayfly keeps its state.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and only that, on stdout.")]


@app.command(epilog=EXIT_CODES)
def probes(*, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the probes: how each is, and how much of its error budget is left."""
    with explained():
        from controller.cli import probing

        probing.probes(home, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def silence(
    probe: Annotated[str, typer.Argument(metavar="PROBE", help="As `mayfly probes` has it.", show_default=False)],
    *,
    lasts: Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long: 30m, 2h, 1d.")],
    reason: Annotated[str, typer.Option("--reason", help="For those who wonder why nobody is told.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell nobody of a probe for a while. It is sampled all the same; what still burns at the end is told then."""
    with explained():
        from controller.cli import probing

        probing.silence(home, probe, lasts, reason, as_json=as_json)
