"""The commands that ask the running controller about probes: probes, silence."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import JsonValue
from rich.table import Table

from controller.cli import client
from controller.cli.ask import person, print_json
from controller.cli.console import Failure, out, say
from controller.cli.seen import Seen
from controller.cli.tables import clean
from smoke.documents import format_duration, parse_duration

COLOURS = {"up": "green", "failing": "red", "burning": "red", "silent": "red", "cut-off": "yellow"}


class Alarm(Seen):
    alarm: str
    because: str
    suspect: str


class Probe(Seen):
    name: str
    state: str
    headline: str
    objective: str | None
    budget: float | None
    alarms: list[Alarm]


class Listing(Seen):
    probes: list[Probe]


class Silenced(Seen):
    id: str
    ends: datetime


def probes(home: Path | None, *, as_json: bool) -> None:
    listing = client.connect(home).get("/api/v1/probes", Listing)
    if as_json:
        print_json(listing)
    elif not listing.probes:
        say("Nothing is probed: `probes` in mayfly.yaml says what is.")
    else:
        out().print(table(listing.probes))


def silence(home: Path | None, probe: str, lasts: str, reason: str, *, as_json: bool) -> None:
    wanted = _lasts(lasts)
    seconds = int(wanted.total_seconds())
    body: dict[str, JsonValue] = {"probe": probe, "lasts": seconds, "because": reason, "actor": person()}
    silenced = client.connect(home).post("/api/v1/silences", body, Silenced)
    if as_json:
        print_json(silenced)
    else:
        until = f"{silenced.ends.astimezone():%d %B, %H:%M}"
        print(f"Nobody is told of {probe} for {format_duration(wanted)}, until {until}.")


def table(found: Sequence[Probe]) -> Table:
    columns = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("probe", "state", "budget left"):
        columns.add_column(title, no_wrap=True)
    columns.add_column("what", overflow="fold")
    for probe in found:
        left = "" if probe.budget is None else f"{probe.budget * 100:.1f}%"
        columns.add_row(clean(probe.name), _coloured(probe.state), left, "\n".join(_what(probe)))
    return columns


def _what(probe: Probe) -> list[str]:
    """The headline without the state, and a line for each alarm."""
    of = f", of {probe.objective}" if probe.objective else ""
    alarms = [
        f"{alarm.alarm}: {alarm.because}" + (f"; after {alarm.suspect}" if alarm.suspect else "")
        for alarm in probe.alarms
    ]
    return [clean(line) for line in (probe.headline.removeprefix(f"{probe.state} · ") + of, *alarms)]


def _coloured(state: str) -> str:
    colour = COLOURS.get(state)
    return f"[{colour}]{clean(state)}[/]" if colour else clean(state)


def _lasts(text: str) -> timedelta:
    try:
        lasts = parse_duration(text)
    except ValueError as error:
        raise Failure(f"--for: {error}") from None
    if lasts < timedelta(seconds=1):
        raise Failure(f"--for: {text!r} is over before it begins")
    return lasts
