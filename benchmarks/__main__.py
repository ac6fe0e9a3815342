"""`python -m benchmarks [NAME…] [--json]`: measures, prints a table (or JSON), and keeps both in `results/`.

A benchmark is a module of this folder with `async def measure() -> list[Row]`; it raises Skipped where what it needs
is not there. Exit codes: 0 every goal is met, 1 one is missed, 2 something could not be measured.
"""

import argparse
import asyncio
import importlib
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.model import Row, Skipped

RESULTS = Path(__file__).parent / "results"
_NO_BENCHMARKS = {"__main__", "model"}


def main(arguments: Sequence[str] | None = None) -> int:
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    known = [name for name in names if name not in _NO_BENCHMARKS and not name.startswith("_")]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures, and compares with a goal.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(known)}; all where none is named")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.names) - set(known)):
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(known)}")
    rows, errors, skipped = _measure_all(asked.names or known)
    report = _report(rows, errors, skipped)
    _keep(report)
    if asked.json:
        print(report)
    else:
        Console().print(_table(rows))
    if errors:
        return 2
    return 0 if all(row.holds for of_one in rows.values() for row in of_one) else 1


def _measure_all(names: Sequence[str]) -> tuple[dict[str, list[Row]], dict[str, str], dict[str, str]]:
    progress = Console(stderr=True)
    rows: dict[str, list[Row]] = {}
    errors: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for position, name in enumerate(names, 1):
        with progress.status(f"{position} of {len(names)}: measuring {name}"):
            try:
                rows[name] = asyncio.run(importlib.import_module(f"benchmarks.{name}").measure())
            except Skipped as reason:
                skipped[name] = str(reason)
                progress.print(f"{name} is skipped:", skipped[name], highlight=False)
            except Exception as error:  # noqa: BLE001  # one that cannot be measured must not hide the others
                errors[name] = f"{type(error).__name__}: {error}"
                progress.print(f"[red]{name} could not be measured:[/] ", errors[name], markup=True, highlight=False)
    return rows, errors, skipped


def _report(rows: dict[str, list[Row]], errors: dict[str, str], skipped: dict[str, str]) -> str:
    machine = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    measured = {name: [asdict(row) for row in of_one] for name, of_one in rows.items()}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"at": at, "machine": machine, "rows": measured, "errors": errors, "skipped": skipped}, indent=1)


def _keep(report: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json").write_text(report + "\n")
    (RESULTS / "latest.json").write_text(report + "\n")


def _table(rows: dict[str, list[Row]]) -> Table:
    table = Table(title="Mayfly, measured here and now")
    for heading in ("what", "ours", "peer", "goal"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    table.add_column("holds")
    table.add_column("the peer is")
    for row in (row for of_one in rows.values() for row in of_one):
        figures = [_figure(figure, row.unit) for figure in (row.ours, row.peer, row.goal)]
        table.add_row(row.name, *figures, "[green]yes[/]" if row.holds else "[red]no[/]", row.against)
    return table


def _figure(figure: float | None, unit: str) -> str:
    return "" if figure is None else f"{figure:,.3g} {unit}" if figure < 1000 else f"{figure:,.0f} {unit}"


if __name__ == "__main__":
    sys.exit(main())
