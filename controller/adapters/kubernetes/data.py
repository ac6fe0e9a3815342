"""The database of a preview: seeded once per distinct seed, cloned, the pull request's migrations on that.

On a server for all previews the template is the server's; where each preview has a server of its own, it is a database
beside the application's.
"""

import asyncio
import hashlib
import json
import time
from dataclasses import replace
from datetime import timedelta

from controller.adapters.kubernetes import environment, names, own_server, render, tasks, troubles
from controller.adapters.kubernetes.api import JOB
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.prepare import apply
from controller.adapters.kubernetes.record import Record
from controller.adapters.kubernetes.shapes import Container, SecretKey
from controller.adapters.shared.libpq import libpq
from controller.adapters.shared.steps import StepFailed
from controller.common.spec import Postgres, SeedCommand
from controller.errors import Unavailable
from controller.ports import Databases
from controller.previews.model import Database

SEED = "mayfly.dev/seed"
"""Label of a Job that seeds a template on the server for all."""


async def prepare(cell: Cell, means: Means) -> None:
    """Leaves the database as the spec wants it, or none where it wants none."""
    postgres = cell.record.order.spec.postgres
    if postgres is None:
        await drop(cell, means)
        return
    if means.databases is None:
        await own_server.start(cell, means, postgres)
    if cell.record.database_of == cell.record.deployed:
        return
    if cell.record.cloned != cell.record.deployed:
        await _clone(cell, means, postgres)
    if postgres.migrate is not None:
        await _migrate(cell, means, postgres.migrate)
    await cell.save(replace(cell.record, database_clean=True, database_of=cell.record.deployed))


async def _clone(cell: Cell, means: Means, postgres: Postgres) -> None:
    """Once per deploy: a migration may be under way on it when the deploy is gone on with."""
    if cell.record.database_clean:
        async with cell.step("clone") as progress:
            progress.reused("the data was kept")
    elif means.databases is None:
        await own_server.make(cell, means, postgres, await digest(cell, means, postgres))
    else:
        await _make(cell, means, means.databases, postgres)
    await cell.save(replace(cell.record, cloned=cell.record.deployed, database_clean=False))


async def drop(cell: Cell, means: Means) -> None:
    """Of a server for all. One of the preview's own is pruned once the revision works, and forgotten now."""
    await drop_on_server(cell.record, means.databases)
    if cell.record.database_name or cell.record.database_secret:
        none = replace(cell.record, database=None, database_name="", database_secret="", database_clean=False)
        await cell.save(replace(none, database_of=0, cloned=0, server_pod="", seeded=""))


async def drop_on_server(record: Record, databases: Databases | None) -> None:
    """Its database on a server for all, and the template that nobody else may clone."""
    if databases is None:
        return
    if record.database_name:
        await databases.drop(record.database_name)
    if record.seeded:
        await databases.drop_template(record.seeded)


async def digest(cell: Cell, means: Means, postgres: Postgres) -> str:
    """Of all that decides what the seed makes; empty where the database begins empty. What a stranger's seed makes is
    nobody else's, whatever it says of its inputs."""
    if postgres.seed is None:
        return ""
    command = postgres.seed.command if isinstance(postgres.seed, SeedCommand) else ()
    paths = postgres.seed.inputs if isinstance(postgres.seed, SeedCommand) else postgres.seed
    contents = await means.sources.object_ids(cell.key.repo, cell.record.order.revision, paths)
    whose = [cell.record.slug] if cell.record.order.fork else []
    return hashlib.sha256(json.dumps([command, list(zip(paths, contents, strict=True)), *whose]).encode()).hexdigest()


async def _make(cell: Cell, means: Means, databases: Databases, postgres: Postgres) -> None:
    name = cell.record.slug
    seed = await digest(cell, means, postgres)
    own, before = seed if cell.record.order.fork else "", cell.record.seeded
    if before and before != own:
        await databases.drop_template(before)
    await cell.save(replace(cell.record, database_name=name, database=None, seeded=own))
    seeded_in = await ensure_template(cell, means, databases, postgres, seed) if seed else None
    async with cell.step("clone"):
        began = time.monotonic()
        url = await databases.clone(name, seed or None)
        took = timedelta(seconds=time.monotonic() - began)
        secret = await keep_url(cell, means, url)
        made = Database(seed[:7], await databases.size(name), took, seeded_in)
        await cell.save(replace(cell.record, database_secret=secret, database=made))


