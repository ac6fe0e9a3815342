"""Where main runs, on a cluster: a namespace for each target, and the Secrets in it that say what it should be.

One replica acts (`lead`); the others see the same, and lead the way in.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from controller.adapters.kubernetes import names, runs, talk, upkeep
from controller.adapters.kubernetes.api import DEPLOYMENT, JOB, POD, STATEFUL_SET, Api
from controller.adapters.kubernetes.cache import Cache
from controller.adapters.kubernetes.cell import Means
from controller.adapters.kubernetes.main import look
from controller.adapters.kubernetes.main.main import Main
from controller.adapters.kubernetes.main.tend import Tender
from controller.adapters.kubernetes.main.watched import Tell, Watcher
from controller.adapters.kubernetes.reach import Reach
from controller.adapters.registry import Registry
from controller.adapters.shared.orders import service_host
from controller.adapters.shared.sources import Sources, Where
from controller.common.bells import Broadcast
from controller.common.nouns import Phase, PreviewKey, Route
from controller.deploys.model import Record, RolloutState, Seen
from controller.errors import Refused, Unavailable
from controller.ports import Databases
from controller.settings import Policy

_KINDS = (DEPLOYMENT, STATEFUL_SET, JOB, POD)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TargetMeans(Means):
    """A target may be reached at a URL of its own."""

    def url(self, host: str) -> str:
        own = next((target.url for target in self.policy.targets if target.name == host), None)
        return own or self.policy.url(host)


class KubernetesTargets:
    """Implements `controller.deploys.ports.Targets`.

    `home` holds copies of repositories, which can be fetched again. `secrets` is the controller's environment; `tell`
    posts to the webhooks of watched targets. Call `open` before anything else, `lead` to act on what is found, `close`
    at the end, which leaves everything running.
    """

    def __init__(  # noqa: PLR0913 - all that the outside gives it, by name
        self,
        api: Api,
        *,
        policy: Policy,
        source: Where,
        home: Path,
        databases: Databases | None = None,
        secrets: Mapping[str, str] | None = None,
        tell: Tell | None = None,
    ) -> None:
        kubernetes, self._folder = policy.kubernetes, home / "main-sources"
        cache = Cache(api, _KINDS, names.targets_selector(kubernetes.instance))
        self._reach = Reach(api, kubernetes)
        sources = Sources(self._folder, source, {})
        self._means = TargetMeans(api, cache, policy, sources, Registry(), databases, self._reach.refresh)
        self._broadcast: Broadcast[str] = Broadcast()
        self._tenders: dict[str, Tender] = {}
        self._watchers: dict[str, Watcher] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._acting: list[asyncio.Task[None]] = []
        for target in policy.targets:
            main = Main(target, self._means, self._broadcast.tell)
            if target.watch is not None:
                self._watchers[target.name] = Watcher(main, target.watch, tell)
            else:
                self._tenders[target.name] = Tender(main, self._reach, {} if secrets is None else secrets)

    async def open(self) -> None:
        """Finds everything. Raises Unavailable or Refused where the cluster cannot be read."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(self._means.sources.sweep)
        await upkeep.read_pull_secrets(self._means)
        heard = self._means.cache.changes()
        self._tasks.append(asyncio.create_task(self._means.cache.run()))
        await self._means.cache.synced()
        for one in self._all():
            await one.open()
        self._tasks.append(asyncio.create_task(self._listen(heard)))
        await self.stand_by()

    async def lead(self) -> None:
        """Acts from here on: goes on with all that is under way."""
        await self._pause()
        self._acting = [asyncio.create_task(one.run()) for one in self._all()]

    async def stand_by(self) -> None:
        """Acts no more; sees all the same. What was under way is gone on with by whoever leads."""
        await self._pause()
        self._acting = [asyncio.create_task(one.watch()) for one in self._tenders.values()]

    async def close(self) -> None:
        await self._pause()
        await _ended(self._tasks)
        await self._reach.close()
        await self._means.registry.close()
        await self._means.public.close()

    async def _pause(self) -> None:
        await _ended(self._acting)
        for one in self._all():
            await one.stop()

    def _all(self) -> list[Tender | Watcher]:
        return [*self._tenders.values(), *self._watchers.values()]

    async def _listen(self, heard: AsyncIterator[str]) -> None:
        async for namespace in heard:
            for tender in self._tenders.values():
                if tender.main.namespace == namespace:
                    await self._hear(tender)

    async def _hear(self, tender: Tender) -> None:
        try:
            await tender.hear()
        except (Unavailable, Refused) as error:
            log.warning("not now", target=tender.main.target.name, reason=error.reason)
        except Exception:
            log.exception("a change was not understood", target=tender.main.target.name)

    async def seen(self, target: str) -> Seen:
        """Raises Unavailable where nothing was heard of the cluster for a while: what is known may be old."""
        if why := self._means.cache.out_of_touch():
            raise Unavailable(why)
        if (watcher := self._watchers.get(target)) is not None:
            return await watcher.seen()
        tender = self._tender(target)
        await tender.main.read()
        return await look.seen(tender.main, tender.live, tender.making, self._means.url(target))

    async def save(self, record: Record, version: str) -> None:
        await self._main(record.target).save(record, version)

    async def run_checks(self, target: str, release: int, order: int) -> None:
        if (watcher := self._watchers.get(target)) is not None:
            await watcher.run_checks(release, order)
            return
        tender = self._tender(target)
        rollout, serving = tender.main.rollout, tender.serving
        complete = rollout is not None and (rollout.release, rollout.state) == (release, RolloutState.COMPLETE)
        if serving is None or not complete or serving.number != release or tender.main.record.live != release:
            raise Unavailable(f"#{release} is not live and rolled out")
        await runs.start(serving, self._means, "smoke", order)
        tender.main.changed()

    def route(self, host: str) -> Route | None:
        for name, tender in self._tenders.items():
            serving = tender.serving
            if serving is not None:
                spec = serving.record.order.spec
                for service in spec.services:
                    if service_host(spec, name, service) == host.lower():
                        return look.route(serving, service, tender.main.target.repository)
            elif host.lower() == name and tender.main.record.live:
                reason = tender.live.record.reason if tender.live else ""
                return Route(PreviewKey(tender.main.target.repository, 0), "", Phase.STARTING, None, reason)
        return None

    async def logs(self, target: str, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        """Of the release that people are led to; of the one that is being brought about, where there is none."""
        tender = self._tender(target)
        one = tender.serving or tender.live
        if one is None:
            raise Refused(f"nothing runs at {target} yet")
        async for line in talk.logs(one, self._means.api, service, lines, more=follow):
            yield line

    async def artifact(self, target: str, name: str) -> bytes | None:
        tender = self._tenders.get(target)
        return await runs.artifact(tender.serving, self._means, "smoke", name) if tender and tender.serving else None

    def bells(self) -> AsyncIterator[str | None]:
        return self._broadcast.changes()

    def _main(self, target: str) -> Main:
        watcher = self._watchers.get(target)
        return watcher.main if watcher is not None else self._tender(target).main

    def _tender(self, target: str) -> Tender:
        if target in self._watchers:
            raise Refused(f"{target} is deployed by another tool, and only watched here")
        if target not in self._tenders:
            raise Refused(f"there is no target {target}")
        return self._tenders[target]


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()
