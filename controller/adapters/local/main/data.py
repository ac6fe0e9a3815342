"""The database of a target: made once from the seed and kept ever after; migrated by each release, once.

what runs   when                                                            again after a restart
----------  --------------------------------------------------------------  -----------------------
seed        before the first migration                                      until it was cloned
migrate     when its release is applied for the first time                  where it was cut off
undo        when a rollback names it, and it was not undone                 where it was cut off
"""

from dataclasses import replace

from controller.adapters.local import data, environment
from controller.adapters.local.jobs import run_job
from controller.adapters.local.main.site import ReleaseCrew, Site
from controller.adapters.local.means import Means
from controller.adapters.shared.steps import StepFailed
from controller.common.spec import Postgres, Undo
from controller.errors import Refused, Unavailable


async def prepare(site: Site, crew: ReleaseCrew, means: Means) -> None:
    """Leaves the database as the release wants it. Raises StepFailed."""
    await _reach(site, means)
    await _undo(site, crew, means)
    postgres = crew.spec.postgres
    if postgres is None:
        return
    if not site.kept.database_url:
        await _make(site, crew, means, postgres)
    if postgres.migrate is not None and crew.number not in site.kept.migrated:
        await _migrate(site, crew, means, postgres.migrate)


async def moved(site: Site, means: Means) -> bool:
    """Whether the server is not any more where the services look for it."""
    return bool(await data.moved(site.kept.database_url, means))


async def compare(site: Site, means: Means) -> bool:
    """Whether the server lost the database: it is made from the seed again then. Raises Unavailable."""
    kept = site.kept
    if not kept.database_url or kept.database_name in await means.databases.names():
        return False
    site.save(replace(kept, database_url="", migrated=frozenset(), migrating={}, changed=frozenset()), durable=True)
    return True


async def _reach(site: Site, means: Means) -> None:
    """What runs looks for its database where it was; it is started anew where that is somewhere else."""
    if anew := await data.moved(site.kept.database_url, means):
        site.save(replace(site.kept, database_url=anew))
        for crew in list(site.crews.values()):
            await crew.stop("services")


async def _make(site: Site, crew: ReleaseCrew, means: Means, postgres: Postgres) -> None:
    """Seeds of their own: a preview that seeds the same at this moment is in nobody's way."""
    name = f"main-{site.target.name}"
    site.save(replace(site.kept, database_name=name), durable=True)
    digest = await data.seed_digest(crew, means, postgres)
    seed = f"main-{digest}" if digest else None
    if seed is not None:
        await data.ensure_template(crew, means, postgres, seed)
    async with crew.step("clone"):
        url = await means.databases.clone(name, seed)
        site.save(replace(site.kept, database_url=url), durable=True)


async def _migrate(site: Site, crew: ReleaseCrew, means: Means, command: tuple[str, ...]) -> None:
    number = crew.number
    if number not in site.kept.migrating:
        before = await _before(site, means)
        kept = site.kept
        begun = replace(kept, migrating=kept.migrating | {number: before}, undone=kept.undone - {number})
        site.save(begun, durable=True)
    try:
        await data.migrate(crew, means, command)
    except StepFailed:
        await _note_change(site, means, number)
        raise
    await _note_change(site, means, number)
    site.save(replace(site.kept, migrated=site.kept.migrated | {number}), durable=True)


async def _note_change(site: Site, means: Means, number: int) -> None:
    before, after = site.kept.migrating[number], await _after(site, means)
    migrating = {other: known for other, known in site.kept.migrating.items() if other != number}
    changed = site.kept.changed if before and before == after else site.kept.changed | {number}
    site.save(replace(site.kept, migrating=migrating, changed=changed))


async def _before(site: Site, means: Means) -> str:
    """Raises Unavailable: where the server does not answer, nothing is migrated."""
    try:
        return await means.databases.fingerprint(site.kept.database_name)
    except Refused:
        return ""


async def _after(site: Site, means: Means) -> str:
    """Empty where it cannot be had: the database counts as changed then."""
    try:
        return await means.databases.fingerprint(site.kept.database_name)
    except (Unavailable, Refused):
        return ""


async def _undo(site: Site, crew: ReleaseCrew, means: Means) -> None:
    rollback = site.record.rollback
    if rollback is None or rollback.restored is not None or rollback.to != crew.number:
        return
    for number in rollback.undo:
        if number not in site.kept.undone:
            await _undo_one(site, number, crew.revision, means)


async def _undo_one(site: Site, number: int, to: str, means: Means) -> None:
    crew = site.crew(number)
    if crew is None or not crew.tree.is_dir() or not isinstance(crew.spec.database.rollback, Undo):
        raise StepFailed(f"undo #{number}: its files or its command are not here any more")
    facts = crew.facts(means.url)
    argv = environment.command(crew.spec.database.rollback.command, {**facts.known, "to": to})
    site.progress(f"undo #{number}")
    crew.job("undo").forget_log()
    await run_job(crew, means, "undo", f"undo #{number}", argv, environment.of_job(facts))
    kept, one = site.kept, {number}
    undone = replace(kept, undone=kept.undone | one, migrated=kept.migrated - one, changed=kept.changed - one)
    site.save(undone, durable=True)
