"""One preview while a controller looks after it: its record, what the cluster has of it, and who works on it."""

import asyncio
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit
from weakref import WeakValueDictionary

from controller.adapters.kubernetes import names, record, strangers
from controller.adapters.kubernetes.api import DEPLOYMENT, JOB, NAMESPACE, POD, STATEFUL_SET, Api, Kind, Stale
from controller.adapters.kubernetes.cache import Cache
from controller.adapters.kubernetes.kinds import SECRET
from controller.adapters.kubernetes.record import MAX_LOGS, Record
from controller.adapters.kubernetes.shapes import Obj, Place
from controller.adapters.registry import Registry
from controller.adapters.shared.orders import Aim
from controller.adapters.shared.sources import Sources
from controller.adapters.shared.steps import Progress, StepFailed
from controller.adapters.shared.words import redact
from controller.common.nouns import Phase, PreviewKey, Step, StepState
from controller.errors import Refused, Unavailable
from controller.ports import Databases
from controller.settings import Kubernetes, Policy

Found = TypeVar("Found")
WATCHED = (NAMESPACE, DEPLOYMENT, STATEFUL_SET, JOB, POD)
"""Kinds that are kept in memory; others are read when they are needed."""
LOOK_AGAIN = 5.0
"""Seconds after which something is looked at again though nothing was heard of it."""


@dataclass(frozen=True, slots=True)
class Means:
    """What it takes to make previews."""

    api: Api
    cache: Cache
    policy: Policy
    sources: Sources
    registry: Registry
    databases: Databases | None
    """Of a server for all previews; None where each has its own."""
    reach: Callable[["Cell"], Awaitable[None]]
    """Gives its services their addresses; see `Cell.addresses`."""
    seeding: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """Held by the preview that seeds; the others that need the same seed wait."""
    public: Registry = field(default_factory=strangers.registry)
    """Asked for the images of strangers."""

    def url(self, host: str) -> str:
        return self.policy.url(host)


