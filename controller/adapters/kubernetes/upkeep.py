"""What is looked after once a preview is where it should be: services that crash, databases that were lost."""

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from controller.adapters.kubernetes import data, names, own_server, prepare, services
from controller.adapters.kubernetes.api import JOB, NAMESPACE
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.record import Record
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.registry.credentials import credentials_from
from controller.adapters.shared.orders import Aim
from controller.common.nouns import Phase
from controller.errors import Refused, Unavailable

log = structlog.get_logger()


def why_again(cell: Cell) -> str:
    """Why a preview that was where it should be needs a hand again; empty where it does not."""
    record = cell.record
    if record.aim is not Aim.RUN:
        return ""
    if why := own_server.why_lost(cell):
        return why
    if record.phase is Phase.READY and services.why_crashed(cell)[0]:
        return "a service keeps crashing"
    if record.crashed and services.all_work(cell):
        return "its services work again"
    return ""


async def mend(cell: Cell) -> None:
    """Writes down what has become of it; a lost database is made anew by the worker that follows."""
    record = cell.record
    crashed, trouble = services.why_crashed(cell)
    if why := own_server.why_lost(cell):
        since = datetime.now(UTC)
        again = replace(record, aim=Aim.DEPLOY, phase=Phase.STARTING, phase_since=since, reason=why)
        await cell.save(replace(again, deployed=record.deployed + 1, database_clean=False))
    elif record.phase is Phase.READY and crashed is not None and trouble is not None:
        said = await services.last_words(cell, crashed, trouble)
        why = f"{crashed['metadata']['name']} keeps crashing: {trouble.reason}"
        await cell.enter(Phase.FAILED, Aim.RUN, why, said, crashed=True)
    elif record.crashed and services.all_work(cell):
        await cell.enter(Phase.READY, Aim.RUN)


async def tidy(means: Means, cells: Iterable[Cell]) -> None:
    """Copies of repositories that nobody needs any more."""
    try:
        await means.sources.forget_others(lambda: {cell.record.slug for cell in cells})
        await means.sources.tidy()
    except (Unavailable, Refused) as error:
        log.warning("not tidied", reason=error.reason)


def begun_anew(known: Record, namespace: Obj, means: Means) -> Record:
    """Where the record cannot be read: what earlier deploys left is neither taken for ours nor forgotten."""
    jobs = means.cache.of(JOB, namespace["metadata"]["name"])
    deploys = [int(job["metadata"].get("labels", {}).get(names.DEPLOY, 0)) for job in jobs]
    return replace(known, deployed=max(deploys, default=0) + 1, database_name=known.slug if means.databases else "")


async def drop_database(cell: Cell, means: Means) -> None:
    """Of a preview whose namespace somebody else deleted; while that is there, whatever its labels, nothing is."""
    record = cell.record
    if means.databases is None or not record.database_name or record.aim is Aim.REMOVE:
        return
    try:
        if await means.api.get(NAMESPACE, cell.name) is None:
            await data.drop_on_server(record, means.databases)
    except (Unavailable, Refused) as error:
        log.warning("a database is left behind", database=record.database_name, reason=error.reason)


async def namespace(means: Means) -> None:
    """The controller's own, where it runs outside the cluster and nobody made it. Raises Refused where it may not."""
    name = means.policy.kubernetes.namespace
    if await means.api.get(NAMESPACE, name) is None:
        await means.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


async def read_pull_secrets(means: Means) -> None:
    """What the controller needs to ask private registries."""
    for name in means.policy.kubernetes.pull_secrets:
        found = await prepare.pull_secret(means, name)
        means.registry.login(credentials_from(b64decode(found["data"].get(".dockerconfigjson", ""))))
