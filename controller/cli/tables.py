"""Previews as tables for people. Text from outside is escaped: nobody's branch colours somebody's terminal."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.markup import escape
from rich.table import Table

from controller.cli.seen import Card, Environment, Event, Run
from smoke.documents import format_duration

COLOURS = {
    "ready": "green",
    "failed": "red",
    "starting": "yellow",
    "waiting": "yellow",
    "sleeping": "blue",
    "passed": "green",
    "healthy": "green",
    "done": "green",
    "reused": "green",
    "crashed": "red",
    "running": "yellow",
    "broken": "magenta",
}


def clean(text: str) -> str:
    """Somebody's text for a terminal: no control characters, no markup."""
    return escape("".join(char if char.isprintable() else " " for char in text))


def coloured(word: str) -> str:
    colour = COLOURS.get(word)
    return f"[{colour}]{clean(word)}[/]" if colour else clean(word)


def age(moment: datetime, now: datetime) -> str:
    return format_duration(max(now - moment, timedelta()))


def listing(cards: Sequence[Card], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column, width in (("preview", 8), ("branch", 12), ("state", 8), ("age", 7)):
        table.add_column(column, no_wrap=True, min_width=width, max_width=30)
    table.add_column("what", overflow="fold")
    for card in cards:
        words = clean(card.headline.removeprefix(f"{card.state} · ").removeprefix(f"{card.state}: "))
        since = age(card.created_at, now) if card.created_at else ""
        what = f"{words}\n[dim]{clean(card.url)}[/]" if card.url else words
        table.add_row(clean(card.key), clean(card.branch), coloured(card.state), since, what)
    return table


def details(card: Card) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(card):
        if value:
            table.add_row(name, value)
    return table


def _facts(card: Card) -> list[tuple[str, str]]:
    return [
        ("preview", f"{clean(card.key)}  {clean(card.branch)}"),
        ("title", clean(card.title) + (f", by {clean(card.author)}" if card.author else "")),
        ("state", coloured(card.state)),
        ("", clean(card.headline)),
        ("url", clean(card.url)),
        ("revision", clean(card.revision[:7])),
        ("expires", f"{card.expires_at.astimezone():%d %B, %H:%M}" if card.expires_at else ""),
        *(_of_environment(card.preview) if card.preview else []),
        ("log", "\n".join(clean(line) for line in card.logs.splitlines()[-10:])),
        *(fact for run in card.runs for fact in _of_run(run)),
    ]


def _of_environment(seen: Environment) -> Iterator[tuple[str, str]]:
    for step in seen.steps:
        took = format_duration(timedelta(seconds=step.took))
        yield "step", f"{coloured(step.state)} {clean(step.name)} [dim]{took}[/] {clean(step.detail)}"
    for service in seen.services:
        again = f", started {service.restarts} times more" if service.restarts else ""
        yield "service", f"{coloured(service.state)} {clean(service.name)}{again} {clean(service.reason)}"


def _of_run(run: Run) -> Iterator[tuple[str, str]]:
    for check in run.results:
        tries = f", attempt {len(check.attempts)}" if len(check.attempts) > 1 else ""
        word = "skipped" if check.skipped is not None else check.outcome
        yield "check", f"{coloured(word)} {clean(f'{run.suite} › {check.name}{tries}')}"
        if check.message and check.outcome != "passed":
            yield "", clean(check.message)
    if run.error:
        yield "check", f"{coloured('broken')} {clean(f'{run.suite}: {run.error}')}"


def timeline(events: Sequence[Event]) -> Table:
    table = Table.grid(padding=(0, 2))
    for event in events:
        moment = event.at.astimezone()
        table.add_row(f"[dim]{moment:%H:%M:%S}[/]", f"[dim]{clean(event.actor)}[/]", clean(event.text))
    return table
