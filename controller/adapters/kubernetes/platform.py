"""The Kubernetes platform: a namespace for every preview, and on it the record that says what it should be.

An order is written to the namespace and a worker started; the caller does not wait. Everything is found again after a
restart, by any replica: what the cluster has of ours is listed once and watched. One replica acts (`lead`); the others
see the same, and lead the way in.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from controller.adapters.kubernetes import changes, names, record, render, runs, talk, upkeep, view
from controller.adapters.kubernetes.api import NAMESPACE, Api
from controller.adapters.kubernetes.cache import Cache
from controller.adapters.kubernetes.cell import WATCHED, Cell, Means
from controller.adapters.kubernetes.keeper import Keeper, patiently
from controller.adapters.kubernetes.reach import Reach
from controller.adapters.kubernetes.shapes import Obj, Place
from controller.adapters.registry import Registry
from controller.adapters.shared.orders import Aim
from controller.adapters.shared.sources import Sources, Where
from controller.common.nouns import Phase, PreviewKey, Route
from controller.errors import Refused, Unavailable
from controller.ports import Databases
from controller.previews.model import DeployOrder, Preview
from controller.settings import Kubernetes, Policy

VISITS = timedelta(minutes=1)
"""A visit is written down at most this often, while nobody needs to know sooner."""
log = structlog.get_logger()


class KubernetesPlatform:
    """Implements `controller.ports.Platform`.

    `home` holds copies of repositories, which can be fetched again. Call `open` before anything else, `lead` to act on
    what is found, `close` at the end, which leaves the previews running. `databases` are those of the server for all.
    """

    def __init__(
        self,
        api: Api,
        *,
        policy: Policy,
        source: Where,
        home: Path,
        databases: Databases | None = None,
    ) -> None:
        kubernetes = policy.kubernetes
        cache = Cache(api, WATCHED, names.selector(kubernetes.instance))
        self._home = home
        reach = Reach(api, kubernetes)
        sources = Sources(home / "sources", source, {})
        self._means = Means(api, cache, policy, sources, Registry(), databases, reach.refresh)
        self._keeper = Keeper(self._means, reach)

    async def open(self) -> None:
        """Finds everything. Raises Unavailable or Refused where the cluster cannot be read."""
        (self._home / "sources").mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(self._means.sources.sweep)
        await upkeep.namespace(self._means)
        await upkeep.read_pull_secrets(self._means)
        await self._keeper.open()

    async def lead(self) -> None:
        """Acts from here on: goes on with all that is under way."""
        await self._keeper.lead()

    async def stand_by(self) -> None:
        """Acts no more; sees all the same. What was under way is gone on with by whoever leads."""
        await self._keeper.stand_by()

    async def close(self) -> None:
        await self._keeper.close()
        await self._means.registry.close()
        await self._means.public.close()

    async def previews(self) -> tuple[Preview, ...]:
        """Raises Unavailable where nothing was heard of the cluster for a while: what is known may be old."""
        if why := self._means.cache.out_of_touch():
            raise Unavailable(why)
        return tuple(self._keeper.preview(cell) for cell in self._keeper.roster)

    async def preview(self, key: PreviewKey) -> Preview | None:
        if why := self._means.cache.out_of_touch():
            raise Unavailable(why)
        cell = self._keeper.roster.get(key)
        return self._keeper.preview(cell) if cell else None

    async def deploy(self, order: DeployOrder) -> None:
        """Raises Unavailable while an old environment of this key is being removed, Refused where its name is taken.

        One that was for strangers' code and is not any more, or the reverse, is removed first: nothing is handed over.
        """
        cell = self._keeper.roster.get(order.key) or await self._found_or_made(order)
        if cell.terminating or cell.record.aim is Aim.REMOVE:
            raise Unavailable("the old preview is being removed")
        if cell.record.order.fork != order.fork:
            await self.remove(order.key, cell.uid)
            raise Unavailable("the old preview is being removed, as it was fenced otherwise")
        await self._keeper.change(cell, lambda known: changes.ordered(known, order))

    async def _found_or_made(self, order: DeployOrder) -> Cell:
        kubernetes = self._means.policy.kubernetes
        place = Place(names.namespace(kubernetes.prefix, order.key), order.key, kubernetes.instance)
        known = record.first(order, datetime.now(UTC))
        made = await self._means.api.create(render.namespace(place, {names.RECORD: record.write(known)}))
        found = made or await self._found(place)
        self._means.cache.put(NAMESPACE, found)
        cell = self._keeper.roster.of(order.key, found["metadata"]["uid"])  # its watch may have been quicker
        if cell is not None:
            return cell
        there = record.read(found)
        cell = self._keeper.adopt(found, there or upkeep.begun_anew(known, found, self._means))
        if there is None:
            await cell.save(cell.record)
        return cell

    async def _found(self, place: Place) -> Obj:
        """Ours, which was not heard of yet: made just now, the answer lost; or its record cannot be read."""
        found = await self._means.api.get(NAMESPACE, place.namespace)
        if found is None or "deletionTimestamp" in found["metadata"]:
            raise Unavailable("the old preview is being removed")
        if not names.labels(place).items() <= found["metadata"].get("labels", {}).items():
            raise Refused(f"there is a namespace {place.namespace} that is not ours")
        return found

    async def run_checks(self, key: PreviewKey, uid: str, revision: str, suite: str, order: int) -> None:
        """Raises Unavailable where the preview is not ready, Refused where its spec has no such suite."""
        cell = self._keeper.roster.of(key, uid)
        if cell is not None and cell.record.order.revision == revision:
            await runs.start(cell, self._means, suite, order)
            self._keeper.changed(key)

    async def give_up(self, key: PreviewKey, uid: str, revision: str, because: str) -> None:
        cell = self._keeper.roster.of(key, uid)
        if cell is None or cell.record.order.revision != revision or cell.record.phase is not Phase.STARTING:
            return
        ailing = {one.name: one.reason for one in view.preview(cell, "").services if one.reason}
        logs = await talk.last_lines(cell, ailing)
        await self._keeper.change(cell, lambda known: changes.given_up(known, revision, because, ailing, logs))

    async def sleep(self, key: PreviewKey, uid: str, order: int) -> None:
        if (cell := self._keeper.roster.of(key, uid)) is not None:
            await self._keeper.change(cell, lambda known: changes.rested(known, Aim.REST, order))

    async def wake(self, key: PreviewKey, uid: str, order: int) -> None:
        if (cell := self._keeper.roster.of(key, uid)) is not None:
            await self._keeper.change(cell, lambda known: changes.rested(known, Aim.RUN, order))

    async def remove(self, key: PreviewKey, uid: str) -> None:
        if (cell := self._keeper.roster.of(key, uid)) is not None and not cell.terminating:
            await self._keeper.change(cell, changes.removed)

    async def visited(self, key: PreviewKey, at: datetime) -> None:
        cell = self._keeper.roster.get(key)
        if cell is None:
            return
        cell.visited(at)
        self._keeper.changed(key)
        if cell.record.phase is Phase.SLEEPING or cell.visit_kept is None or at - cell.visit_kept > VISITS:
            self._keeper.spawn(patiently(cell, cell.keep_visit()))

    def route(self, host: str) -> Route | None:
        found = self._keeper.roster.at(host)
        return view.route(*found) if found else None

    def logs(self, key: PreviewKey, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        cell = self._keeper.roster.get(key)
        if cell is None:
            raise Refused(f"there is no preview of {key}")
        return talk.logs(cell, self._means.api, service, lines, more=follow)

    async def artifact(self, key: PreviewKey, suite: str, name: str) -> bytes | None:
        cell = self._keeper.roster.get(key)
        return await runs.artifact(cell, self._means, suite, name) if cell else None

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        return self._keeper.broadcast.changes()


async def namespaces_of(api: Api, kubernetes: Kubernetes) -> list[str]:
    """The names of all previews' namespaces, those that are being removed included."""
    found, _ = await api.list(NAMESPACE, labels=names.selector(kubernetes.instance))
    return sorted(namespace["metadata"]["name"] for namespace in found)
