"""`mayfly demo`: plays the story, says each step with its time, then leaves a few previews alive for clicking."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from controller.cli.chapters import ALIVE, alive_file
from controller.cli.console import FAILED, Failure, out
from controller.cli.hub_github import AtGitHub
from controller.cli.hubs import Embedded, Hub
from controller.cli.operator import TARGET
from controller.cli.proof import Unmet, tail
from controller.cli.seen import Timeline
from controller.cli.stage import Stage
from controller.cli.story import Step, gone, steps
from controller.cli.traces import InACluster, OnThisMachine, Traces
from controller.errors import MayflyError

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def play(*, listen: str | None, once: bool, keep: int, place: Traces, hub: Hub) -> int:
    """Exit code 0 where every step held. Raises Failure where it cannot be played at all."""
    console = out()
    with _interruptible(), _stage(listen, place, hub, console, once=once) as stage:
        for number, step in enumerate(steps(stage), start=1):
            if not _played(console, stage, number, step):
                return FAILED
        if once:
            return 0 if _played(console, stage, number + 1, Step("everything stops", lambda: _end(stage))) else FAILED
        more = Step("more branches, for clicking", lambda: _push_more(stage, keep))
        return _stay(console, stage) if _played(console, stage, number + 1, more) else FAILED


def place(platform: str | None, image: str | None) -> Traces:
    """Raises Failure."""
    if platform in {None, "local"}:
        return OnThisMachine()
    if platform != "kubernetes":
        raise Failure(f"--platform: it is `local` or `kubernetes`, not {platform!r}")
    if image is None:
        raise Failure("--platform kubernetes needs --image: one with Mayfly, PostgreSQL and the shop's own needs")
    return InACluster(image)


def hub(forge: str | None) -> Hub:
    """Raises Failure."""
    match forge:
        case None | "git":
            return Embedded()
        case "fake-github":
            return AtGitHub()
        case _:
            raise Failure(f"--forge: it is `git` or `fake-github`, not {forge!r}")


@contextmanager
def _stage(listen: str | None, place: Traces, hub: Hub, console: Console, *, once: bool) -> Iterator[Stage]:
    stage = Stage(listen, place, hub, any_port=once)
    try:
        yield stage
    finally:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)  # every wait below has a deadline
        with console.status("Cleaning up"):
            _clear(stage)
            stage.close()


def _played(console: Console, stage: Stage, number: int, step: Step) -> bool:
    began = time.monotonic()
    try:
        with console.status(f"{number}. {escape(step.title)}"):
            seen = step.play()
    except (Unmet, Failure, MayflyError) as problem:
        console.print(f"[red]✗[/] {number}. {escape(step.title)}  [dim]{time.monotonic() - began:.1f} s[/]")
        _explain(console, stage, problem)
        return False
    console.print(f"[green]✓[/] {number}. {escape(step.title)}  [dim]{time.monotonic() - began:.1f} s[/]")
    console.print(f"     [dim]{escape(seen)}[/]")
    return True


def _explain(console: Console, stage: Stage, problem: Unmet | Failure | MayflyError) -> None:
    if isinstance(problem, Unmet):
        console.print(f"expected: {escape(problem.expected)}\nseen: {escape(problem.seen)}")
    else:
        console.print(escape(str(problem)))
    try:
        cards = stage.cards() if stage.serves else []
        paths = [f"/api/v1/previews/{card.repo}/{card.number}/timeline" for card in cards]
        for path in (*paths, *([f"/api/v1/targets/{TARGET}/timeline"] if stage.serves else [])):
            for event in stage.client.get(path, Timeline).events:
                console.print(f"  {event.at:%H:%M:%S} {escape(event.text)}", style="dim")
    except Failure as failure:
        console.print(escape(failure.text))
    console.print(f"the last lines of `mayfly serve`:\n{escape(tail(stage.log))}", style="dim")


def _push_more(stage: Stage, keep: int) -> str:
    urls = []
    for branch in ALIVE[:keep]:
        stage.checkout.git("switch", "--quiet", "--create", branch, "main")
        stage.checkout.commit(alive_file(branch))
        stage.push(branch)
        urls.append(stage.hub.url(branch))
    return "\n     ".join(urls) or "none"


def _stay(console: Console, stage: Stage) -> int:
    """Until a person has seen enough (Ctrl-C, which is a good end), or Mayfly stops."""
    try:
        console.print(f"\nThe dashboard is at [bold]{stage.client.url}[/]")
        console.print(f"Push a branch of your own from {escape(str(stage.checkout.path))}:")
        console.print(f"  {escape(stage.hub.invitation())}")
        console.print("Ctrl-C ends it all and leaves nothing behind.")
        while stage.serves:
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    console.print(f"`mayfly serve` ended:\n{escape(tail(stage.log))}")
    return FAILED


def _clear(stage: Stage) -> None:
    """Closes what is open, so that Mayfly itself removes it."""
    if not stage.serves:
        return
    try:
        cards = [card for card in stage.cards() if card.branch and card.state != "removed"]
        if cards:
            stage.hub.close({card.number: card.branch for card in cards})
            gone(stage, cards)
    except (Unmet, Failure, MayflyError):  # told already where it matters; what is left of the folder goes with it
        return


def _end(stage: Stage) -> str:
    stage.stop()
    stage.end_main()
    stage.hub.stop()
    return "Mayfly, what it keeps running and the folder go now"


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and a terminal that closes clean up as Ctrl-C does."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
