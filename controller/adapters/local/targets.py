"""Main on this machine: each target a folder that says what it should be, its releases made beside each other in it.

    home/NAME/target.json          the record, and how far it is
    home/NAME/releases/N/tree      the files of release N, built
    home/NAME/releases/N/release.json   all that is applied of it, once it is made
    home/NAME/secrets/DIGEST       values of secrets

The processes outlive us. After a restart what runs is recognised, and what is not as the record says is gone on with.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from controller.adapters.local import checks, upkeep
from controller.adapters.local.builds import Builds
from controller.adapters.local.cell import JOBS
from controller.adapters.local.logs import follow as lines_of
from controller.adapters.local.main import data, kept, view, watching
from controller.adapters.local.main.applying import apply
from controller.adapters.local.main.kept import Kept
from controller.adapters.local.main.making import make
from controller.adapters.local.main.site import ReleaseCrew, Site
from controller.adapters.local.means import Means
from controller.adapters.local.platform import SMOKE
from controller.adapters.local.processes import MARK
from controller.adapters.local.work import home_mark
from controller.adapters.shared.disk import trouble
from controller.adapters.shared.sources import Sources, Where
from controller.common.bells import Broadcast
from controller.common.nouns import CheckJob, Route
from controller.deploys.model import Making, MakingState, Record, RolloutState, Seen
from controller.errors import Refused, Unavailable
from controller.ports import Databases
from controller.settings import Policy, Target

LOOK_EVERY = 1.0
SUITE = "smoke"
_log = structlog.get_logger()


class LocalTargets:
    """Implements `controller.deploys.ports.Targets`, for the targets that the policy names.

    `home` holds everything; one controller at a time may have it open. `secrets` is the environment that the values of
    secrets are taken from; the rest is as `LocalPlatform` has it. Call `open` before anything else, and `close` at the
    end, which leaves main running.
    """

    def __init__(  # noqa: PLR0913 - all but the first are given by name
        self,
        home: Path,
        *,
        policy: Policy,
        source: Where,
        databases: Databases,
        psql: Callable[[], Path],
        secrets: Mapping[str, str],
        smoke: tuple[str, ...] = SMOKE,
    ) -> None:
        self._home, self._mark, self._secrets = home, home_mark(home), secrets
        self._means = Means(
            policy=policy,
            url=policy.url,
            databases=databases,
            psql=psql,
            sources=Sources(home / ".sources", source, {MARK: f"{self._mark}.git/"}),
            builds=Builds(home / ".builds", self._mark),
            seeding=WeakValueDictionary(),
            taken_ports=self._taken_ports,
            turns=asyncio.Semaphore(2 * (os.cpu_count() or 1)),
            smoke=smoke,
        )
        self._sites: dict[str, Site] = {}
        self._broadcast: Broadcast[str] = Broadcast()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Finds everything again and goes on where it stopped. Raises Unavailable where the home cannot be used, and
        Refused where a target's record cannot be read."""
        with trouble(f"use {self._home.name}"):
            for name in (".sources", ".builds"):
                (self._home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for target in self._means.policy.targets:
            self._sites[target.name] = self._adopt(target)
        crews = [crew for site in self._sites.values() for crew in self._crews(site)]
        await upkeep.end_strays([*crews, *self._sites.values()], self._mark)
        await asyncio.to_thread(self._means.builds.sweep)
        await asyncio.to_thread(self._means.sources.sweep)
        for site in self._sites.values():
            await self._compare_database(site)
            await checks.resume(site, self._means)
            await watching.look_once(site)
            self._begin(site)
        self._spawn(self._keep())

    async def close(self) -> None:
        """Ends our own tasks, and the steps under way; main runs on."""
        tasks = self._tasks | {checker for site in self._sites.values() for checker in site.checkers.values()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def halt(self) -> None:
        """Closes, and ends every process. What main is is kept: the next `open` starts it again."""
        await self.close()
        crews = [crew for site in self._sites.values() for crew in self._crews(site)]
        units = [crew.stop("jobs", "services") for crew in crews]
        await asyncio.gather(*units, *(site.stop("checks") for site in self._sites.values()))

    async def seen(self, target: str) -> Seen:
        """Raises Refused where the policy names no such target."""
        site = self._site(target)
        return view.seen(site, site.target.url or self._means.url(target))

    async def save(self, record: Record, version: str) -> None:
        site = self._site(record.target)
        if site.take(record, version):
            self._spawn(self._supersede_checks(site))
            self._begin(site, anew=True)
        else:
            self._begin(site)

    async def run_checks(self, target: str, release: int, order: int) -> None:
        """Raises Refused where the release has no checks."""
        site = self._site(target)
        crew, rollout = site.live, site.kept.rollout
        if any(job.order == order for job in site.jobs):
            return
        rolled_out = rollout is not None and rollout.state is RolloutState.COMPLETE
        if crew is None or crew.number != release or not rolled_out or site.kept.serving != release:
            raise Unavailable(f"#{release} is not rolled out")
        if not all(crew.works(name) for name in crew.spec.services):
            raise Unavailable(f"a service of #{release} is started again")
        if not crew.release.checks:
            raise Refused(f"#{release} has no checks")
        job = CheckJob(SUITE, crew.revision, order, datetime.now(UTC))
        checks.begin(site, self._means, job, crew.release.checks)

    def route(self, host: str) -> Route | None:
        name = host.lower()
        site = self._sites.get(name.partition("--")[0]) or next(
            (site for site in self._sites.values() if name in view.hosts(site)), None
        )
        service = view.hosts(site).get(name) if site else None
        return view.route(site, service) if site and service else None

    async def logs(self, target: str, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        """Of the live release; those who follow are led on to the next one."""
        site = self._site(target)
        while True:
            crew = site.live
            if crew is None:
                raise Refused(f"nothing is deployed to {target}")
            folders, over = _folders(crew, service), partial(_is_past, site, crew.number)
            async for line in lines_of(folders, lines, more=follow, over=over):
                yield site.redact(line)
            if not follow or not over():
                return

    async def artifact(self, target: str, name: str) -> bytes | None:
        return await asyncio.to_thread(checks.artifact, self._site(target), SUITE, name)

    def bells(self) -> AsyncIterator[str | None]:
        return self._broadcast.changes()

    def _site(self, target: str) -> Site:
        if target not in self._sites:
            raise Refused(f"there is no target `{target}`; there are {', '.join(self._sites) or 'none'}")
        return self._sites[target]

    def _adopt(self, target: Target) -> Site:
        folder = self._home / target.name
        try:
            known = kept.read(folder)
        except kept.Unreadable as error:
            raise Refused(f"{folder / kept.FILE} cannot be read: {error}") from error
        local, mark = self._means.policy.local, f"{self._mark}{target.name}/"
        site = Site(
            folder, target, known or Kept(Record(target.name)), mark, local, lambda: self._broadcast.tell(target.name)
        )
        site.vault.open()
        return site

    def _crews(self, site: Site) -> list[ReleaseCrew]:
        """Of the releases that may run."""
        return [crew for crew in map(site.crew, sorted(site.wanted())) if crew is not None]

    async def _compare_database(self, site: Site) -> None:
        try:
            if await data.compare(site, self._means):
                _log.error("the database server lost a database; it begins from the seed", target=site.target.name)
        except (Unavailable, Refused) as error:
            _log.warning("the databases cannot be compared", reason=error.reason)

    def _begin(self, site: Site, *, anew: bool = False) -> None:
        """Starts what the record asks for. `anew`: what is being applied is given up."""
        for number in site.lost() - site.forgetters.keys():
            forgetter = site.forgetters[number] = self._spawn(watching.forget(site, number, self._means))
            forgetter.add_done_callback(partial(_done, site.forgetters, number))
        for crew in site.to_make():
            if crew.number not in site.makers:
                site.makes(crew.number, Making(MakingState.RUNNING))
                maker = site.makers[crew.number] = self._spawn(make(site, crew, self._means, self._secrets))
                maker.add_done_callback(partial(_done, site.makers, crew.number))
        if anew and site.applier is not None:
            site.applier.cancel()
        if anew or not site.busy:
            site.applier = self._spawn(self._apply(site))

    async def _supersede_checks(self, site: Site) -> None:
        await upkeep.quietly(checks.forget(site))

    async def _apply(self, site: Site) -> None:
        """Again where the record was saved meanwhile."""
        async with site.working:
            applied = ""
            while applied != site.version:
                applied = site.version
                await apply(site, self._means)

    def _spawn(self, doing: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep(self) -> None:
        """For ever: watches."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for site in self._sites.values():
                if site.watcher is None or site.watcher.done():  # a slow one delays no other
                    site.watcher = self._spawn(watching.watch(site, self._means, self._begin))

    def _taken_ports(self) -> set[int]:
        chosen = [ports for site in self._sites.values() for ports in site.kept.ports.values()]
        return {port for ports in chosen for port in ports.values()}


def _done(tasks: dict[int, asyncio.Task[None]], number: int, task: asyncio.Task[None]) -> None:
    if tasks.get(number) is task:
        del tasks[number]


def _is_past(site: Site, number: int) -> bool:
    return site.record.live != number


def _folders(crew: ReleaseCrew, service: str | None) -> dict[str, Path]:
    """Of the units whose logs are meant, by prefix. Raises Refused, naming those there are."""
    names = list(crew.spec.services)
    jobs = [name for name in (*JOBS, "undo") if name not in names and crew.job(name).folder.exists()]
    if service is None:
        return {f"{name} | ": crew.service(name).folder for name in names}
    if service in names:
        return {"": crew.service(service).folder}
    if service in jobs:
        return {"": crew.job(service).folder}
    raise Refused(f"there is no service `{service}`; there are {', '.join(names + jobs)}")
