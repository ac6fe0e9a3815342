"""What a person sees: progress while checks run, and a table at the end."""

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from smoke.documents import format_duration
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from smoke.spec import Check

_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.BROKEN: "magenta"}
_DETAIL_LINES = 12


class Progress:
    """A bar on a terminal; nothing elsewhere."""

    def __init__(self, checks: Sequence[Check]) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("checks", total=len(checks))

    def attempted(self, check: Check, number: int, attempt: Attempt) -> None:
        """One more attempt; the check is done where it passed or has none left."""
        done = attempt.outcome is Outcome.PASSED or number > check.retries
        self._bar.update(self._task, advance=1 if done else 0, description=escape(check.name[:40]))

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def show(run: SuiteRun) -> None:
    """The table, the lines that matter of what did not pass, and the sum."""
    console = Console(highlight=False)
    console.print(table(run))
    for result in run.results:
        for line in _details(result):
            console.print(line, markup=False, style="dim")
    style = _STYLES[run.outcome]
    console.print(f"[{style}]{run.suite}: {run.outcome}[/] in {format_duration(run.took)} {escape(run.error)}")


def table(run: SuiteRun) -> Table:
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("check", "kind", "outcome", "tries", "took", ""):
        rows.add_column(heading, overflow="fold")
    for result in run.results:
        said = result.skipped or (result.attempts[-1].message if result.attempts else "")
        tries = str(len(result.attempts) or "")
        rows.add_row(escape(result.name), result.kind, _word(result), tries, format_duration(result.took), escape(said))
    return rows


def _word(result: CheckResult) -> str:
    if result.skipped is not None:
        return "[dim]skipped[/]"
    if result.flaky:
        return "[yellow]flaky[/]"
    return f"[{_STYLES[result.outcome]}]{result.outcome}[/]"


def _details(result: CheckResult) -> list[str]:
    """Why it did not pass, its tests first."""
    if result.skipped is not None or result.outcome is Outcome.PASSED:
        return []
    bad = [case for case in result.cases if case.attempts and case.outcome is not Outcome.PASSED]
    lines = [f"{case.file}:{case.line} {case.name}: {case.attempts[-1].message}".removeprefix(":None ") for case in bad]
    lines += result.attempts[-1].details.splitlines()[-_DETAIL_LINES:]
    return [f"── {result.name}", *(f"   {line}" for line in lines)] if lines else []
