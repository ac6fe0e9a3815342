"""Targets and their releases as tables for people. Text from outside is escaped, as in `tables`."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.table import Table

from controller.cli.tables import age, clean
from controller.cli.target_seen import Dora, Release, Target
from smoke.documents import format_duration

GOOD = ("verified", "restored", "retired")
BAD = ("stopped", "rejected", "bad", "rolled-back", "not-made", "not-restored")


def coloured(word: str) -> str:
    colour = "green" if word in GOOD else "red" if word in BAD else "yellow"
    return f"[{colour}]{clean(word)}[/]"


def line(text: str) -> str:
    """Somebody's words in one line, for a terminal; printed as they are."""
    return "".join(char if char.isprintable() else " " for char in text)


def targets(found: Sequence[Target], now: datetime) -> Table:
    table = _table("target", "state", "release", "since")
    for one in found:
        since = age(one.since, now) if one.since else ""
        what = clean(one.headline) + (f"\n[dim]{clean(one.url)}[/]" if one.url else "")
        table.add_row(clean(one.name), coloured(one.state), f"#{one.live.number}" if one.live else "", since, what)
    return table


def releases(kept: Sequence[Release], now: datetime) -> Table:
    """Newest first, as they come."""
    table = _table("release", "commit", "state", "age", "live", "verdict")
    for one in kept:
        number = f"[bold]#{one.number}[/] live" if one.live else f"#{one.number}"
        times = [format_duration(timedelta(seconds=took)) if took is not None else "" for took in _times(one)]
        what = f"{clean(one.title)}, by {clean(one.author)}\n[dim]{clean(one.line)}[/]"
        table.add_row(number, one.revision[:7], coloured(one.stage), age(one.ordered_at, now), *times, what)
    return table


def standing(target: Target) -> Table:
    """How it stands, and DORA's figures."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("state", clean(target.headline))
    for command in target.stop.commands if target.stop else ():
        table.add_row("", clean(command))
    for name, value in _figures(target.dora) if target.dora else ():
        table.add_row(name, value)
    return table


def _figures(dora: Dora) -> Iterator[tuple[str, str]]:
    """Those that are known."""
    window = format_duration(timedelta(seconds=dora.window))
    yield "deploys", f"{dora.deploys} in {window}"
    if dora.lead_time is not None:
        yield "lead time", f"{format_duration(timedelta(seconds=dora.lead_time))} from commit to live"
    if dora.failure_rate is not None:
        yield "failed", f"{dora.failure_rate:.0%} of those that were live and judged"
    if dora.recovery_time is not None:
        yield "recovery", f"{format_duration(timedelta(seconds=dora.recovery_time))} from live to working again"


def _times(release: Release) -> tuple[float | None, float | None]:
    return release.to_live, release.to_verdict


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True)
    table.add_column("what", overflow="fold")
    return table
