"""The services of a preview: applied in dependency order, each once those it needs work; put to sleep, and woken.

Ours are Deployments; a repository may bring StatefulSets as well, which are waited for, stopped and woken alike.
"""

import asyncio
from datetime import UTC, datetime

from controller.adapters.kubernetes import environment, names, render, troubles
from controller.adapters.kubernetes.api import DEPLOYMENT, STATEFUL_SET, Kind, Stale, kind_of
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.own_server import NAME as POSTGRES
from controller.adapters.kubernetes.prepare import apply, register
from controller.adapters.kubernetes.shapes import Obj, Workload
from controller.adapters.shared.orders import service_host
from controller.adapters.shared.steps import StepFailed

ASLEEP = "mayfly.dev/replicas"
"""Annotation of a Deployment that sleeps: how many replicas it had."""
KINDS = (DEPLOYMENT, STATEFUL_SET)


async def start_all(cell: Cell, means: Means) -> None:
    """Returns when every service works. Raises StepFailed."""
    spec = cell.record.order.spec
    await register(cell, [obj for name in spec.services for obj in wanted(cell, means, name)])
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            for name in spec.start_order():
                needs = [tasks[other] for other in spec.services[name].depends_on]
                tasks[name] = group.create_task(_start(cell, means, name, needs))
    except BaseExceptionGroup as several:
        raise first(several) from None


def first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """What the person who wrote the spec should read, if it is among them."""
    return next((error for error in several.exceptions if isinstance(error, StepFailed)), several.exceptions[0])


async def _start(cell: Cell, means: Means, name: str, needs: list[asyncio.Task[None]]) -> None:
    if needs:
        await asyncio.wait(needs)
        if any(task.cancelled() or task.exception() for task in needs):
            return
    async with cell.step(f"start {name}"):
        await apply(cell, means, wanted(cell, means, name))
        await until_it_works(cell, name)


def wanted(cell: Cell, means: Means, name: str) -> tuple[Obj, ...]:
    """All objects of one service at the present revision."""
    record, kubernetes = cell.record, cell.kubernetes
    host = service_host(record.order.spec, record.order.host, name)
    container = environment.of_service(record, name, means.url(record.order.host), kubernetes)
    workload = Workload(container, record.order.revision, record.deployed)
    made = render.workload(cell.place, workload, kubernetes)
    if container.port is None or not host:
        return made
    whole = f"{host}.{means.policy.domain}"
    return (*made, *render.entrance(cell.place, name, container.port, whole, kubernetes))


async def until_it_works(cell: Cell, name: str, kind: Kind = DEPLOYMENT) -> None:
    """Shows what it waits for. Raises StepFailed where waiting is of no use."""
    found = await cell.until(lambda: _look(cell, name, kind))
    if found.fatal:
        said = await last_words(cell, cell.deployment(name, kind), found)
        raise StepFailed(f"start {name}: {found.reason}", said, name)


def _look(cell: Cell, name: str, kind: Kind) -> troubles.Trouble | None:
    """Something where the waiting is over: a trouble that is fatal, or one that is none."""
    found = cell.deployment(name, kind)
    if found is None:
        return None
    if troubles.deployment_ready(found):
        return troubles.Trouble("", fatal=False)
    ailing = trouble(cell, found, datetime.now(UTC))
    if ailing is not None and ailing.fatal:
        return ailing
    cell.show(reason=f"start {name}: {ailing.reason}" if ailing else "")
    return None


def trouble(cell: Cell, found: Obj, now: datetime) -> troubles.Trouble | None:
    """Why a Deployment or StatefulSet does not work yet, from its pods and from what was warned of."""
    pods = pods_of(cell, found)
    return troubles.deployment_trouble(found, pods, now) or _warned(cell, found, pods)


def _warned(cell: Cell, deployment: Obj, pods: list[Obj]) -> troubles.Trouble | None:
    """What is said in events alone: of a pod, or of one that a StatefulSet cannot make."""
    if not pods and (event := cell.warnings.get(deployment["metadata"]["uid"])):
        return troubles.Trouble(event, fatal=False)
    said = [(pod, cell.warnings.get(pod["metadata"]["uid"], "")) for pod in pods]
    return next((found for pod, event in said if event and (found := troubles.pod_trouble(pod, event))), None)


def pods_of(cell: Cell, deployment: Obj) -> list[Obj]:
    """Those of its present template where that can be told, newest first."""
    return [pod for pod in all_pods_of(cell, deployment) if _is_current(pod, deployment)]


