"""Brings a target to what its record says, one repeatable step after the other.

    the record          what is done
    ------------------  --------------------------------------------------------------------------------
    nothing is live     everything stops
    live, not made yet  waits for the making
    live                what a rollback undoes, database, services beside those that run, the switch
    then                what nobody wants any more stops; what is to stay warm runs

Killed anywhere and begun again, it ends at the same place. What runs already is left alone, so that a release that is
warm is switched to at once. A release that could not be rolled out is stopped, and tried again only where the record
says so anew; one that was rolled out is given more chances.
"""

import asyncio
from dataclasses import replace

import structlog

from controller.adapters.local import services
from controller.adapters.local.main import data
from controller.adapters.local.main.patience import patiently
from controller.adapters.local.main.site import ReleaseCrew, Site
from controller.adapters.local.means import Means
from controller.adapters.shared.steps import StepFailed
from controller.deploys.model import Rollout, RolloutState
from controller.errors import Refused, Unavailable

DRAIN = 1.0
"""Seconds after the switch in which what was asked of the old release is still answered by it."""
_log = structlog.get_logger()


async def apply(site: Site, means: Means) -> None:
    """Returns when the live release serves or cannot."""

    async def attempt() -> None:
        if (crew := site.live) is not None and not site.failed:
            await _bring_up(site, crew, means)

    def fails(error: StepFailed) -> None:
        site.rolls_out(RolloutState.FAILED, error.reason, error.logs)

    await patiently(attempt, site.progress, fails)
    await _tidy(site)
    await _warm_up(site, means)


async def _bring_up(site: Site, crew: ReleaseCrew, means: Means) -> None:
    if not crew.made:
        await _tidy(site)
        await _wait_for_making(site, crew)
    await data.prepare(site, crew, means)
    await services.start_all(crew, means)
    rollout, before = Rollout(crew.number, RolloutState.COMPLETE), site.kept.serving
    if (before, site.kept.rollout) != (crew.number, rollout):
        site.note(replace(site.kept, serving=crew.number, rollout=rollout), durable=True)
    if before not in {0, crew.number}:
        await asyncio.sleep(DRAIN)


async def _wait_for_making(site: Site, crew: ReleaseCrew) -> None:
    site.progress("it is being made")
    if (maker := site.makers.get(crew.number)) is not None:
        await asyncio.wait([maker])
    if not crew.made:
        making = site.kept.makings.get(crew.number)
        raise StepFailed(f"it could not be made: {making.reason}" if making else "it was not made")


async def _tidy(site: Site) -> None:
    """Ends what nobody wants to run."""
    wanted = site.wanted()
    others = [release.number for release in site.record.releases if release.number not in wanted]
    crews = [crew for crew in map(site.crew, others) if crew is not None and crew.number not in site.makers]
    try:
        await asyncio.gather(*(crew.stop("jobs", "services") for crew in crews))
    except Unavailable as error:
        _log.warning("an old release cannot be stopped", target=site.target.name, reason=error.reason)


async def _warm_up(site: Site, means: Means) -> None:
    """Best-effort: it is there to save seconds."""
    crew = site.crew(site.record.warm)
    if crew is None or crew.number == site.record.live or not crew.made or not site.kept.serving:
        return
    try:
        await services.start_all(crew, means)
    except (StepFailed, Refused, Unavailable) as error:
        _log.warning("a release cannot be kept warm", target=site.target.name, reason=error.reason)
