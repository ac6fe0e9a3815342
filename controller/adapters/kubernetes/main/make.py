"""Makes a release: its images are found, its files packed, its manifests rendered, its database is there. Nothing of
it runs yet, and nothing of it changes afterwards."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from controller.adapters.kubernetes import bring, environment, names, own_placing, prepare, render
from controller.adapters.kubernetes.cell import Means
from controller.adapters.kubernetes.main import database, sets
from controller.adapters.kubernetes.main.hand import Hand, secret_values
from controller.adapters.kubernetes.main.state import Kept
from controller.adapters.kubernetes.shapes import Obj, SecretKey
from controller.common.spec import Deploy
from controller.deploys.model import Release
from controller.deploys.secret import secret_digest
from controller.errors import Refused

_SECRET = "environment"  # noqa: S105 - begins the name of one


async def make(hand: Hand, means: Means, release: Release, secrets: Mapping[str, str]) -> Kept:
    """`secrets`: the controller's environment. Raises StepFailed, Refused, Unavailable or Stale."""
    given = _given(hand, release, secrets)
    mine = {variable: SecretKey(given["metadata"]["name"], variable) for variable in release.secrets} if given else {}
    hand.values, hand.secrets_of_operator = secret_values(given), mine
    await _place(hand, means)
    await prepare.images(hand, means, environment.images(hand.record, means.url(hand.record.order.host)))
    sources = await _sources(hand, means)
    await database.ensure(hand, means)
    configuration = [*([given] if given else []), *sources]
    deploy = release.spec.deploy
    async with hand.step("manifests") as progress:
        made = await _own(hand, means, deploy, given) if deploy else _ours(hand, means, mine)
        progress.detail = f"{len(made)} objects"
    objects = (*configuration, *made)
    await means.sources.forget(hand.key.repo, hand.record.slug)
    return Kept(
        release.number,
        objects,
        _digest(objects),
        in_place=deploy is not None,
        images=dict(hand.record.images),
        sources=dict(hand.record.sources),
        environment=given["metadata"]["name"] if given else "",
        steps=hand.record.steps,
    )


def _given(hand: Hand, release: Release, secrets: Mapping[str, str]) -> Obj | None:
    """The operator's secrets, if they are what they were when the release was ordered. Raises Refused."""
    known = hand.main.target.secrets
    values = {variable: secrets.get(known.get(variable, ""), "") for variable in release.secrets}
    for variable, digest in release.secrets.items():
        if secret_digest(values[variable]) != digest:
            raise Refused(f"the secret {variable} is not what it was when #{release.number} was ordered")
    return render.secret(hand.place, _SECRET, values) if values else None


async def _place(hand: Hand, means: Means) -> None:
    """Whom pods run as, and what they pull images with: the target's, whatever the release."""
    async with hand.step("prepare"):
        copies = [prepare.copied(hand, await prepare.pull_secret(means, name)) for name in hand.kubernetes.pull_secrets]
        for obj in (*copies, render.account(hand.place, hand.kubernetes)):
            await means.api.apply(obj, force=True)


async def _sources(hand: Hand, means: Means) -> tuple[Obj, ...]:
    """The repository, packed, where something runs in a checkout of it."""
    record = hand.record
    async with hand.step("checkout"):
        await means.sources.fetch(record.key.repo, record.order.revision, record.slug)
        if not environment.needs_checkout(record):
            return ()
        packed = await prepare.packed(hand, means, "all", [])
        hand.record = replace(hand.record, sources={"all": packed["metadata"]["name"]})
        return (packed,)


def _ours(hand: Hand, means: Means, secrets: Mapping[str, SecretKey]) -> tuple[Obj, ...]:
    deadline = hand.main.target.thresholds.progress_deadline
    url = means.url(hand.record.order.host)
    return sets.of_services(hand.place, hand.record, url, secrets, deadline, means.policy)


async def _own(hand: Hand, means: Means, deploy: Deploy, given: Obj | None) -> tuple[Obj, ...]:
    """The repository's own manifests, where every one of them is allowed. `{environment_secret}` is the operator's."""
    more = {"environment_secret": given["metadata"]["name"] if given else "", "target": hand.main.target.name}
    theirs = await bring.read(hand, means, deploy, more)
    known = await prepare.images(hand, means, own_placing.images(theirs))
    theirs = own_placing.with_images(theirs, known)
    bring.note_services(hand, theirs)
    ways = [way for way in bring.entrances(hand, means, theirs) if way["kind"] in sets.LEAD]
    return (*(sets.stamped(obj, hand.number) for obj in theirs), *ways)


def _digest(objects: tuple[Obj, ...]) -> str:
    return hashlib.sha256(json.dumps([*map(names.identity, objects), objects], sort_keys=True).encode()).hexdigest()[
        :12
    ]
