"""Makes a release ready to be applied: checkout, secrets, builds, and the seal that says it is whole.

Killed anywhere it is begun anew. Sealed, it is never made again while its files are there.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from controller.adapters.local import store
from controller.adapters.local.building import build_all
from controller.adapters.local.main.patience import patiently
from controller.adapters.local.main.site import SEAL, ReleaseCrew, Site
from controller.adapters.local.means import Means
from controller.adapters.shared.disk import discard, trouble
from controller.adapters.shared.steps import StepFailed
from controller.deploys.model import Making, MakingState, Release


async def make(site: Site, crew: ReleaseCrew, means: Means, environment: Mapping[str, str]) -> None:
    """Returns when it is made or cannot be."""
    number = crew.number

    async def attempt() -> None:
        site.makes(number, Making(MakingState.RUNNING))
        digest = await _make(site, crew, means, environment)
        site.makes(number, replace(_making(site, crew), state=MakingState.DONE, digest=digest), durable=True)

    def waits(reason: str) -> None:
        site.makes(number, replace(_making(site, crew), reason=reason))

    def fails(error: StepFailed) -> None:
        failed = replace(_making(site, crew), state=MakingState.FAILED, reason=error.reason, logs=error.logs)
        site.makes(number, failed, durable=True)

    await patiently(attempt, waits, fails)


def _making(site: Site, crew: ReleaseCrew) -> Making:
    return site.kept.makings.get(crew.number, Making(MakingState.RUNNING))


async def _make(site: Site, crew: ReleaseCrew, means: Means, environment: Mapping[str, str]) -> str:
    await crew.stop("jobs")
    site.vault.keep(crew.release.secrets, site.target.secrets, environment)
    async with crew.step("checkout"):
        await asyncio.to_thread(_make_room, site, crew)
        await means.sources.checkout(crew.repo, crew.revision, crew.kept_as, crew.tree)
    builds = await build_all(crew, means)
    contents = await means.sources.object_ids(crew.repo, crew.revision, [""])
    sealed = _told(crew.release, (*contents, *builds))
    store.put(crew.folder / SEAL, sealed, durable=True)
    return hashlib.sha256(sealed).hexdigest()[:12]


def _make_room(site: Site, crew: ReleaseCrew) -> None:
    """An empty place for the tree, whatever an interrupted attempt left there."""
    discard(crew.folder / SEAL)
    discard(crew.tree)
    with trouble("make a folder"):
        for folder in (crew.folder, site.folder / "home", site.folder / "tmp"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _told(release: Release, tree: tuple[str, ...]) -> bytes:
    """All that is applied. `tree` is what git calls the files, and the digests of the builds among them."""
    told = {
        "number": release.number,
        "revision": release.revision,
        "spec": release.spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
        "env": dict(release.env),
        "secrets": dict(release.secrets),
        "tree": tree,
    }
    return json.dumps(told, sort_keys=True, indent=1).encode()
