"""Runs a suite of checks against what is deployed: `python -m smoke`, as a unit: it outlives us and is found again.

A run that ended without a result is broken, never passed. One that was cut off (a reboot, a new deploy) leaves no job,
so that it is started again.
"""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog
from pydantic import ValidationError

from controller.adapters.local import environment
from controller.adapters.local.cell import Cell
from controller.adapters.local.crew import Crew
from controller.adapters.local.environment import Facts
from controller.adapters.local.means import Means
from controller.adapters.local.units import Command, State, Unit
from controller.adapters.shared.disk import discard, trouble
from controller.common.nouns import CheckJob, Phase
from controller.errors import Refused, Unavailable
from smoke.documents import format_duration
from smoke.model import SuiteRun
from smoke.spec import Check

KEPT = 10
"""Most finished runs that are remembered here; the history has them all."""
MAX_RESULT = 32 * 2**20
MAX_ARTIFACT = 16 * 2**20
_log = structlog.get_logger()


class Examined(Protocol):
    """Whose checks are run: a preview, or main."""

    folder: Path
    checkers: dict[str, asyncio.Task[None]]

    @property
    def tested(self) -> Crew: ...

    @property
    def jobs(self) -> tuple[CheckJob, ...]: ...

    def keep_jobs(self, jobs: tuple[CheckJob, ...], *, durable: bool = False) -> None: ...

    def checks(self, suite: str) -> Unit: ...

    def redact(self, text: str) -> str: ...


def start(cell: Cell, means: Means, suite: str, order: int) -> None:
    """Starts a run, ending an older one of the same suite. A run of this order that is known already is left alone."""
    record = cell.record
    revision = record.order.revision
    if any((job.suite, job.revision, job.order) == (suite, revision, order) for job in record.jobs):
        return
    checks = record.order.spec.checks.suites().get(suite)
    if checks is None:
        raise Refused(f"there are no `{suite}` checks in the spec")
    if record.phase is not Phase.READY:
        raise Unavailable(f"the preview is {record.phase}")
    begin(cell, means, CheckJob(suite, revision, order, datetime.now(UTC)), checks)


def begin(examined: Examined, means: Means, job: CheckJob, checks: Sequence[Check]) -> None:
    """Starts a run, ending an older one of the same suite."""
    older = tuple(known for known in examined.jobs if known.suite != job.suite or known.run is not None)
    examined.keep_jobs((*older, job)[-KEPT:], durable=True)
    _follow(examined, job, _run(examined, means, job, checks))


def _follow(examined: Examined, job: CheckJob, doing: Coroutine[object, object, None]) -> None:
    if (older := examined.checkers.get(job.suite)) is not None:
        older.cancel()
    examined.checkers[job.suite] = asyncio.create_task(doing)


async def _run(examined: Examined, means: Means, job: CheckJob, checks: Sequence[Check]) -> None:
    try:
        await examined.checks(job.suite).stop()
        if refusal := why_not(checks, means):
            _finish(examined, job, _broken(job, refusal))
            return
        await _launch(examined, means, job.suite, checks)
        await _watch(examined, means, job)
    except Unavailable as error:
        _log.warning("checks have to wait", folder=examined.folder.name, suite=job.suite, reason=error.reason)


def why_not(checks: Sequence[Check], means: Means) -> str:
    """What the policy has against these checks; empty where it has nothing."""
    allow = means.policy.allow
    kinds = {check.kind for check in checks}
    if not allow.command_checks and "command" in kinds:
        return "the policy of this Mayfly allows no `command` checks"
    if not allow.browser_checks and "browser" in kinds:
        return "the policy of this Mayfly allows no `browser` checks"
    return ""


async def _launch(examined: Examined, means: Means, suite: str, checks: Sequence[Check]) -> None:
    unit, local = examined.checks(suite), means.policy.local
    await asyncio.to_thread(discard, unit.folder)
    written = [check.model_dump(mode="json", by_alias=True, exclude_unset=True) for check in checks]
    with trouble("write the checks"):
        (unit.folder / "output").mkdir(parents=True, mode=0o700)
        (unit.folder / "checks.yaml").write_text(json.dumps({"checks": written}))
    argv = _command(examined, means, unit.folder, suite)
    env = environment.base(local.path, examined.tested.home)
    env |= {"MAYFLY_VARS": json.dumps(_variables(examined.tested.facts(means.url)))}
    unit.start(Command(argv, env, unit.folder, once=True, limit=local.step_timeout))


