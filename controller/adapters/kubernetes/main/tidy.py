"""What no release of a target needs any more goes; what was never ours, and data, stays whatever happens."""

from dataclasses import replace

from controller.adapters.kubernetes import names, results, runs
from controller.adapters.kubernetes.api import JOB, kind_of
from controller.adapters.kubernetes.main.hand import Hand
from controller.adapters.kubernetes.main.main import Main
from controller.adapters.kubernetes.shapes import Obj

_NEVER = frozenset({"Namespace", "PersistentVolumeClaim", "CustomResourceDefinition"})
_SHARED = frozenset({"apps/v1/Deployment/postgres", "v1/Service/postgres", "v1/ServiceAccount/preview"})
"""Of the target, whatever its release."""


async def prune(main: Main, making: Hand | None) -> None:
    """Once the live release is rolled out: all that was applied and neither it nor the warm one has."""
    needed = set(_SHARED) | {f"v1/Secret/{main.state.database_secret}"}
    for number in {main.record.live, main.record.warm} - {0}:
        if (kept := await main.kept(number)) is not None:
            needed |= kept.identities
    needed |= making.applied if making is not None else frozenset()
    gone = [name for name in main.state.inventory if name not in needed]
    for name in gone:
        api_version, kind, obj = name.rsplit("/", 2)
        if kind not in _NEVER:
            await main.means.api.delete(kind_of({"apiVersion": api_version, "kind": kind}), obj, main.namespace)
    if gone:
        left = frozenset(gone)
        await main.change(
            lambda state: replace(state, inventory=tuple(name for name in state.inventory if name not in left))
        )


async def forget(main: Main, making: Hand | None, serving: Hand | None) -> None:
    """Releases that are not in the record any more: their Jobs, and what is kept of them."""
    known = {release.number for release in main.record.releases}
    for number in main.state.begun:
        if number in known or (making is not None and making.number == number):
            continue
        for job in _jobs(main):
            if job["metadata"].get("labels", {}).get(names.DEPLOY) == str(number):
                await _delete(main, serving, job)
        await main.forget(number)
    revisions = {release.revision for release in main.record.releases}
    for job in _jobs(main):
        shard = results.Shard.of(job)
        if shard is not None and shard.revision not in revisions:
            await _delete(main, serving, job)


def _jobs(main: Main) -> list[Obj]:
    return list(main.means.cache.of(JOB, main.namespace))


async def _delete(main: Main, serving: Hand | None, job: Obj) -> None:
    if serving is not None and results.Shard.of(job) is not None:
        await runs.delete(serving, main.means, job)
        return
    metadata = job["metadata"]
    await main.means.api.delete(JOB, metadata["name"], main.namespace, uid=metadata["uid"])
