"""Runs a seed, a migration or another short task as a Job, to its end."""

import time
from dataclasses import replace
from datetime import timedelta

from controller.adapters.kubernetes import names, render, troubles
from controller.adapters.kubernetes.api import JOB
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.events import heeded
from controller.adapters.kubernetes.shapes import Container, Obj, Task
from controller.adapters.shared.steps import StepFailed
from controller.adapters.shared.words import telling_line


async def run(cell: Cell, means: Means, step: str, container: Container, **labels: str) -> tuple[timedelta, str]:
    """How long it took, and what it said. Raises StepFailed with its last lines.

    Its name has the deploy, the container and the server's pod in it, so that one that runs already, or has run, is not
    run again; but it is where the data it made is lost.
    """
    kubernetes = cell.kubernetes
    name = names.hashed(
        f"{step}-{cell.record.deployed}", [container.command, container.image, dict(labels), cell.record.server_pod]
    )
    wanted = {names.TASK: step, names.DEPLOY: str(cell.record.deployed)} | labels
    job = render.task(cell.place, Task(name, container, kubernetes.step_timeout, wanted), kubernetes)
    began = time.monotonic()
    if cell.job(name) is None:
        made = await means.api.create(job) or await means.api.get(JOB, name, cell.name)
        if made is not None:
            means.cache.put(JOB, made)
    async with heeded(cell, means):
        state = await cell.until(lambda: _ended(cell, name, step))
    said = await _said(cell, name)
    if state.succeeded:
        return timedelta(seconds=time.monotonic() - began), said
    why = f"{state.reason}{_meanwhile(cell)}" if state.timed_out else telling_line(said.splitlines()) or state.reason
    raise StepFailed(f"{step}: {why}", said)


def _meanwhile(cell: Cell) -> str:
    """What it waited for all the time; empty where it ran."""
    return f" ({cell.record.reason})" if cell.record.reason else ""


def _ended(cell: Cell, name: str, step: str) -> troubles.JobState | None:
    """How it ended; None, and what it waits for shown, while it goes on. One that was deleted under us has failed."""
    job = cell.job(name)
    if job is None:
        return troubles.JobState(ended=True, succeeded=False, reason="its Job was deleted")
    state = troubles.job_state(job, cell.pods_of_job(name))
    if state.ended:
        return state
    trouble = next((found for pod in cell.pods_of_job(name) if (found := _trouble(cell, pod))), None)
    if trouble is not None and trouble.fatal and not trouble.previous_logs:
        return replace(state, ended=True, reason=trouble.reason)
    waits = trouble.reason if trouble else cell.warnings.get(job["metadata"]["uid"], "")
    cell.show(reason=f"{step}: {waits}" if waits else "")
    return None


def _trouble(cell: Cell, pod: Obj) -> troubles.Trouble | None:
    return troubles.pod_trouble(pod, cell.warnings.get(pod["metadata"]["uid"], ""))


async def _said(cell: Cell, name: str) -> str:
    """The last lines of whichever container had most to say: the task's own, or the one that failed before it."""
    for pod in cell.pods_of_job(name)[:1]:
        status = pod.get("status", {})
        failed = [
            one["name"]
            for one in (*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ()))
            if one.get("state", {}).get("terminated", {}).get("exitCode")
        ]
        return await cell.logs(pod, failed[0] if failed else "run")
    return ""
