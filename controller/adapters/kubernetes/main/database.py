"""The database of a target: made and seeded once, kept for ever; each release's migration runs on it once."""

import time
from dataclasses import replace
from datetime import timedelta

from controller.adapters.kubernetes import data, environment, own_server, prepare, tasks
from controller.adapters.kubernetes.cell import Means
from controller.adapters.kubernetes.main import sets
from controller.adapters.kubernetes.main.hand import Hand
from controller.adapters.kubernetes.main.state import State
from controller.adapters.kubernetes.shapes import Container
from controller.adapters.shared.steps import StepFailed
from controller.common.spec import Postgres, Undo, fill
from controller.deploys.model import Release
from controller.errors import Refused
from controller.ports import Databases

MAKING, MADE = "making", "made"


def name_of(target: str) -> str:
    """On a server for all."""
    return f"target-{target}"


async def ensure(hand: Hand, means: Means) -> None:
    """The database is there afterwards, and answers. Raises StepFailed."""
    postgres = hand.record.order.spec.postgres
    if postgres is None:
        return
    async with hand.main.databasing:
        hand.recall()
        if means.databases is None:
            await _own(hand, means, postgres)
        elif hand.main.state.database != MADE:
            await _on_server(hand, means, means.databases, postgres)


async def _own(hand: Hand, means: Means, postgres: Postgres) -> None:
    """One whose pod was replaced, and that has no volume, has lost what was in it: it is made anew."""
    before = hand.record.server_pod
    await own_server.start(hand, means, postgres)
    lost = before not in {"", hand.record.server_pod} and not own_server.has_a_volume(hand)
    if hand.main.state.database == MADE and not lost:
        return
    await _seed_files(hand, means)
    await own_server.make(hand, means, postgres, await data.digest(hand, means, postgres))
    await hand.main.change(lambda state: replace(state, database=MADE))


async def _on_server(hand: Hand, means: Means, databases: Databases, postgres: Postgres) -> None:
    """Written down before it is begun: one that is there and that we did not write down is never replaced."""
    name = name_of(hand.main.target.name)
    if hand.main.state.database != MAKING:
        if name in await databases.names():
            raise Refused(f"there is a database {name} on the server that this target did not make")
        await hand.main.change(lambda state: replace(state, database=MAKING))
    await _seed_files(hand, means)
    seed = await data.digest(hand, means, postgres)
    if seed:
        await data.ensure_template(hand, means, databases, postgres, seed)
    async with hand.step("clone") as progress:
        began = time.monotonic()
        kept = await data.keep_url(hand, means, await databases.clone(name, seed or None))
        progress.detail = f"{timedelta(seconds=time.monotonic() - began).total_seconds():.1f} s"
    await hand.main.change(lambda state: _made(state, kept))
    hand.recall()


async def _seed_files(hand: Hand, means: Means) -> None:
    """Applied for the seed alone; they go when the next release is rolled out."""
    record, files = hand.record, hand.record.order.spec.files()
    await means.sources.fetch(record.key.repo, record.order.revision, record.slug)
    if files:
        seed = await prepare.packed(hand, means, "seed", files)
        await prepare.apply(hand, means, [seed])
        hand.record = replace(hand.record, sources={**hand.record.sources, "seed": seed["metadata"]["name"]})


def _made(state: State, secret: str) -> State:
    return replace(state, database=MADE, database_secret=secret)


async def migrate(hand: Hand, means: Means) -> None:
    """Once for each release. Raises StepFailed; it is not tried again then, as its Job is there."""
    number, postgres = hand.number, hand.record.order.spec.postgres
    if postgres is None or postgres.migrate is None or number in hand.main.state.ran:
        return
    before = await _fingerprint(hand, means)
    async with hand.step("migrate"):
        try:
            await tasks.run(hand, means, "migrate", _command(hand, means, postgres.migrate))
        except StepFailed:
            await _note_change(hand, means, before)
            raise
    await _note_change(hand, means, before)
    await hand.main.change(lambda state: replace(state, ran=(*state.ran, number)))


async def _fingerprint(hand: Hand, means: Means) -> str | None:
    """None where it cannot be had: a migration is taken to have changed something then."""
    if means.databases is None:
        return None
    return await means.databases.fingerprint(name_of(hand.main.target.name))


async def _note_change(hand: Hand, means: Means, before: str | None) -> None:
    number = hand.number
    if number in hand.main.state.migrated or (before is not None and before == await _fingerprint(hand, means)):
        return
    await hand.main.change(lambda state: replace(state, migrated=(*state.migrated, number)))


async def undo(hand: Hand, means: Means, release: Release, to: str) -> None:
    """Runs the command of a release that is given up (`hand` is of that one), once. Raises StepFailed."""
    known = f"undo-{release.number}"
    how = release.spec.database.rollback
    if not isinstance(how, Undo) or known in hand.main.state.done:
        return
    async with hand.step(f"undo #{release.number}"):
        words = tuple(fill(word, {"to": to}) for word in how.command)
        await tasks.run(hand, means, "undo", _command(hand, means, words))
    await hand.main.change(lambda state: replace(state, done=(*state.done, known)[-100:]))


def _command(hand: Hand, means: Means, command: tuple[str, ...]) -> Container:
    record = hand.record
    url = means.url(record.order.host)
    container = environment.of_command(record, command, url, hand.kubernetes, environment.database(record))
    return sets.about(container, hand.place, hand.secrets_of_operator)
