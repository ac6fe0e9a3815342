"""Applies the manifests that a repository brings itself, once every one of them was found to be allowed."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from controller.adapters.kubernetes import environment, names, own, own_placing, prepare, render, services, troubles
from controller.adapters.kubernetes.api import POD, STATEFUL_SET, kind_of
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.shared.orders import service_host
from controller.common.spec import Deploy


async def start_all(cell: Cell, means: Means, deploy: Deploy) -> None:
    """Returns when every Deployment and StatefulSet of theirs works.

    Raises StepFailed, or Refused with what is not allowed.
    """
    async with cell.step("manifests") as progress:
        theirs = await read(cell, means, deploy)
        progress.detail = f"{len(theirs)} objects"
    known = await prepare.images(cell, means, own_placing.images(theirs))
    theirs = own_placing.with_images(theirs, known)
    note_services(cell, theirs)
    await prepare.register(cell, theirs)
    for obj in theirs:
        await make_way(cell, means, obj)
        await prepare.apply(cell, means, [obj])
    await prepare.apply(cell, means, entrances(cell, means, theirs))
    for obj in theirs:
        if kind_of(obj) in services.KINDS:
            await _start(cell, means, obj)


async def _start(cell: Cell, means: Means, obj: Obj) -> None:
    """Where the manifest does not say how many replicas there are, it may still be as many as while it slept: none."""
    name, kind = obj["metadata"]["name"], kind_of(obj)
    async with cell.step(f"start {name}"):
        if "replicas" not in obj["spec"] and (found := cell.deployment(name, kind)) is not None:
            await services.wake(cell, means, found)
        if kind is STATEFUL_SET:
            await unstick(cell, means, name)
        await services.until_it_works(cell, name, kind)


async def unstick(cell: Cell, means: Means, name: str) -> None:
    """A pod that never became ready is in the way of its successor for ever
    (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback)."""
    found = await cell.until(lambda: _observed(cell, name))
    current = {pod["metadata"]["uid"] for pod in services.pods_of(cell, found)}
    for pod in services.all_pods_of(cell, found):
        metadata = pod["metadata"]
        if metadata["uid"] not in current and not troubles.pod_ready(pod):
            await means.api.delete(POD, metadata["name"], cell.name, uid=metadata["uid"])


def _observed(cell: Cell, name: str) -> Obj | None:
    """Once its controller has seen it as it is now: any pod that it makes from here on is of this deploy."""
    found = cell.deployment(name, STATEFUL_SET)
    seen = (found or {}).get("status", {}).get("observedGeneration", 0)
    return found if found is not None and seen >= found["metadata"]["generation"] else None


def note_services(cell: Cell, theirs: tuple[Obj, ...]) -> None:
    """On each Deployment which services its pods are behind, as theirs may have other names."""
    known = cell.record.order.spec.services
    selectors = {obj["metadata"]["name"]: obj["spec"].get("selector") for obj in theirs if obj["kind"] == "Service"}
    for obj in theirs:
        if kind_of(obj) in services.KINDS:
            labels = obj["spec"]["template"]["metadata"]["labels"].items()
            serves = [name for name, selector in selectors.items() if selector and selector.items() <= labels]
            annotations = obj["metadata"]["annotations"] = obj["metadata"].get("annotations") or {}
            annotations[names.SERVES] = " ".join(name for name in serves if name in known)


async def make_way(cell: Cell, means: Means, obj: Obj) -> None:
    """A Job or a Pod cannot be changed: that of an earlier deploy goes first. One of this deploy has run, or does."""
    if obj["kind"] not in {"Job", "Pod"}:
        return
    deploy, name, kind = str(cell.record.deployed), obj["metadata"]["name"], kind_of(obj)
    obj["metadata"]["labels"][names.DEPLOY] = deploy
    while (found := await means.api.get(kind, name, cell.name)) is not None:
        if found["metadata"].get("labels", {}).get(names.DEPLOY) == deploy:
            return
        await means.api.delete(kind, name, cell.name, uid=found["metadata"]["uid"])
        await asyncio.sleep(0.5)  # nobody watches every kind of object that a repository may bring


async def read(cell: Cell, means: Means, deploy: Deploy, more: Mapping[str, str] | None = None) -> tuple[Obj, ...]:
    """Its manifests, all of them allowed. `more` may be used in them besides what every preview knows."""
    record = cell.record
    url = means.url(record.order.host)
    values = environment.values(record, url) | {
        "namespace": cell.name,
        "domain": _whole(means, record.order.host),
        "database_secret": record.database_secret,
        **(more or {}),
    }
    hosts = [_whole(means, host) for host in _hosts(cell).values()]
    ports = {name: service.port for name, service in record.order.spec.services.items() if service.port is not None}
    taken = sorted(cell.applied)
    fork, policy = record.order.fork, means.policy.kubernetes
    bounds = own.Bounds(cell.place, policy, record.deployed, hosts, taken, services=ports, fork=fork)
    with tempfile.TemporaryDirectory(prefix="mayfly-manifests-") as folder:
        tree = Path(folder) / "tree"
        await means.sources.checkout(record.key.repo, record.order.revision, record.slug, tree)
        return await own.wanted(tree, deploy, values, bounds)


def _hosts(cell: Cell) -> dict[str, str]:
    """Host labels of the services that have one."""
    order = cell.record.order
    known = {name: service_host(order.spec, order.host, name) for name in order.spec.services}
    return {name: host for name, host in known.items() if host}


def _whole(means: Means, host: str) -> str:
    return f"{host}.{means.policy.domain}"


def entrances(cell: Cell, means: Means, theirs: tuple[Obj, ...]) -> tuple[Obj, ...]:
    """A way in to each Service that the spec names, where the repository brings none of its own."""
    if any(obj["kind"] in {"Ingress", "HTTPRoute"} for obj in theirs):
        return ()
    made: list[Obj] = []
    for name, host in _hosts(cell).items():
        port = cell.record.order.spec.services[name].port
        if port is not None:
            made += render.entrance(cell.place, name, port, _whole(means, host), means.policy.kubernetes)
    return tuple(made)
