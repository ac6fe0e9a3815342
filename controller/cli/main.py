"""The `mayfly` command. Here stand only words and options; what a command does is loaded when it is called."""

# ruff: noqa: PLC0415 -- what is needed by some is loaded by them: `--help` is quick

import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.cli import probe, target, token
from controller.cli.console import EXIT_CODES, explained

app = typer.Typer(
    help="A checked, reported, clickable and reaped preview environment for every pull request.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    suggest_commands=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(token.app, name="token")
app.add_typer(target.app)
app.add_typer(probe.app)

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Where Mayfly keeps its state. [MAYFLY_HOME; the nearest .mayfly above this folder]",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and only that, on stdout.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="A number (7), a branch, or REPO#7.", show_default=False)]
ListenOption = Annotated[str | None, typer.Option("--listen", metavar="HOST:PORT", help="Instead of the policy's.")]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="Instead of the mayfly.yaml in the home.")
]
PlatformOption = Annotated[
    str | None,
    typer.Option("--platform", metavar="local|kubernetes", help="Where previews run, instead of the policy's."),
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"mayfly {version('mayfly')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="And exit.")
    ] = False,
) -> None:
    """A checked, reported, clickable and reaped preview environment for every pull request."""


@app.command(epilog=EXIT_CODES)
def init(
    folder: Annotated[Path, typer.Argument(help="A git checkout.")] = Path(),
    *,
    home: HomeOption = None,
    force: Annotated[bool, typer.Option("--force", help="Write .preview.yaml anew where there is one.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a .preview.yaml to begin with, and add the remote `preview`."""
    with explained():
        from controller.cli import beginning

        beginning.begin(folder, home, force=force, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def serve(
    *,
    home: HomeOption = None,
    policy: PolicyOption = None,
    listen: ListenOption = None,
    platform: PlatformOption = None,
) -> None:
    """Make it so: previews, checks, reports and the dashboard, until Ctrl-C. Previews go on running."""
    with explained():
        from controller.cli import serve as serving

        code = serving.serve(home, policy, listen=listen, platform=platform)
    raise typer.Exit(code)


@app.command(epilog=EXIT_CODES)
def agent(
    *,
    location: Annotated[str, typer.Option("--location", metavar="NAME", help="As probes name it; its token's name.")],
    controller: Annotated[str, typer.Option("--controller", metavar="URL", help="Where the dashboard is.")],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="DIR", help="Samples wait here. [~/.local/state/mayfly/agent-NAME]", show_default=False
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send the token over plain http; whoever listens can be this agent.")
    ] = False,
) -> None:
    """Run probes from here, for a controller elsewhere, until Ctrl-C. The token is in MAYFLY_TOKEN."""
    with explained():
        from controller.cli import agent as agents

        agents.agent(location, controller, folder, insecure=insecure)


@app.command(epilog=EXIT_CODES)
def stop(*, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End everything: the controller, the previews' processes, PostgreSQL. The data stays."""
    with explained():
        from controller.cli import serve as serving

        serving.stop(home, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Play the story, clean up, and exit 0 only if it held.")] = False,
    listen: ListenOption = None,
    keep: Annotated[int, typer.Option("--keep", min=0, max=3, help="Previews to leave alive for clicking.")] = 3,
    platform: PlatformOption = None,
    image: Annotated[
        str | None, typer.Option("--image", help="On Kubernetes: of Mayfly with what the shop needs.")
    ] = None,
    forge: Annotated[
        str | None,
        typer.Option("--forge", metavar="git|fake-github", help="Where the pull requests are: `git` is built in."),
    ] = None,
) -> None:
    """Play a story on a small shop with real pushes, then keep serving the dashboard until Ctrl-C."""
    with explained():
        from controller.cli import demo as story

        code = story.play(listen=listen, once=once, keep=keep, place=story.place(platform, image), hub=story.hub(forge))
    raise typer.Exit(code)


@app.command(epilog=EXIT_CODES)
def ls(*, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the previews."""
    with explained():
        from controller.cli import ask

        ask.ls(home, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def show(key: Key, *, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show one preview: its state, steps, checks and timeline."""
    with explained():
        from controller.cli import ask

        ask.show(home, key, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def logs(
    key: Key,
    service: Annotated[str | None, typer.Argument(help="One service; all of them where none is named.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=10_000, help="How many to begin with.")] = 200,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the log of a preview, or of a target."""
    with explained():
        from controller.cli import ask

        ask.logs(home, key, service, lines=lines, follow=follow, as_json=as_json)


@app.command("open", epilog=EXIT_CODES)
def open_(
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="The dashboard where none is named.")] = None,
    *,
    print_only: Annotated[bool, typer.Option("--print", help="Only print the URL.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a preview in the browser."""
    with explained():
        from controller.cli import ask

        ask.open_(home, key, print_only=print_only, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def run(
    key: Key,
    words: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help='Like "/preview extend 2d"; see /preview help.')
    ],
    *,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say a command, as a comment on the pull request would."""
    with explained():
        from controller.cli import ask

        ask.run(home, key, " ".join(words), as_json=as_json)


@app.command("approve-removals", epilog=EXIT_CODES)
def approve_removals(*, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Let the removals go on that stopped because there were many at once."""
    with explained():
        from controller.cli import ask

        ask.approve_removals(home, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def check(
    file: Annotated[Path, typer.Argument(help="Checks (YAML or JSON), or a .preview.yaml.")],
    *,
    url: Annotated[str, typer.Option("--url", help="What to run them against.")],
    suite: Annotated[str, typer.Option("--suite", help="Of a .preview.yaml: which of its suites.")] = "smoke",
    as_json: JsonOption = False,
) -> None:
    """Run a check file against anything."""
    with explained():
        from controller.cli import checking

        code = checking.check(file, url, suite, as_json=as_json)
    raise typer.Exit(code)


@app.command(epilog=EXIT_CODES)
def schema(
    *, policy: Annotated[bool, typer.Option("--policy", help="Of mayfly.yaml, the operator's.")] = False
) -> None:
    """Print the JSON Schema of .preview.yaml."""
    with explained():
        from controller.cli import schema as schemas

        sys.stdout.write(schemas.policy_schema() if policy else schemas.spec_schema())


@app.command(epilog=EXIT_CODES)
def doctor(*, home: HomeOption = None, policy: PolicyOption = None, as_json: JsonOption = False) -> None:
    """Tell what is missing on this machine, how to get it, and how the forge is."""
    with explained():
        from controller.cli import doctor as examination

        examination.doctor(home, policy, as_json=as_json)


if __name__ == "__main__":
    app()
