"""Main and what watches it, as the policy names them, put together. A part of the composition root."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import aiohttp
import structlog

from controller.adapters.history.sql import SqlHistory
from controller.adapters.notify import notifier
from controller.api.metrics import Metrics
from controller.common.notices import Severity
from controller.deploys.accused import Court
from controller.deploys.frontdesk import TargetFrontDesk
from controller.deploys.look import World
from controller.deploys.model import Probed
from controller.deploys.ports import Targets
from controller.deploys.reconcile import Deployer, Setting
from controller.ports import Forge
from controller.postman import Mailbox, Postman
from controller.probes.around import Around
from controller.probes.frontdesk import FrontDesk as ProbeFrontDesk
from controller.probes.model import Suspect
from controller.probes.ports import Samples
from controller.probes.soak import soak
from controller.probes.watch import Watch
from controller.settings import Home, Policy
from controller.specs import Specs

log = structlog.get_logger()
TELL_WITHIN = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Production:
    deployer: Deployer
    targets: TargetFrontDesk
    watch: Watch
    probes: ProbeFrontDesk
    postman: Postman


@dataclass(frozen=True, slots=True)
class Given:
    """What it is put together from."""

    home: Home
    policy: Policy
    environ: Mapping[str, str]
    forge: Forge
    targets: Targets
    history: SqlHistory
    metrics: Metrics
    clock: Callable[[], datetime]
    leads: Callable[[], bool]
    samples: Samples


@asynccontextmanager
async def opened_production(given: Given) -> AsyncIterator[Production]:
    """Raises Refused where a route names a variable that is not set."""
    async with aiohttp.ClientSession(timeout=TELL_WITHIN) as session:
        boxes = [
            Mailbox(notifier(route, given.environ, session), frozenset(map(Severity, route.severities)))
            for route in given.policy.notify
        ]
        postman = Postman(given.history.outbox, boxes, given.clock)
        deployer = _deployer(given, postman)
        policy = {target.name: target for target in given.policy.targets}
        targets = TargetFrontDesk(deployer, given.targets, given.history.journal, policy, given.clock)
        watch = _watch(given, postman, deployer)
        probes = ProbeFrontDesk(given.policy.probes, given.samples, given.history.alerts, watch)
        yield Production(deployer, targets, watch, probes, postman)


def _deployer(given: Given, postman: Postman) -> Deployer:
    policy = given.policy

    async def soaked(target: str, since: datetime) -> Probed:
        found = await soak(policy.probes, given.samples, target, since, given.clock())
        return Probed(found.failed, found.total, found.known, found.worst)

    cluster = policy.kubernetes if policy.platform == "kubernetes" else None
    specs = Specs(given.forge, policy.allow, cluster)
    world = World(given.forge, given.targets, given.history.journal, specs, given.environ, soaked)
    named = {target.name: target for target in policy.targets}
    setting = Setting(named, policy.url(), policy.previews.resync, given.leads)
    return Deployer(world, postman.post, setting, given.metrics, given.clock)


def _watch(given: Given, postman: Postman, deployer: Deployer) -> Watch:
    policy = given.policy
    named = {target.name: target for target in policy.targets}
    court = Court(named, given.targets, given.history.journal, given.clock)

    async def suspect(target: str, at: datetime) -> Suspect | None:
        release = await court.suspect(target, at)
        return Suspect(target, release.number, release.revision, release.live_at or at) if release else None

    async def accuse(found: Suspect, because: str, alert: str) -> None:
        if await court.accuse(found.target, found.release, because, alert):
            deployer.bell.ring(found.target)

    def is_there(target: str) -> bool:
        case = deployer.cases.get(target)
        return case is None or case.seen.record.live > 0

    around = Around(
        post=postman.post,
        link=lambda name: f"{policy.url()}/probes/{name}",
        suspect=suspect,
        is_there=is_there,
        accuse=accuse,
        meter=given.metrics,
        clock=given.clock,
        folder=given.home.path,
    )
    return Watch(policy.probes, policy.probing, given.samples, given.history.alerts, around)