async def keep_url(cell: Cell, means: Means, url: str, name: str = "database") -> str:
    """The name of the Secret that has it, as previews reach the server."""
    cell.keep_secret(url)
    if (elsewhere := means.policy.kubernetes.databases.host) and means.databases is not None:
        url = url.replace(f"@{await means.databases.address()}/", f"@{elsewhere}/")
    words = libpq(url)
    secret = render.secret(cell.place, name, {environment.URL: url, "password": words.get("PGPASSWORD", "")} | words)
    await apply(cell, means, [secret])
    found: str = secret["metadata"]["name"]
    return found


async def ensure_template(
    cell: Cell, means: Means, databases: Databases, postgres: Postgres, seed: str
) -> timedelta | None:
    """How long the seeding took; None where it had been done. Others that need the same seed wait for it."""
    async with cell.step("seed") as progress, means.seeding.setdefault(seed, asyncio.Lock()):
        await _others(cell, means, seed)
        if await databases.has_template(seed):
            progress.reused(seed[:7])
            return None
        await _end_earlier(cell, means)
        secret = await keep_url(cell, means, await databases.begin_template(seed), "seed")
        try:
            took, _ = await tasks.run(cell, means, "seed", loader(cell, means, postgres, secret), **{SEED: seed[:16]})
        except StepFailed:
            await cell.confirm()
            await _let_go(databases, seed)
            raise
        await cell.confirm()  # half of what another controller seeds must not be sealed
        await databases.finish_template(seed)
        progress.detail = seed[:7]
        return took


async def _end_earlier(cell: Cell, means: Means) -> None:
    """What a controller before us began to seed here: it loads into a template that is begun anew now."""
    for job in cell.objects(JOB, TASK="seed"):
        await means.api.delete(JOB, job["metadata"]["name"], cell.name, uid=job["metadata"]["uid"])
    await cell.until(lambda: None if cell.objects(JOB, TASK="seed") or cell.pods(TASK="seed") else True)


async def _let_go(databases: Databases, seed: str) -> None:
    try:
        await databases.drop_template(seed)
    except Unavailable:
        return  # `begin_template` drops what stays


async def _others(cell: Cell, means: Means, seed: str) -> None:
    """Waits for a Job that seeds the same, in any preview: a controller before us may have begun it."""

    def over() -> bool | None:
        ours = [job for job in means.cache.all(JOB) if job["metadata"].get("labels", {}).get(SEED) == seed[:16]]
        going = [job for job in ours if not troubles.job_state(job).ended and job["metadata"]["namespace"] != cell.name]
        return None if going else True

    await cell.until(over)


def loader(cell: Cell, means: Means, postgres: Postgres, secret: str) -> Container:
    """Fills the database whose URL is in the Secret."""
    kubernetes, record = cell.kubernetes, cell.record
    if isinstance(postgres.seed, SeedCommand):
        url = {"DATABASE_URL": SecretKey(secret, environment.URL)}
        return environment.of_command(record, postgres.seed.command, means.url(record.order.host), kubernetes, url)
    files = [word for path in postgres.seed or [] for word in ("-f", path)]
    return Container(
        name="run",
        image=kubernetes.images.postgres,
        command=("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", *files),
        env={"HOME": "/tmp"},  # noqa: S108 - an empty folder of the pod's own
        secrets={name: SecretKey(secret, name) for name in LIBPQ},
        source=record.sources.get("seed", ""),
        user=kubernetes.images.postgres_user,
    )


LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE")


async def _migrate(cell: Cell, means: Means, command: tuple[str, ...]) -> None:
    record, kubernetes = cell.record, cell.kubernetes
    url = means.url(record.order.host)
    async with cell.step("migrate"):
        container = environment.of_command(record, command, url, kubernetes, environment.database(record))
        took, _ = await tasks.run(cell, means, "migrate", container, **{names.DEPLOY: str(record.deployed)})
    if cell.record.database is not None:
        cell.record = replace(cell.record, database=replace(cell.record.database, migrated_in=took))
