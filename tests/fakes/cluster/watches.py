"""A watch: one line of JSON per event, from a version on, until its time is over or somebody cuts it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from tests.fakes.cluster.faults import Faults
from tests.fakes.cluster.problems import ApiError, expired
from tests.fakes.cluster.resources import Obj, Resource
from tests.fakes.cluster.selectors import Selector
from tests.fakes.cluster.store import Event, Store, encode

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Wanted:
    resource: Resource
    namespace: str
    selector: Selector
    bookmarks: bool
    seconds: float

    def translated(self, event: Event) -> tuple[str, bytes] | None:
        """The event as one who sees only what the selector matches sees it."""
        if event.resource is not self.resource or self.namespace not in {"", event.object["metadata"].get("namespace")}:
            return None
        was, is_now = self.selector.matches(event.before), self.selector.matches(event.object)
        if event.type == "DELETED" or not is_now:
            return ("DELETED", event.json) if was else None
        return ("MODIFIED" if was else "ADDED", event.json)


class Watch:
    def __init__(self, store: Store, faults: Faults, wanted: Wanted) -> None:
        self._store, self._faults, self._wanted = store, faults, wanted
        self._lines: list[bytes] = []
        self._news = asyncio.Event()
        self._sent = store.version
        self.cut = False

    def begin(self, version: str, *, initial: bool) -> None:
        """Raises ApiError where the version is too old, or not yet there."""
        if version in {"", "0"} or initial:
            self._lines += [_line("ADDED", encode(obj)) for obj in self._there()]
        else:
            self._replay(int(version))
        if initial:
            self._bookmark({INITIAL_EVENTS_END: "true"})

    def _there(self) -> Iterator[Obj]:
        found = self._store.all(self._wanted.resource, self._wanted.namespace)
        return (obj for obj in found if self._wanted.selector.matches(obj))

    def _replay(self, version: int) -> None:
        if version < self._store.compacted:
            raise expired(f"too old resource version: {version} ({self._store.compacted})")
        if version > self._store.version:
            cause = ("ResourceVersionTooLarge", "Too large resource version", "")
            text = f"Too large resource version: {version}, current: {self._store.version}"
            raise ApiError(504, text, causes=[cause], retry_after=1)
        for event in self._store.since(version):
            self.hear(event)

    def hear(self, event: Event) -> None:
        self._sent = event.version
        found = self._wanted.translated(event)
        if found is not None:
            self._lines.append(_line(*found))
            self._news.set()

    def end(self) -> None:
        self.cut = True
        self._news.set()

    def _bookmark(self, annotations: Obj | None = None) -> None:
        metadata: Obj = {"resourceVersion": str(self._sent), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        resource = self._wanted.resource
        about = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        self._lines.append(_line("BOOKMARK", encode(about)))

    async def send(self, response: web.StreamResponse, every: float) -> None:
        """Until its time is over (True of `cut`: somebody ended it before)."""
        stop_listening = self._store.listen(self.hear)
        try:
            async with asyncio.timeout(self._wanted.seconds):
                while await self._flush(response):
                    await self._more(every)
        except TimeoutError:
            await self._flush(response)
        finally:
            stop_listening()

    async def _more(self, every: float) -> None:
        try:
            async with asyncio.timeout(every if self._wanted.bookmarks else None):
                await self._news.wait()
        except TimeoutError:
            self._bookmark()
        self._news.clear()

    async def _flush(self, response: web.StreamResponse) -> bool:
        if self._faults.silent:
            self._lines.clear()
        while self._lines and not self.cut:
            lines, self._lines = self._lines, []
            for index, line in enumerate(lines):
                if self._faults.cuts():
                    await response.write(b"".join(lines[:index]) + line[: len(line) // 2])
                    self.cut = True
                    return False
            await response.write(b"".join(lines))
        return not self.cut


def _line(type_: str, obj: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), obj)


def error_line(error: ApiError) -> bytes:
    return _line("ERROR", encode(error.status()))
