"""Looks after targets that run: a service that died, came back, or keeps crashing is noticed here."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from controller.adapters.local import checks, processes, services
from controller.adapters.local.main import data
from controller.adapters.local.main.site import ReleaseCrew, Site
from controller.adapters.local.means import Means
from controller.adapters.shared.disk import discard
from controller.deploys.model import RolloutState
from controller.errors import Refused, Unavailable

_log = structlog.get_logger()


async def watch(site: Site, means: Means, begin: Callable[[Site], None]) -> None:
    """One look. `begin` is called where something has to be brought back."""
    try:
        await checks.resume(site, means)
        if site.lost() - site.forgetters.keys() or await _ails(site, means):
            begin(site)
    except (Unavailable, Refused) as error:
        _log.warning("a target cannot be watched", target=site.target.name, reason=error.reason)
    except Exception:  # noqa: BLE001 - a mistake about one target must not end the watch over the others
        _log.exception("a target cannot be watched", target=site.target.name)


async def _ails(site: Site, means: Means) -> bool:
    """Whether the live release needs to be brought up again. Says how it is."""
    crew = site.live
    if crew is None or not _settled(site, crew):
        return False
    if not crew.made or await data.moved(site, means):
        return True
    names = crew.spec.start_order()
    works = dict(zip(names, await asyncio.gather(*(services.look(crew, name) for name in names)), strict=True))
    if not _settled(site, crew):  # somebody ordered something while we looked
        return False
    if all(works.values()):
        site.rolls_out(RolloutState.COMPLETE)
        return False
    if crashing := next((name for name in names if services.why_crashed(crew, name)), ""):
        logs = "\n".join(crew.service(crashing).tail())
        site.rolls_out(RolloutState.FAILED, services.why_crashed(crew, crashing), logs)
    return any(not works[name] and not crew.service(name).alive for name in names)


def _settled(site: Site, crew: ReleaseCrew) -> bool:
    return not site.busy and site.live is crew and site.kept.serving == crew.number


async def forget(site: Site, number: int, means: Means) -> None:
    """Everything of a release that is not in the record any more. What cannot be removed now is tried again."""
    if (maker := site.makers.get(number)) is not None:
        maker.cancel()
        await asyncio.wait([maker])
    roster = site.crews.pop(number, None) or site.roster(number)
    try:
        await roster.stop("jobs", "services")
        await processes.kill_marked(roster.mark)
        await means.sources.forget(site.target.repository, f"{site.target.name}-{number}")
        await asyncio.to_thread(discard, roster.folder)
        site.lose(number)
    except (Unavailable, Refused) as error:
        _log.warning("a release cannot be removed", target=site.target.name, release=number, reason=error.reason)


async def look_once(site: Site) -> None:
    """So that what answers is reached from the start."""
    if (crew := site.serving) is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.gather(*(services.look(crew, name) for name in crew.spec.start_order()))
