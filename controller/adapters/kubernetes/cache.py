"""What the cluster has of ours, in memory: listed once, then watched. A look costs nothing, a round what changed.

A watch that ends goes on at the last version (bookmarks keep it fresh); one that is too old (410) lists again, and what
the list does not have any more is gone. Objects are kept as raw JSON without `managedFields`; nobody changes them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from weakref import WeakSet

import structlog

from controller.adapters.kubernetes.api import Api, Change, Expired, Kind
from controller.adapters.kubernetes.retry import Backoff
from controller.adapters.kubernetes.shapes import Obj
from controller.adapters.kubernetes.shelf import Shelf, place
from controller.errors import MayflyError, Refused, Unavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_OUT_OF_TOUCH_SECONDS = 60.0


@dataclass(slots=True)
class _Feed:
    """How one kind is heard of."""

    shelf: Shelf
    lost_at: float
    lost: bool = True
    trouble: str = "it was not listed yet"
    since: str = ""
    """The version that a watch begins at; empty where it has to be listed."""
    listed: bool = False
    failed: MayflyError | None = None
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    backoff: Backoff = field(default_factory=lambda: Backoff(0.1, 10.0))


class Cache:
    def __init__(
        self, api: Api, kinds: Sequence[Kind], labels: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._labels = labels
        self._clock = clock
        self._feeds = {kind: _Feed(Shelf(kind), clock()) for kind in kinds}
        self._bells: WeakSet[_Bell] = WeakSet()

    async def run(self) -> None:
        """Until cancelled. What fails is tried again with back-off and jitter."""
        async with asyncio.TaskGroup() as group:
            for feed in self._feeds.values():
                group.create_task(self._keep(feed))

    async def synced(self) -> None:
        """Returns once every kind was listed. Raises Unavailable or Refused with the reason where the first list of one
        fails, so that a wrong address or a missing permission stops the start."""
        for feed in self._feeds.values():
            await feed.tried.wait()
            if feed.failed is not None and not feed.listed:
                raise feed.failed

    def all(self, kind: Kind) -> Collection[Obj]:
        return self._feeds[kind].shelf.all()

    def of(self, kind: Kind, namespace: str) -> Collection[Obj]:
        """Those in a namespace."""
        return self._feeds[kind].shelf.of(namespace)

    def get(self, kind: Kind, name: str, namespace: str = "") -> Obj | None:
        return self._feeds[kind].shelf.get(name, namespace)

    def put(self, kind: Kind, obj: Obj) -> None:
        """What a write returned, so that it is seen at once. An older version than the known one changes nothing."""
        if self._feeds[kind].shelf.put(obj):
            self._ring(obj)

    def out_of_touch(self) -> str:
        """Why what is here may be old: a kind that could not be heard of for over a minute. Empty where all is well."""
        now = self._clock()
        for kind, feed in self._feeds.items():
            if feed.lost and now - feed.lost_at > _OUT_OF_TOUCH_SECONDS:
                return f"nothing was heard of the {kind.plural} for {now - feed.lost_at:.0f} seconds: {feed.trouble}"
        return ""

    def changes(self) -> AsyncIterator[str]:
        """Names of namespaces in which something changed (of the namespace itself too), from now on."""
        bell = _Bell()
        self._bells.add(bell)
        return bell

    async def _keep(self, feed: _Feed) -> None:
        while True:
            wait = None
            try:
                if not feed.since:
                    await self._list(feed)
                await self._watch(feed)
                self._lose(feed, "the server ended the watch")
            except Expired as error:
                feed.since = ""
                self._lose(feed, f"it has to be listed again: {error}")
            except (Unavailable, Refused) as error:
                wait = error.retry_after if isinstance(error, Unavailable) else None
                self._fail(feed, error)
            await asyncio.sleep(feed.backoff.pause(wait))

    async def _list(self, feed: _Feed) -> None:
        objects, version = await self._api.list(feed.shelf.kind, labels=self._labels)
        for obj in feed.shelf.replace(objects, version):
            self._ring(obj)
        feed.since, feed.listed, feed.failed, feed.lost = version, True, None, False
        feed.tried.set()

    async def _watch(self, feed: _Feed) -> None:
        async for change in self._api.watch(feed.shelf.kind, feed.since, self._labels):
            if feed.lost and feed.failed is not None:
                log.info("heard of again", kind=feed.shelf.kind.plural)
            feed.lost, feed.failed = False, None
            self._take(feed, change)

    def _take(self, feed: _Feed, change: Change) -> None:
        version = str(change.object["metadata"].get("resourceVersion") or feed.since)
        if version != feed.since:  # the server's first word is no news: it may be its last one too
            feed.backoff.reset()
        feed.since = version
        match change.type:
            case "ADDED" | "MODIFIED":
                changed = feed.shelf.hear(change.object)
            case "DELETED":
                changed = feed.shelf.drop(change.object)
            case _:
                return
        if changed:
            self._ring(change.object)

    def _lose(self, feed: _Feed, trouble: str) -> None:
        feed.trouble = trouble
        if not feed.lost:
            feed.lost, feed.lost_at = True, self._clock()

    def _fail(self, feed: _Feed, error: MayflyError) -> None:
        if feed.failed is None:
            log.info("cannot be heard of", kind=feed.shelf.kind.plural, reason=error.reason)
        feed.failed = error
        self._lose(feed, error.reason)
        feed.tried.set()

    def _ring(self, obj: Obj) -> None:
        namespace, name = place(obj)
        for bell in list(self._bells):
            bell.ring(namespace or name)


class _Bell:
    """One listener: names wait once each, so that a slow one costs no memory and holds up nobody."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._rung = asyncio.Event()

    def ring(self, name: str) -> None:
        self._names[name] = None
        self._rung.set()

    def __aiter__(self) -> "_Bell":
        return self

    async def __anext__(self) -> str:
        await self._rung.wait()
        name = next(iter(self._names))
        del self._names[name]
        if not self._names:
            self._rung.clear()
        return name
