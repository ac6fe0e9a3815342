"""Runs the checks of probes in this process: one client for all of them, and a new connection for each request.

Bounded by the policy's `at_once`: one that has to wait for its turn is late, and says so.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import gettempdir
from types import TracebackType

from controller.common.markdown import one_line
from controller.probes.model import Sample
from controller.settings import HERE, Probe
from smoke import runner
from smoke.model import Outcome, SuiteRun
from smoke.spec import Check, HttpCheck
from smoke.target import Target
from smoke.tools import Tools

_ANSWERS = Check(name="it answers", http=HttpCheck(path="/"))
_MESSAGE = 300


class Prober:
    """An asynchronous context manager: it holds connections."""

    def __init__(self, probes: Iterable[Probe], at_once: int, location: str = HERE, folder: Path | None = None) -> None:
        """`folder` holds the files that checks name (`tls.ca`)."""
        workdir = folder or Path(gettempdir())
        self._location = location
        self._probes: Mapping[str, tuple[list[Check], Target]] = {
            probe.name: _subject(probe, workdir, at_once) for probe in probes
        }
        everything = Target("http://localhost", workdir=workdir, parallel=at_once)
        self._tools = Tools(everything, [], keep_alive=False)
        self._turns = asyncio.Semaphore(at_once)

    async def sample(self, probe: str, due: datetime) -> Sample:
        """Raises nothing. Redacted as reports of checks are."""
        checks, target = self._probes[probe]
        async with self._turns:
            late = max(timedelta(0), datetime.now(UTC) - due)
            run = await runner.run(checks, target, suite=probe, tools=self._tools)
        return Sample(probe, self._location, due, late, run.took, run.outcome, _message(run))

    async def __aenter__(self) -> "Prober":
        await self._tools.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tools.__aexit__(kind, error, trace)


def _subject(probe: Probe, workdir: Path, at_once: int) -> tuple[list[Check], Target]:
    """The policy is the operator's: its checks may name hosts, and take secrets from the environment (`${NAME}`)."""
    checks = list(probe.checks) or [_ANSWERS]
    return checks, Target(probe.url, workdir=workdir, external=True, parallel=at_once)


def _message(run: SuiteRun) -> str:
    """Of the first check that did not pass."""
    if run.outcome is Outcome.PASSED:
        return ""
    for result in run.results:
        if result.skipped is None and result.outcome is run.outcome and result.attempts:
            return one_line(f"{result.name}: {result.attempts[-1].message}", _MESSAGE)
    return one_line(run.error, _MESSAGE)
