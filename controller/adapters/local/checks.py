"""Runs a suite of checks against a preview: `python -m smoke`, as a unit, so that it outlives us and is found again.

A run that ended without a result is broken, never passed. One that was cut off (a reboot, a new deploy) leaves no job,
so that it is started again.
"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import ValidationError

from controller.adapters.local import environment
from controller.adapters.local.cell import Cell, Means
from controller.adapters.local.units import Command, State
from controller.adapters.shared.disk import discard, trouble
from controller.common.nouns import CheckJob
from controller.errors import Refused, Unavailable
from controller.previews.model import Phase
from smoke.documents import format_duration
from smoke.model import SuiteRun
from smoke.spec import Check

KEPT = 10
"""Most finished runs that are remembered here; the history has them all."""
MAX_RESULT = 32 * 2**20
MAX_ARTIFACT = 16 * 2**20
_log = structlog.get_logger()


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
    older = tuple(job for job in record.jobs if job.suite != suite or job.run is not None)
    job = CheckJob(suite, revision, order, datetime.now(UTC))
    cell.save(replace(record, jobs=(*older, job)[-KEPT:]), durable=True)
    _follow(cell, job, _run(cell, means, job, checks))


def _follow(cell: Cell, job: CheckJob, doing: Coroutine[object, object, None]) -> None:
    if (older := cell.checkers.get(job.suite)) is not None:
        older.cancel()
    cell.checkers[job.suite] = asyncio.create_task(doing)


async def _run(cell: Cell, means: Means, job: CheckJob, checks: list[Check]) -> None:
    try:
        await cell.checks(job.suite).stop()
        if refusal := why_not(checks, means):
            _finish(cell, job, _broken(job, refusal))
            return
        await _launch(cell, means, job.suite, checks)
        await _watch(cell, means, job)
    except Unavailable as error:
        _log.warning("checks have to wait", preview=str(cell.record.key), suite=job.suite, reason=error.reason)


def why_not(checks: list[Check], means: Means) -> str:
    """What the policy has against these checks; empty where it has nothing."""
    allow = means.policy.allow
    kinds = {check.kind for check in checks}
    if not allow.command_checks and "command" in kinds:
        return "the policy of this Mayfly allows no `command` checks"
    if not allow.browser_checks and "browser" in kinds:
        return "the policy of this Mayfly allows no `browser` checks"
    return ""


async def _launch(cell: Cell, means: Means, suite: str, checks: list[Check]) -> None:
    unit, local = cell.checks(suite), means.policy.local
    await asyncio.to_thread(discard, unit.folder)
    written = [check.model_dump(mode="json", by_alias=True, exclude_unset=True) for check in checks]
    with trouble("write the checks"):
        (unit.folder / "output").mkdir(parents=True, mode=0o700)
        (unit.folder / "checks.yaml").write_text(json.dumps({"checks": written}))
    argv = _command(cell, means, unit.folder, suite)
    env = environment.base(local.path, cell.folder) | {"MAYFLY_VARS": json.dumps(_variables(cell, means))}
    unit.start(Command(argv, env, unit.folder, once=True, limit=local.step_timeout))


def _command(cell: Cell, means: Means, folder: Path, suite: str) -> tuple[str, ...]:
    order = cell.record.order
    port = cell.record.ports.get(order.spec.main_service)
    address = f"http://127.0.0.1:{port}" if port else "http://127.0.0.1"
    return (
        *(*means.smoke, "run", str(folder / "checks.yaml")),
        *("--url", address, "--suite", suite, "--revision", order.revision, "--untrusted"),
        *("--json", str(folder / "result.json"), "--output", str(folder / "output"), "--workdir", str(cell.tree)),
    )


def _variables(cell: Cell, means: Means) -> dict[str, str]:
    """`command` checks get them in capitals, so that the database is where the spec says it is."""
    order = cell.record.order
    known = {"sha": order.revision, "number": str(cell.record.key.number)}  # `{url}` is smoke's: the address itself
    if (postgres := order.spec.postgres) is None or not cell.record.database_url:
        return known
    return known | dict.fromkeys(("database_url", postgres.env.lower()), cell.record.database_url)


async def resume(cell: Cell, means: Means) -> None:
    """A run that nobody watches is taken up where it goes on or left its result, and forgotten where it was cut off."""
    for job in [job for job in cell.record.jobs if job.run is None]:
        unit, checker = cell.checks(job.suite), cell.checkers.get(job.suite)
        if checker is not None and not checker.done():
            continue
        if unit.alive or (unit.folder / "result.json").exists():
            _follow(cell, job, _watch(cell, means, job))
        else:
            await forget(cell, job.suite)


async def forget(cell: Cell, suite: str | None = None) -> None:
    """Ends the run of one suite, or of all, that is under way; as if it had never begun."""
    suites = {suite} if suite else {*cell.checkers, *(path.name for path in cell.folder.glob("checks/*"))}
    for name in suites:
        if (checker := cell.checkers.pop(name, None)) is not None:
            checker.cancel()
    cut_off = [job for job in cell.record.jobs if job.run is None and job.suite in suites]
    if cut_off:
        cell.save(replace(cell.record, jobs=tuple(job for job in cell.record.jobs if job not in cut_off)))
    await asyncio.gather(*(cell.checks(name).stop() for name in suites))


async def _watch(cell: Cell, means: Means, job: CheckJob) -> None:
    unit = cell.checks(job.suite)
    state = await unit.wait()
    path = unit.folder / "result.json"
    if state is not None and state.timed_out:
        run = _broken(job, f"it took longer than {format_duration(means.policy.local.step_timeout)}")
    else:
        run = _read(path, job) or _broken(job, _why_silent(cell, state, unit.tail(5)))
    _finish(cell, job, run)


def _read(path: Path, job: CheckJob) -> SuiteRun | None:
    """None where there is no result, or one that is not of this run."""
    try:
        if path.is_symlink() or path.stat().st_size > MAX_RESULT:
            return None
        run = SuiteRun.from_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return run if (run.suite, run.revision) == (job.suite, job.revision) else None


def _why_silent(cell: Cell, state: State | None, lines: list[str]) -> str:
    ended = state.last_words if state else "was killed"
    said = f" ({lines[-1]})" if lines else ""
    return cell.redact(f"the checks left no result: their process {ended}{said}")


def _broken(job: CheckJob, why: str) -> SuiteRun:
    return SuiteRun(job.suite, job.revision, job.started_at, datetime.now(UTC) - job.started_at, error=why)


def _finish(cell: Cell, job: CheckJob, run: SuiteRun) -> None:
    jobs = tuple(replace(known, run=run) if known == job else known for known in cell.record.jobs)
    cell.save(replace(cell.record, jobs=jobs), durable=True)


def artifact(cell: Cell, suite: str, name: str) -> bytes | None:
    """A file that the latest run left; None for anything that is not plainly one."""
    if suite not in cell.record.order.spec.checks.suites() or Path(name).name != name or name.startswith("."):
        return None
    path = cell.folder / "checks" / suite / "output" / name
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_ARTIFACT:
            return None
        return path.read_bytes()
    except OSError:
        return None