def all_pods_of(cell: Cell, deployment: Obj) -> list[Obj]:
    """Those of older templates as well."""
    wanted_labels = deployment["spec"]["selector"].get("matchLabels", {}).items()
    return [pod for pod in cell.pods() if wanted_labels <= pod["metadata"].get("labels", {}).items()]


def _is_current(pod: Obj, deployment: Obj) -> bool:
    """Whether it is of the same deploy; a pod that says nothing of that may be."""
    template = deployment["spec"]["template"]["metadata"].get("annotations", {})
    mine = pod["metadata"].get("annotations", {})
    return bool(mine.get(names.DEPLOY, "") == template.get(names.DEPLOY, ""))


async def last_words(cell: Cell, deployment: Obj | None, ailing: troubles.Trouble) -> str:
    """The last lines of the container that is in trouble, of its run before where that is the one that crashed."""
    if deployment is None or not ailing.container:
        return ""
    for pod in pods_of(cell, deployment)[:1]:
        said = await cell.logs(pod, ailing.container)
        return said or await cell.logs(pod, ailing.container, previous=True)
    return ""


def deployments(cell: Cell) -> list[Obj]:
    """Of services, StatefulSets included; the preview's own database goes on while they sleep."""
    found = [one for kind in KINDS for one in cell.objects(kind)]
    ours = POSTGRES if POSTGRES not in cell.record.order.spec.services else ""
    return [one for one in found if one["metadata"]["labels"].get(names.SERVICE, "-") != ours]


def behind(cell: Cell, service: str) -> Obj | None:
    """What runs a service: the Deployment of its name, or that of the repository's own which its Service leads to."""
    said = ((one, one["metadata"].get("annotations", {}).get(names.SERVES, "")) for one in deployments(cell))
    serving = next((one for one, services in said if service in services.split()), None)
    return serving or cell.deployment(service) or cell.deployment(service, STATEFUL_SET)


async def stop_all(cell: Cell, means: Means) -> None:
    """Scales every service to nothing; how many replicas each had is kept beside it."""
    for found in deployments(cell):
        replicas = found["spec"].get("replicas", 1)
        if replicas:
            change = {"metadata": {"annotations": {ASLEEP: str(replicas)}}, "spec": {"replicas": 0}}
            await _patch(cell, means, found, change)


async def wake(cell: Cell, means: Means, found: Obj) -> None:
    """Scales one that sleeps to what it had."""
    before = found["metadata"].get("annotations", {}).get(ASLEEP)
    if before is not None:
        change = {"metadata": {"annotations": {ASLEEP: None}}, "spec": {"replicas": int(before)}}
        await _patch(cell, means, found, change)


def asleep(cell: Cell) -> bool:
    """Whether any is scaled to nothing by us; where it should run, by a controller that led no more."""
    return any(ASLEEP in found["metadata"].get("annotations", {}) for found in deployments(cell))


async def wake_all(cell: Cell, means: Means) -> None:
    """Scales every service to what it had. Raises StepFailed where one does not start."""
    for found in deployments(cell):
        await wake(cell, means, found)
    for found in deployments(cell):
        name = found["metadata"]["name"]
        async with cell.step(f"start {name}"):
            await until_it_works(cell, name, kind_of(found))


async def _patch(cell: Cell, means: Means, found: Obj, change: Obj) -> None:
    """On it as it was seen, or, where its status changed since, once we know that nobody else acts."""
    kind, seen = kind_of(found), found
    while True:
        metadata = seen["metadata"]
        only = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        wanted = {**change, "metadata": change["metadata"] | only}
        try:
            kept = await means.api.patch(kind, metadata["name"], cell.name, wanted)
        except Stale:
            await cell.confirm()
            kept = None
        now = kept or await means.api.get(kind, metadata["name"], cell.name)
        if now is not None:
            means.cache.put(kind, now)
        if kept is not None or now is None:
            return
        seen = now


def why_crashed(cell: Cell) -> tuple[Obj | None, troubles.Trouble | None]:
    """The Deployment of a service that ran and keeps ending, and its trouble."""
    for found in deployments(cell):
        ready = troubles.deployment_ready(found)
        ailing = None if ready else troubles.deployment_trouble(found, pods_of(cell, found), datetime.now(UTC))
        if ailing is not None and ailing.fatal:
            return found, ailing
    return None, None


def all_stopped(cell: Cell) -> bool:
    return not any(found["spec"].get("replicas", 1) for found in deployments(cell))


def all_work(cell: Cell) -> bool:
    found = deployments(cell)
    return bool(found) and all(troubles.deployment_ready(one) for one in found)
