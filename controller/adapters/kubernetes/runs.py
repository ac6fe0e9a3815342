"""Runs of checks: Jobs in the preview's namespace. What they found is read from their logs, and kept on the Job."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from controller.adapters.kubernetes import checks, environment, names, render, results, troubles
from controller.adapters.kubernetes.api import JOB, POD
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.kinds import CONFIG_MAP
from controller.adapters.kubernetes.shapes import Obj
from controller.common.nouns import Phase
from controller.errors import Refused, Unavailable

PATIENCE = timedelta(minutes=1)
"""For the shards of a run to be made; we were stopped meanwhile where one is missing after that."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
_log = structlog.get_logger()


async def start(cell: Cell, means: Means, suite: str, order: int, url: str = "") -> None:
    """Starts a run, ending an older one of the same suite. A run of this order that is known already is left alone.

    Against the main service, where no `url` is given.
    """
    record = cell.record
    known = {(job.suite, job.revision, job.order) for job in results.jobs_of(check_jobs(cell))}
    if (suite, record.order.revision, order) in known:
        return
    if suite not in record.order.spec.checks.suites():
        raise Refused(f"there are no `{suite}` checks in the spec")
    if record.phase is not Phase.READY:
        raise Unavailable(f"the preview is {record.phase}")
    await forget(cell, means, suite)
    wanted = checks.Wanted(
        suite,
        order,
        datetime.now(UTC),
        times=_times(means, record.key.repo, suite) if record.order.spec.checks.shards > 1 else {},
        source=record.sources.get("all", ""),
        database=next(iter(environment.database(record).values()), None),
        images=record.images,
        url=url,
    )
    for task, config in checks.tasks(cell.place, record.order, wanted, cell.kubernetes):
        await means.api.apply(config)
        made = await means.api.create(render.check_task(cell.place, task, cell.kubernetes))
        if made is not None:
            means.cache.put(JOB, made)


def _times(means: Means, repo: str, suite: str) -> dict[str, timedelta]:
    """How long each check took when it last ran to its end, in any preview of the repository."""
    ours = [job for job in means.cache.all(JOB) if job["metadata"].get("labels", {}).get(names.SUITE) == suite]
    runs = [job.run for job in results.jobs_of([job for job in ours if _repo_of(job) == names.digest(repo)])]
    return {check.name: check.took for run in runs if run is not None for check in run.results}


def _repo_of(job: Obj) -> str:
    found: str = job["metadata"].get("labels", {}).get(names.REPO, "")
    return found


def check_jobs(cell: Cell) -> list[Obj]:
    return cell.objects(JOB, TASK="check")


async def forget(cell: Cell, means: Means, suite: str | None = None) -> None:
    """Ends the run of one suite, or of all, that is under way, as if it had never begun; and old runs go."""
    jobs = check_jobs(cell)
    old = {job["metadata"]["name"] for job in results.old(jobs)}
    for job in jobs:
        annotations, labels = job["metadata"].get("annotations", {}), job["metadata"].get("labels", {})
        cut_off = names.RESULT not in annotations and suite in {None, labels.get(names.SUITE)}
        if cut_off or job["metadata"]["name"] in old:
            await delete(cell, means, job)


async def delete(cell: Cell, means: Means, job: Obj) -> None:
    name = job["metadata"]["name"]
    if (reader := cell.readers.pop(name, None)) is not None:
        reader.cancel()
    await means.api.delete(JOB, name, cell.name, uid=job["metadata"]["uid"])
    for volume in job["spec"]["template"]["spec"].get("volumes", ()):
        if "configMap" in volume and volume["name"] == "config":
            await means.api.delete(CONFIG_MAP, volume["configMap"]["name"], cell.name)


def collect(cell: Cell, means: Means) -> None:
    """Begins to read what each Job found that has said all it will, unless that is done or under way."""
    for job in check_jobs(cell):
        name = job["metadata"]["name"]
        done = names.RESULT in job["metadata"].get("annotations", {})
        reader = cell.readers.get(name)
        if not done and _has_ended(cell, job) and (reader is None or reader.done()):
            cell.readers[name] = asyncio.create_task(_keep(cell, means, job))


def _has_ended(cell: Cell, job: Obj) -> bool:
    return troubles.job_state(job).ended or any(
        results.smoke_ended(pod) for pod in cell.pods_of_job(job["metadata"]["name"])
    )


async def _unheard(cell: Cell, means: Means, job: Obj) -> list[Obj]:
    """Nothing may be heard of pods just now."""
    found, _ = await means.api.list(POD, cell.name, f"job-name={job['metadata']['name']}")
    return found


async def begin_anew(cell: Cell, means: Means) -> None:
    """Runs that lack a shard long after they were begun go, so that they are begun again."""
    for job in results.half_begun(check_jobs(cell)):
        if datetime.now(UTC) - datetime.fromisoformat(job["metadata"]["creationTimestamp"]) > PATIENCE:
            await delete(cell, means, job)


async def _keep(cell: Cell, means: Means, job: Obj) -> None:
    """Writes the result onto the Job, as soon as its log can be read: its pod may be about to go."""
    shard, pause = results.Shard.of(job), FIRST_PAUSE
    while shard is not None:
        try:
            await _read(cell, means, job, shard)
        except (Unavailable, Refused) as error:
            _log.warning("a result waits", preview=str(cell.key), job=job["metadata"]["name"], reason=error.reason)
        else:
            return
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)


async def _read(cell: Cell, means: Means, job: Obj, shard: results.Shard) -> None:
    """What left no result is broken, never passed."""
    metadata = job["metadata"]
    ended = troubles.job_state(job, cell.pods_of_job(job["metadata"]["name"])).reason or "it ended"
    log = await log_of(cell, means, job)
    run = await asyncio.to_thread(results.read, log, shard, datetime.now(UTC), ended)
    run = replace(run, error=cell.redact(run.error))
    annotations = {names.RESULT: await asyncio.to_thread(results.compress, run)}
    change = {"metadata": {"uid": metadata["uid"], "annotations": annotations}}
    kept = await means.api.patch(JOB, metadata["name"], cell.name, change)
    if kept is not None:
        means.cache.put(JOB, kept)


async def log_of(cell: Cell, means: Means, job: Obj) -> str:
    """What its smoke container printed; empty where there is no pod of it any more."""
    await cell.know_secrets()
    heard = cell.pods_of_job(job["metadata"]["name"]) or await _unheard(cell, means, job)
    for pod in heard:
        return await means.api.logs(cell.name, pod["metadata"]["name"], "smoke")
    return ""


async def artifact(cell: Cell, means: Means, suite: str, name: str) -> bytes | None:
    """A file that the latest run of a suite handed over."""
    jobs = [job for job in check_jobs(cell) if job["metadata"].get("labels", {}).get(names.SUITE) == suite]
    for job in sorted(jobs, key=lambda job: str(job["metadata"]["creationTimestamp"]), reverse=True):
        handed = await asyncio.to_thread(results.artifacts, await log_of(cell, means, job))
        if name in handed:
            return handed[name]
    return None
