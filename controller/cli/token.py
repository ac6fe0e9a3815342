"""The words and options of `mayfly token`."""

# ruff: noqa: PLC0415 -- what is needed by some is loaded by them: `--help` is quick

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.console import EXIT_CODES, explained

app = typer.Typer(help="Make, list and revoke tokens for the API, the dashboard and agents.", no_args_is_help=True)

HomeOption = Annotated[Path | None, typer.Option("--home", metavar="DIR", help="Where Mayfly keeps its state.")]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="Instead of the mayfly.yaml in the home.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and only that, on stdout.")]


@app.command(epilog=EXIT_CODES)
def create(
    *,
    name: Annotated[str, typer.Option("--name", help="Who it is for; an agent's is its location.")],
    scope: Annotated[str, typer.Option("--scope", metavar="read|operate|admin|agent", help="What it may do.")],
    expires: Annotated[str | None, typer.Option("--expires", metavar="DURATION", help="After how long: 90d.")] = None,
    home: HomeOption = None,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token, and print it this once."""
    with explained():
        from controller.cli import tokens

        tokens.create(home, policy, name=name, scope=scope, expires=expires, as_json=as_json)


@app.command("list", epilog=EXIT_CODES)
def list_(*, home: HomeOption = None, policy: PolicyOption = None, as_json: JsonOption = False) -> None:
    """List the tokens; never the secrets, which nobody keeps."""
    with explained():
        from controller.cli import tokens

        tokens.show(home, policy, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `mayfly token list` has it.", show_default=False)],
    *,
    home: HomeOption = None,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a token be nobody's any more."""
    with explained():
        from controller.cli import tokens

        tokens.revoke(home, policy, token_id, as_json=as_json)
