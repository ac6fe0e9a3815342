"""The database of a preview: a template per distinct seed, a clone of it, the pull request's migrations on that."""

import asyncio
import contextlib
import hashlib
import json
import time
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from controller.adapters.local import environment
from controller.adapters.local.cell import Cell
from controller.adapters.local.crew import Crew
from controller.adapters.local.jobs import run_job
from controller.adapters.local.means import Means
from controller.adapters.shared.libpq import libpq
from controller.adapters.shared.sources import inside, real_path
from controller.adapters.shared.steps import StepFailed
from controller.common.spec import Postgres, SeedCommand
from controller.errors import Refused, Unavailable
from controller.previews.model import Database


async def prepare(cell: Cell, means: Means) -> None:
    """Leaves the database as the spec wants it, or none where it wants none."""
    postgres = cell.record.order.spec.postgres
    if postgres is None:
        await _drop(cell, means)
        return
    if cell.record.database_of == cell.record.deployed:
        return
    if cell.record.database_clean:
        async with cell.step("clone") as progress:
            progress.reused("the data was kept")
    else:
        await _make(cell, means, postgres)
    if postgres.migrate is not None:
        await _migrate(cell, means, postgres.migrate)
    cell.save(replace(cell.record, database_clean=True, database_of=cell.record.deployed))


async def reach(cell: Cell, means: Means) -> bool:
    """Puts the server's present address into the preview's URL; whether it had moved."""
    anew = await moved(cell.record.database_url, means)
    if anew:
        cell.save(replace(cell.record, database_url=anew))
    return bool(anew)


async def moved(url: str, means: Means) -> str:
    """The URL with the server's present address; empty where it is still there, or there is no URL."""
    parts = urlsplit(url)
    user, _, known = parts.netloc.rpartition("@")
    if not known or (address := await means.databases.address()) == known:
        return ""
    return parts._replace(netloc=f"{user}@{address}").geturl()


async def _drop(cell: Cell, means: Means) -> None:
    if cell.record.database_name:
        await means.databases.drop(cell.record.database_name)
        cell.save(
            replace(cell.record, database_name="", database_url="", database=None, database_clean=False), durable=True
        )


async def _make(cell: Cell, means: Means, postgres: Postgres) -> None:
    name = cell.record.slug
    cell.save(replace(cell.record, database_name=name, database=None), durable=True)
    seed = await seed_digest(cell, means, postgres)
    seeded_in = await ensure_template(cell, means, postgres, seed) if seed else None
    async with cell.step("clone"):
        began = time.monotonic()
        url = await means.databases.clone(name, seed or None)
        took = timedelta(seconds=time.monotonic() - began)
        cell.keep_secret(url)
        database = Database(seed[:7], await means.databases.size(name), took, seeded_in)
        cell.save(replace(cell.record, database_url=url, database=database))


async def seed_digest(crew: Crew, means: Means, postgres: Postgres) -> str:
    """Of all that decides what the seed makes; empty where the database begins empty."""
    if postgres.seed is None:
        return ""
    command = postgres.seed.command if isinstance(postgres.seed, SeedCommand) else ()
    paths = postgres.seed.inputs if isinstance(postgres.seed, SeedCommand) else postgres.seed
    real = [real_path(crew.tree, path) for path in paths]
    if not isinstance(postgres.seed, SeedCommand) and (odd := [p for p in real if not (crew.tree / p).is_file()]):
        raise Refused(f"the seed `{odd[0]}` is not a file")
    contents = await means.sources.object_ids(crew.repo, crew.revision, real)
    return hashlib.sha256(json.dumps([command, list(zip(paths, contents, strict=True))]).encode()).hexdigest()


async def ensure_template(crew: Crew, means: Means, postgres: Postgres, seed: str) -> timedelta | None:
    """How long the seeding took; None where it had been done. Others that need the same seed wait for it."""
    async with crew.step("seed") as progress, means.seeding.setdefault(seed, asyncio.Lock()):
        if await means.databases.has_template(seed):
            progress.reused(seed[:7])
            return None
        url = await means.databases.begin_template(seed)
        crew.keep_secret(url)
        crew.job("seed").forget_log()
        try:
            took = await _load(crew, means, postgres, url)
        except (StepFailed, asyncio.CancelledError):
            with contextlib.suppress(Unavailable):  # `begin_template` drops what stays
                await means.databases.drop_template(seed)
            raise
        await means.databases.finish_template(seed)
        progress.detail = seed[:7]
        return took


async def _load(crew: Crew, means: Means, postgres: Postgres, url: str) -> timedelta:
    if isinstance(postgres.seed, SeedCommand):
        return await run_job(crew, means, "seed", "seed", postgres.seed.command, {"DATABASE_URL": url})
    files = [word for path in postgres.seed or [] for word in ("-f", str(inside(crew.tree, path)))]
    psql = (str(means.psql()), "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", *files)
    return await run_job(crew, means, "seed", "seed", psql, libpq(url))


async def _migrate(cell: Cell, means: Means, command: tuple[str, ...]) -> None:
    cell.save(replace(cell.record, database_clean=False))
    took = await migrate(cell, means, command)
    if cell.record.database is not None:
        cell.save(replace(cell.record, database=replace(cell.record.database, migrated_in=took)))


async def migrate(crew: Crew, means: Means, command: tuple[str, ...]) -> timedelta:
    """How long it took. Raises StepFailed."""
    facts = crew.facts(means.url)
    crew.job("migrate").forget_log()
    async with crew.step("migrate"):
        argv = environment.command(command, facts.known)
        return await run_job(crew, means, "migrate", "migrate", argv, environment.of_job(facts))