def _command(examined: Examined, means: Means, folder: Path, suite: str) -> tuple[str, ...]:
    crew = examined.tested
    port = crew.ports.get(crew.spec.main_service)
    address = f"http://127.0.0.1:{port}" if port else "http://127.0.0.1"
    return (
        *(*means.smoke, "run", str(folder / "checks.yaml")),
        *("--url", address, "--suite", suite, "--revision", crew.revision, "--untrusted"),
        *("--json", str(folder / "result.json"), "--output", str(folder / "output"), "--workdir", str(crew.tree)),
    )


def _variables(facts: Facts) -> dict[str, str]:
    """`command` checks get them in capitals, so that the database is where the spec says it is."""
    known = {name: facts.known[name] for name in ("sha", "number")}  # `{url}` is smoke's: the address itself
    if (postgres := facts.spec.postgres) is None or not facts.database_url:
        return known
    return known | dict.fromkeys(("database_url", postgres.env.lower()), facts.database_url)


async def resume(examined: Examined, means: Means) -> None:
    """A run that nobody watches is taken up where it goes on or left its result, and forgotten where it was cut off."""
    for job in [job for job in examined.jobs if job.run is None]:
        unit, checker = examined.checks(job.suite), examined.checkers.get(job.suite)
        if checker is not None and not checker.done():
            continue
        if unit.alive or (unit.folder / "result.json").exists():
            _follow(examined, job, _watch(examined, means, job))
        else:
            await forget(examined, job.suite)


async def forget(examined: Examined, suite: str | None = None) -> None:
    """Ends the run of one suite, or of all, that is under way; as if it had never begun."""
    suites = {suite} if suite else {*examined.checkers, *(path.name for path in examined.folder.glob("checks/*"))}
    for name in suites:
        if (checker := examined.checkers.pop(name, None)) is not None:
            checker.cancel()
    cut_off = [job for job in examined.jobs if job.run is None and job.suite in suites]
    if cut_off:
        examined.keep_jobs(tuple(job for job in examined.jobs if job not in cut_off))
    await asyncio.gather(*(examined.checks(name).stop() for name in suites))


async def _watch(examined: Examined, means: Means, job: CheckJob) -> None:
    unit = examined.checks(job.suite)
    state = await unit.wait()
    path = unit.folder / "result.json"
    if state is not None and state.timed_out:
        run = _broken(job, f"it took longer than {format_duration(means.policy.local.step_timeout)}")
    else:
        run = _read(path, job) or _broken(job, _why_silent(examined, state, unit.tail(5)))
    _finish(examined, job, run)


def _read(path: Path, job: CheckJob) -> SuiteRun | None:
    """None where there is no result, or one that is not of this run."""
    try:
        if path.is_symlink() or path.stat().st_size > MAX_RESULT:
            return None
        run = SuiteRun.from_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return run if (run.suite, run.revision) == (job.suite, job.revision) else None


def _why_silent(examined: Examined, state: State | None, lines: list[str]) -> str:
    ended = state.last_words if state else "was killed"
    said = f" ({lines[-1]})" if lines else ""
    return examined.redact(f"the checks left no result: their process {ended}{said}")


def _broken(job: CheckJob, why: str) -> SuiteRun:
    return SuiteRun(job.suite, job.revision, job.started_at, datetime.now(UTC) - job.started_at, error=why)


def _finish(examined: Examined, job: CheckJob, run: SuiteRun) -> None:
    jobs = tuple(replace(known, run=run) if known == job else known for known in examined.jobs)
    examined.keep_jobs(jobs, durable=True)


def artifact(examined: Examined, suite: str, name: str) -> bytes | None:
    """A file that the latest run left; None for anything that is not plainly one."""
    if any(Path(word).name != word or word.startswith(".") for word in (suite, name)):
        return None
    path = examined.folder / "checks" / suite / "output" / name
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_ARTIFACT:
            return None
        return path.read_bytes()
    except OSError:
        return None
