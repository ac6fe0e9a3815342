"""What a deploy needs before anything of the application runs: fences, images, files of the revision."""

import asyncio
import base64
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from controller.adapters.kubernetes import blocks, environment, names, render, strangers
from controller.adapters.kubernetes.api import DEPLOYMENT, STATEFUL_SET, Conflict, Stale, kind_of
from controller.adapters.kubernetes.cell import WATCHED, Cell, Means
from controller.adapters.kubernetes.kinds import SECRET
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.shared.steps import StepFailed
from controller.errors import Refused
from smoke.documents import format_duration

MAX_SOURCE = 950_000
"""Bytes: a ConfigMap takes 1 MiB, and base64 and its names take their part of that."""
FENCED = (DEPLOYMENT, STATEFUL_SET)
FIRST_ASK, LONGEST_ASK = 2.0, 30.0


async def register(cell: Cell, objects: Iterable[Obj]) -> None:
    """Written down before they are applied, so that they are removed when a later revision has them not."""
    wanted = tuple(names.identity(obj) for obj in objects)
    cell.applied |= set(wanted)
    if new := tuple(name for name in wanted if name not in cell.record.inventory):
        await cell.save(replace(cell.record, inventory=cell.record.inventory + new))


async def apply(cell: Cell, means: Means, objects: Iterable[Obj]) -> None:
    """In order; what was not registered yet is, first."""
    wanted = tuple(objects)
    await register(cell, wanted)
    for obj in wanted:
        made = await _applied(cell, means, obj)
        if (kind := kind_of(made)) in WATCHED:
            means.cache.put(kind, made)


async def _applied(cell: Cell, means: Means, obj: Obj) -> Obj:
    """Workloads only over what was seen of them, so that who leads no more undoes nothing of who leads now."""
    kind, name, force = kind_of(obj), obj["metadata"]["name"], means.policy.kubernetes.force_conflicts
    known = means.cache.get(kind, name, cell.name) if kind in FENCED else None
    if kind in FENCED and known is None:
        await cell.confirm()
    while True:
        seen = {"resourceVersion": known["metadata"]["resourceVersion"]} if known else {}
        try:
            return await means.api.apply({**obj, "metadata": obj["metadata"] | seen}, force=force)
        except Conflict as conflict:
            if force or not conflict.with_ourselves:
                raise
            force = True
        except Stale:
            await cell.confirm()
            known = await means.api.get(kind, name, cell.name)


async def fences(cell: Cell, means: Means) -> None:
    """Quota, limits, network, account, pull secrets. The namespace is closed before anything runs in it."""
    kubernetes = cell.kubernetes
    async with cell.step("prepare"):
        port, at = await _database(cell, means)
        copies = [copied(cell, await pull_secret(means, name)) for name in kubernetes.pull_secrets]
        for obj in (*copies, *render.fences(cell.place, kubernetes, port, at)):
            await means.api.apply(obj, force=True)  # nobody else has a say in these


async def _database(cell: Cell, means: Means) -> tuple[int | None, Collection[str]]:
    """Port of the server for all, and the blocks that it is in."""
    if means.databases is None:
        return None, ()
    address = means.policy.kubernetes.databases.host or await means.databases.address()
    host, _, port = address.rpartition(":")
    return int(port), await strangers.blocks_of(host) if cell.record.order.fork else blocks.ANYWHERE


async def pull_secret(means: Means, name: str) -> Obj:
    """One of those that the policy names. Raises Refused where it is not there."""
    found = await means.api.get(SECRET, name, means.policy.kubernetes.namespace)
    if found is None:
        raise Refused(f"the policy names a pull secret `{name}`, which is not in {means.policy.kubernetes.namespace}")
    return found


def copied(cell: Cell, secret: Obj) -> Obj:
    """A pull secret, for the namespace of the cell."""
    metadata = {"name": secret["metadata"]["name"], "namespace": cell.name, "labels": names.labels(cell.place)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": secret["type"], "data": secret["data"]}


async def images(cell: Cell, means: Means, wanted: Collection[str]) -> Mapping[str, str]:
    """Waits until every image is in its registry, and says which digest each was found under. Raises StepFailed."""
    within = means.policy.kubernetes.wait_for_image
    if not wanted or not within:
        return {}
    async with cell.step("image") as progress:
        known = {image: cell.record.images[image] for image in wanted if image in cell.record.images}
        known |= await _waited_for(cell, means, [image for image in wanted if image not in known])
        cell.record = replace(cell.record, images=cell.record.images | known)
        progress.detail = ", ".join(known[image].rpartition("@")[2][:19] for image in wanted)
        return known


async def _waited_for(cell: Cell, means: Means, missing: list[str]) -> dict[str, str]:
    """Where each was found. The time counts from the order: a controller that takes over does not begin it anew."""
    within, known, pause = means.policy.kubernetes.wait_for_image, dict[str, str](), FIRST_ASK
    until = cell.record.phase_since + within
    registry = means.public if cell.record.order.fork else means.registry
    while missing:
        digests = await asyncio.gather(*map(registry.digest, missing))
        known |= {image: _pinned(image, digest) for image, digest in zip(missing, digests, strict=True) if digest}
        missing = [image for image in missing if image not in known]
        left = (until - datetime.now(UTC)).total_seconds()
        if missing and left < 0:
            raise StepFailed(f"image: {missing[0]} was not in its registry within {format_duration(within)}")
        if missing:
            cell.show(reason=f"waiting for {' and '.join(missing)} to appear in the registry")
            await asyncio.sleep(min(pause, max(0.1, left)))
            pause = min(LONGEST_ASK, pause * 1.5)
    return known


def _pinned(image: str, digest: str) -> str:
    name, at, _ = image.partition("@")
    return image if at else f"{_without_tag(name)}@{digest}"


def _without_tag(image: str) -> str:
    path, slash, last = image.rpartition("/")
    return path + slash + last.partition(":")[0]


async def sources(cell: Cell, means: Means) -> None:
    """Packs what the preview needs of its repository. Raises Refused where that is too much."""
    record = cell.record
    files = record.order.spec.files()
    wanted: dict[str, list[str]] = {"all": []} if environment.needs_checkout(record) else {}
    if files:
        wanted["seed"] = files
    async with cell.step("checkout"):
        await means.sources.fetch(record.key.repo, record.order.revision, record.slug)
        known = {name: await _pack(cell, means, name, paths) for name, paths in wanted.items()}
        cell.record = replace(cell.record, sources=known)


async def _pack(cell: Cell, means: Means, name: str, paths: list[str]) -> str:
    made = await packed(cell, means, name, paths)
    await apply(cell, means, [made])
    found: str = made["metadata"]["name"]
    return found


async def packed(cell: Cell, means: Means, name: str, paths: list[str]) -> Obj:
    """A ConfigMap with these files of the revision, or all. Raises Refused where that is too much."""
    order = cell.record.order
    archive = await means.sources.archive(cell.key.repo, order.revision, cell.record.slug, paths)
    if len(base64.b64encode(archive)) > MAX_SOURCE:
        what = "seed" if paths else "repository"
        instead = "seed with a `command`" if paths else "build an image, and name it as `image: …:{sha}`"
        raise Refused(f"checkout: the {what} is too large to be run from source ({len(archive):,} bytes); {instead}")
    return render.config(cell.place, f"source-{name}", {}, {"source.tar.gz": archive})
