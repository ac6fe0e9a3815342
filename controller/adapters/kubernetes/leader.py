"""Who acts, where several controllers run: the holder of a Lease.

The Lease is renewed with the version that was read, so two can never hold it; but time passes between a look at it and
a write, so every write carries a precondition of its own as well. A stop gives it away at once.

Clocks of two machines are never compared: a Lease is free once it did not change for its duration while we looked on.
Whoever waits for it watches it, and so learns at once that it was given away.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta

import structlog

from controller.adapters.kubernetes.api import LEASE, Api, Expired, Stale
from controller.adapters.kubernetes.shapes import Obj
from controller.errors import MayflyError, Refused, Unavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_RELEASE_SECONDS = 5.0


class Leader:
    """`identity` names this very process; times are those of client-go's leader election."""

    def __init__(  # noqa: PLR0913 -- three of them are times that only tests change
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        *,
        lease: timedelta = timedelta(seconds=15),
        renew_within: timedelta = timedelta(seconds=10),
        retry: timedelta = timedelta(seconds=2),
    ) -> None:
        self._api = api
        self._at = (name, namespace)
        self._identity = identity
        self._lease = lease
        self._renew_within = renew_within.total_seconds()
        self._retry = retry.total_seconds()
        self._leads = False
        self._version = ""
        self._record: Obj = {}
        self._seen_at = 0.0
        """When the record was first seen as it is, by our own clock."""
        self._renewed_at = 0.0

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled: waits for the Lease, then runs `lead`, cancelled (and awaited) where the Lease is lost.

        Cancelled, it ends `lead` first, then gives the Lease away, so that another takes it within a second. An error
        of `lead` is raised, with the Lease given away; it returns where `lead` does.
        """
        while True:
            await self._acquire()
            log.info("leads", identity=self._identity)
            if await self._led(lead):
                return
            log.warning("leads no more: the Lease could not be renewed", holder=self.holder)

    @property
    def leads(self) -> bool:
        return self._leads

    @property
    def holder(self) -> str:
        """Who holds it, as it was last seen."""
        return str(self._record.get("holderIdentity") or "")

    async def _led(self, lead: Callable[[], Awaitable[None]]) -> bool:
        """Whether `lead` ended by itself."""
        self._leads = True
        work, renewal = asyncio.ensure_future(lead()), asyncio.create_task(self._renew())
        try:
            await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
            by_itself = work.done()
        finally:
            self._leads = False
            await _end(work)
            lost = renewal.done()
            await _end(renewal)
            if not lost:
                await self._give_away()
        if not work.cancelled() and (error := work.exception()) is not None:
            raise error
        if lost and (broken := renewal.exception()) is not None:
            raise broken
        return by_itself

    async def _acquire(self) -> None:
        while True:
            try:
                if await self._take():
                    return
                await self._until_free()
            except (Unavailable, Refused) as error:
                log.warning("the Lease cannot be had", reason=error.reason)
            await asyncio.sleep(self._retry * random.uniform(0.1, 0.3) if self._free() else self._pause())

    async def _take(self) -> bool:
        lease = await self._api.get(LEASE, *self._at)
        if lease is None:
            return self._hold(await self._api.create(self._first()), _now())
        self._see(lease)
        return self._free() and await self._write(self._claim())

    async def _until_free(self) -> None:
        """Returns where it was given away, or was not renewed for all its time, or cannot be watched any more."""
        name, namespace = self._at
        watch = self._api.watch(LEASE, self._version, namespace=namespace, name=name)
        with suppress(TimeoutError, Expired):
            async with asyncio.timeout_at(self._free_at()) as limit, aclosing(watch) as changes:
                async for change in changes:
                    if change.type == "DELETED":
                        return
                    if change.type != "BOOKMARK":
                        self._see(change.object)
                    if self._free():
                        return
                    limit.reschedule(self._free_at())

    async def _renew(self) -> None:
        """Returns where it is lost."""
        while True:
            await asyncio.sleep(self._retry)
            try:
                async with asyncio.timeout_at(self._renewed_at + self._renew_within):
                    while not await self._renewed():  # noqa: ASYNC110 -- nobody tells when it can be written again
                        await asyncio.sleep(self._pause() / 2)
            except TimeoutError:
                return
            if self.holder != self._identity:
                return

    async def _renewed(self) -> bool:
        """Whether it is known who holds it now. One try takes half of the time at most: a dead connection is left."""
        try:
            async with asyncio.timeout(self._renew_within / 2):
                if await self._write({"renewTime": _micro()}):
                    return True
                lease = await self._api.get(LEASE, *self._at)
        except TimeoutError:
            return False
        except MayflyError as error:
            log.warning("the Lease was not renewed", reason=error.reason)
            return False
        self._see(lease or {"metadata": {}, "spec": {}})
        return self.holder != self._identity

    async def _write(self, spec: Obj) -> bool:
        """False where somebody else was quicker."""
        began = _now()
        change = {"metadata": {"resourceVersion": self._version}, "spec": spec}
        try:
            return self._hold(await self._api.patch(LEASE, *self._at, change), began)
        except Stale:
            return False

    async def _give_away(self) -> None:
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro()}
        with suppress(TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                try:
                    await self._write(spec)
                except MayflyError as error:
                    log.warning("the Lease was not given away; it ends by itself", reason=error.reason)

    def _hold(self, lease: Obj | None, began: float) -> bool:
        if lease is None:
            return False
        self._see(lease)
        self._renewed_at = began
        return True

    def _see(self, lease: Obj) -> None:
        self._version = str(lease["metadata"].get("resourceVersion") or "")
        spec = lease.get("spec") or {}
        if spec != self._record:
            self._record, self._seen_at = spec, _now()

    def _free(self) -> bool:
        return not self.holder or self.holder == self._identity or _now() >= self._free_at()

    def _free_at(self) -> float:
        return self._seen_at + float(self._record.get("leaseDurationSeconds") or self._lease.total_seconds())

    def _first(self) -> Obj:
        name, namespace = self._at
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": self._claim()}

    def _claim(self) -> Obj:
        now, before = _micro(), int(self._record.get("leaseTransitions") or 0)
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._lease.total_seconds())),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": before + (bool(self._record) and self.holder != self._identity),
        }

    def _pause(self) -> float:
        return self._retry * random.uniform(1.0, 1.2)


async def _end(task: "asyncio.Future[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("ended with an error", error=repr(error))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _micro() -> str:
    """A `MicroTime` of the API."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
