"""A PostgreSQL of the preview's own: started in its namespace, seeded there, and gone with it."""

import secrets
from dataclasses import replace
from datetime import timedelta

from controller.adapters.kubernetes import data, render, tasks, troubles
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.prepare import apply
from controller.adapters.kubernetes.shapes import Container, Server
from controller.adapters.shared.steps import StepFailed
from controller.common.spec import Postgres, SeedCommand, fill
from controller.errors import Refused
from controller.previews.model import Database

NAME = "postgres"
SEEDED = "seeded"
"""The database that the seed is loaded into; the application's is a clone of it."""


async def start(cell: Cell, means: Means, postgres: Postgres) -> None:
    """Returns when it answers. One that is there goes on; one whose pod was replaced has lost what was in it."""
    kubernetes, record = cell.kubernetes, cell.record
    if NAME in record.order.spec.services:
        raise Refused(f"a service cannot be called `{NAME}` here: that is the preview's database")
    async with cell.step("start postgres") as progress:
        if not record.database_secret:
            await _credentials(cell, means)
        named = fill(postgres.image, {"sha": record.order.revision}) if postgres.image else ""
        image = cell.record.images.get(named, named) or kubernetes.images.postgres
        server = Server(image, cell.record.database_secret, seeded=bool(named))
        await apply(cell, means, render.server(cell.place, server, kubernetes))
        pod = await cell.until(lambda: _working(cell))
        if pod == record.server_pod:
            progress.reused()
        elif not record.server_pod or not has_a_volume(cell):
            lost = replace(cell.record, server_pod=pod, seeded="", database_clean=False, database_of=0, cloned=0)
            await cell.save(lost)
        else:
            await cell.save(replace(cell.record, server_pod=pod))


def why_lost(cell: Cell) -> str:
    """Why the data has to be made anew; empty where it need not."""
    if not cell.record.server_pod or pod_of(cell) in {"", cell.record.server_pod} or has_a_volume(cell):
        return ""
    return "the pod of its database was replaced, and the data went with it"


def has_a_volume(cell: Cell) -> bool:
    """Whether the data outlives its pod."""
    volumes = (cell.deployment(NAME) or {}).get("spec", {}).get("template", {}).get("spec", {}).get("volumes") or ()
    return any("persistentVolumeClaim" in volume for volume in volumes)


def pod_of(cell: Cell) -> str:
    """The uid of the pod that answers now; empty where none does."""
    for pod in cell.pods(SERVICE=NAME):
        ready = [one["status"] for one in pod.get("status", {}).get("conditions", ()) if one["type"] == "Ready"]
        if ready == ["True"] and "deletionTimestamp" not in pod["metadata"]:
            uid: str = pod["metadata"]["uid"]
            return uid
    return ""


def _working(cell: Cell) -> str | None:
    deployment = cell.deployment(NAME)
    if deployment is None:
        return None
    if troubles.deployment_ready(deployment) and (pod := pod_of(cell)):
        return pod
    trouble = troubles.deployment_trouble(deployment, cell.pods(SERVICE=NAME))
    if trouble is not None and trouble.fatal:
        raise StepFailed(f"start postgres: {trouble.reason}")
    cell.show(reason=f"start postgres: {trouble.reason}" if trouble else "")
    return None


async def _credentials(cell: Cell, means: Means) -> None:
    password = secrets.token_urlsafe(24)
    url = f"postgresql://postgres:{password}@{NAME}:5432/app"
    keep = await data.keep_url(cell, means, url)
    await cell.save(replace(cell.record, database_secret=keep))


async def make(cell: Cell, means: Means, postgres: Postgres, seed: str) -> None:
    """The seed beside the application's database, unless it is there already, and a clone of it."""
    if postgres.image is not None:
        async with cell.step("clone") as progress:
            progress.reused("the data is in the image")
        await cell.save(replace(cell.record, database=Database("", 0, timedelta())))
        return
    seeded_in = await _seed(cell, means, postgres, seed) if seed else None
    async with cell.step("clone"):
        template = f" TEMPLATE {SEEDED}" if seed else ""
        took, said = await _psql(cell, means, "clone", *_anew("app", template), "SELECT pg_database_size('app')")
        size = next((int(line) for line in reversed(said.split()) if line.isdigit()), 0)
        await cell.save(replace(cell.record, database=Database(seed[:7], size, took, seeded_in)))


async def _seed(cell: Cell, means: Means, postgres: Postgres, seed: str) -> timedelta | None:
    async with cell.step("seed") as progress:
        if cell.record.seeded == seed:
            progress.reused(seed[:7])
            return None
        container, emptied = data.loader(cell, means, postgres, cell.record.database_secret), timedelta()
        if isinstance(postgres.seed, SeedCommand):
            emptied, _ = await _psql(cell, means, "empty", *_anew(SEEDED))
            container = replace(container, command=("sh", "-ec", _ELSEWHERE, "sh", *container.command))
        else:
            container = _as_superuser(replace(container, command=("sh", "-ec", _EMPTY_FIRST, "sh", *container.command)))
        took, _ = await tasks.run(cell, means, "seed", container)
        progress.detail = seed[:7]
        await cell.save(replace(cell.record, seeded=seed))
        return emptied + took


def _anew(name: str, template: str = "") -> tuple[str, str]:
    return f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}{template}"


_ELSEWHERE = f'DATABASE_URL="${{DATABASE_URL%/*}}/{SEEDED}" exec "$@"'
_EMPTY_FIRST = "\n".join(
    [f'psql -X -q -v ON_ERROR_STOP=1 -c "{words}"' for words in _anew(SEEDED)] + [f'PGDATABASE={SEEDED} exec "$@"']
)


async def _psql(cell: Cell, means: Means, step: str, *statements: str) -> tuple[timedelta, str]:
    """Runs our own statements, one after the other."""
    words = [word for statement in statements for word in ("-c", statement)]
    command = ("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *words)
    container = _as_superuser(data.loader(cell, means, Postgres(), cell.record.database_secret))
    return await tasks.run(cell, means, step, replace(container, command=command, source=""))


def _as_superuser(container: Container) -> Container:
    """In the database that is always there."""
    others = {name: value for name, value in container.secrets.items() if name != "PGDATABASE"}
    return replace(container, secrets=others, env={**container.env, "PGDATABASE": "postgres"})