class Cell:
    """`changed` is told of every change of the record."""

    def __init__(self, means: Means, namespace: Obj, known: Record, changed: Callable[[PreviewKey], None]) -> None:
        self.name: str = namespace["metadata"]["name"]
        self.record = known
        self.working = asyncio.Lock()
        """Held by the one worker that works: one that was told to end may take a while to."""
        self.worker: asyncio.Task[None] | None = None
        self.held = 0
        """How many orders are being written down: no worker begins meanwhile, as it would go on with the old one."""
        self.readers: dict[str, asyncio.Task[None]] = {}
        """Who fetches the result of a check Job, by its name."""
        self.refresher: asyncio.Task[None] | None = None
        """Who finds out where it is reached; once more where it `moved` meanwhile."""
        self.moved = False
        self.gives_way = 0.0
        """Until when (`time.monotonic`) another controller is left alone with it."""
        self.hosts: tuple[str, ...] = ()
        """The host labels that lead to it."""
        self.addresses: dict[str, tuple[str, int]] = {}
        """Where each service that works is reached."""
        self.warnings: dict[str, str] = {}
        """What the cluster last warned of, by the uid of what it is about; only while something takes long."""
        self.applied: frozenset[str] = frozenset()
        """What the present deploy has applied, by identity."""
        self.last_visit: datetime | None = None
        self.visit_kept: datetime | None = None
        self.secrets: tuple[str, ...] = ()
        self._means, self._changed = means, changed
        self._pulse = asyncio.Event()
        self._writing = asyncio.Lock()
        self._said = ""
        self.see(namespace)

    def see(self, namespace: Obj) -> None:
        """Takes over what the namespace says now."""
        metadata = namespace["metadata"]
        self.uid: str = metadata["uid"]
        self.version: str = metadata["resourceVersion"]
        self.created_at = datetime.fromisoformat(metadata["creationTimestamp"])
        self.namespace = namespace
        visited = metadata.get("annotations", {}).get(names.VISITED)
        if visited is not None:
            self.visit_kept = datetime.fromisoformat(visited)
            self.visited(self.visit_kept)

    @property
    def key(self) -> PreviewKey:
        return self.record.key

    @property
    def kubernetes(self) -> Kubernetes:
        """The policy as it holds for this preview: a tighter one where strangers' code runs."""
        return strangers.policy(self._means.policy.kubernetes, fork=self.record.order.fork)

    @property
    def place(self) -> Place:
        return Place(self.name, self.record.key, self._means.policy.kubernetes.instance)

    @property
    def terminating(self) -> bool:
        return "deletionTimestamp" in self.namespace["metadata"]

    @property
    def leaving(self) -> bool:
        """It is being removed, or is gone."""
        there = self._means.cache.get(NAMESPACE, self.name)
        gone = there is None or there["metadata"]["uid"] != self.uid
        return gone or self.terminating or self.record.aim is Aim.REMOVE

    @property
    def busy(self) -> bool:
        return self.worker is not None and not self.worker.done()

    def objects(self, kind: Kind, **labels: str) -> list[Obj]:
        """Those of the namespace with these labels (`SERVICE="web"`), as they were last heard of."""
        wanted = {getattr(names, label): value for label, value in labels.items()}
        return [
            obj
            for obj in self._means.cache.of(kind, self.name)
            if wanted.items() <= obj["metadata"].get("labels", {}).items()
        ]

    def deployment(self, name: str, kind: Kind = DEPLOYMENT) -> Obj | None:
        """`kind` may be StatefulSet as well."""
        return self._means.cache.get(kind, name, self.name)

    def job(self, name: str) -> Obj | None:
        return self._means.cache.get(JOB, name, self.name)

    def pods(self, **labels: str) -> list[Obj]:
        """Newest first."""
        found = self.objects(POD, **labels)
        return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)

    def pods_of_job(self, name: str) -> list[Obj]:
        return [pod for pod in self.pods() if pod["metadata"].get("labels", {}).get("job-name") == name]

    def stir(self) -> None:
        """Something of it changed in the cluster."""
        self._pulse.set()

    async def until(self, look: Callable[[], Found | None]) -> Found:
        """What `look` finds, as soon as it finds something."""
        while (found := look()) is None:
            self._pulse.clear()
            try:
                async with asyncio.timeout(LOOK_AGAIN):
                    await self._pulse.wait()
            except TimeoutError:
                continue
        return found

    async def save(self, known: Record) -> None:
        """Writes the record to the namespace that we know. Raises Stale where another controller wrote it meanwhile
        (its record is taken over), Unavailable, or Refused."""
        said = record.write(known)
        async with self._writing:
            self._said = said
            kept = await self._written(said)
        self._means.cache.put(NAMESPACE, kept)
        self.see(kept)
        self.record = known
        self._changed(self.key)

    def wrote(self, namespace: Obj) -> bool:
        """Whether its record is what we wrote last: the watch may tell of it before the answer comes."""
        return record.said(namespace) == self._said

    async def _written(self, said: str) -> Obj:
        while True:
            metadata = {"uid": self.uid, "resourceVersion": self.version, "annotations": {names.RECORD: said}}
            try:
                kept = await self._means.api.patch(NAMESPACE, self.name, "", {"metadata": metadata})
            except Stale:
                kept = await self._read_again(said)
                if record.said(kept) != said:
                    continue
            if kept is None:
                raise Stale(f"the namespace {self.name} is gone")
            return kept

    async def _read_again(self, said: str) -> Obj:
        """Somebody else may have touched the namespace, which is fine, or acted on it, which ends what we do. What we
        `said` ourselves may be there already, where the answer to it was lost."""
        now = await self._means.api.get(NAMESPACE, self.name)
        if now is None or now["metadata"]["uid"] != self.uid:
            raise Stale(f"the namespace {self.name} is gone, or another one now")
        theirs, before = record.read(now), record.read(self.namespace)
        self._means.cache.put(NAMESPACE, now)
        self.see(now)
        if theirs is not None and theirs != before and record.said(now) != said:
            self.record = theirs
            self._changed(self.key)
            raise Stale(f"another controller works on {self.name}")
        return now

    async def confirm(self) -> None:
        """Before what carries no precondition of its own. Raises Stale where another controller has acted since."""
        await self._read_again("")

    async def enter(self, phase: Phase, aim: Aim, reason: str = "", logs: str = "", *, crashed: bool = False) -> None:
        """Another phase; its time begins anew only where it is another."""
        since = self.record.phase_since if self.record.phase is phase else datetime.now(UTC)
        steps = record.cut_off(self.record.steps) if phase is Phase.FAILED else self.record.steps
        known = replace(self.record, phase=phase, aim=aim, phase_since=since, crashed=crashed, steps=steps)
        await self.save(replace(known, reason=self.redact(reason), logs=self.redact(logs)[-MAX_LOGS:]))

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[Progress]:
        """Shows that a step runs, and how it ended; kept with whatever is saved next. A cancelled one stays running."""
        progress, started_at, clock = Progress(), datetime.now(UTC), time.monotonic()
        self._show(Step(name, StepState.RUNNING, started_at))
        try:
            yield progress
        except Stale:
            raise
        except (StepFailed, Refused) as error:
            took = timedelta(seconds=time.monotonic() - clock)
            self._show(Step(name, StepState.FAILED, started_at, took, self.redact(error.reason)))
            raise
        took = timedelta(seconds=time.monotonic() - clock)
        self._show(Step(name, progress.state, started_at, took, progress.detail), reason="")

    def _show(self, step: Step, reason: str | None = None) -> None:
        """In the place of an earlier one of this name, else at the end."""
        steps = {known.name: known for known in self.record.steps} | {step.name: step}
        self.show(steps=tuple(steps.values()), reason=self.record.reason if reason is None else reason)

    def show(self, *, reason: str, steps: tuple[Step, ...] | None = None) -> None:
        """What it waits for, at once; it is kept with whatever is saved next."""
        why = strangers.explained(reason, fork=self.record.order.fork)
        known = replace(self.record, reason=self.redact(why), steps=self.record.steps if steps is None else steps)
        if known != self.record:
            self.record = known
            self._changed(self.key)

    def visited(self, at: datetime) -> None:
        self.last_visit = max(at, self.last_visit or at)

    async def keep_visit(self) -> None:
        """Writes the last visit down, where it is news."""
        if self.last_visit is None or self.last_visit == self.visit_kept:
            return
        annotations = {names.VISITED: self.last_visit.isoformat()}
        change = {"metadata": {"uid": self.uid, "annotations": annotations}}
        try:
            kept = await self._means.api.patch(NAMESPACE, self.name, "", change)
        except Stale:
            return  # another environment has taken its place
        if kept is not None:
            self._means.cache.put(NAMESPACE, kept)
            self.see(kept)

    def redact(self, text: str) -> str:
        return redact(text, self.secrets)

    def keep_secret(self, url: str) -> None:
        """The password of a URL is redacted from here on."""
        if password := urlsplit(url).password:
            known = dict.fromkeys((*self.secrets, unquote(password), quote(unquote(password))))
            self.secrets = tuple(known)[-12:]

    async def know_secrets(self) -> None:
        """Those that an earlier controller made: what it knew of them is in the namespace. Raises Unavailable."""
        if self.record.database_secret and not self.secrets:
            found = await self._means.api.get(SECRET, self.record.database_secret, self.name)
            if found is not None and "url" in found.get("data", {}):
                self.keep_secret(b64decode(found["data"]["url"]).decode())

    async def logs(self, pod: Obj, container: str, *, lines: int = 40, previous: bool = False) -> str:
        """The last lines, without secrets; empty where they cannot be had now."""
        try:
            await self.know_secrets()
            said = await self._means.api.logs(
                self.name, pod["metadata"]["name"], container, lines=lines, previous=previous
            )
        except Unavailable:
            return ""
        return self.redact(said)
