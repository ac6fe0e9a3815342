"""What a revision has not any more is removed: all that was ever applied is written down until it is gone.

Seeds and migrations are not written down: their Jobs say which deploy they are of.
"""

from dataclasses import replace

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.api import JOB, kind_of
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.shapes import Obj


async def prune(cell: Cell, means: Means) -> None:
    """Once a revision works: what was applied for earlier ones only."""
    record = cell.record
    kept = cell.applied | {f"v1/Secret/{record.database_secret}"}
    kept |= {f"v1/ConfigMap/{name}" for name in record.sources.values()}
    for name in record.inventory:
        if name not in kept:
            api_version, kind, obj = name.rsplit("/", 2)
            await means.api.delete(kind_of({"apiVersion": api_version, "kind": kind}), obj, cell.name)
    for job in cell.objects(JOB):
        if _is_old_task(job, str(record.deployed)):
            await means.api.delete(JOB, job["metadata"]["name"], cell.name, uid=job["metadata"]["uid"])
    cell.record = replace(record, inventory=tuple(name for name in record.inventory if name in kept))


def _is_old_task(job: Obj, deploy: str) -> bool:
    """Runs of checks are no part of a deploy."""
    labels = job["metadata"]["labels"]
    return bool(labels.get(names.TASK, "check") != "check" and labels.get(names.DEPLOY) != deploy)
