"""One target while a controller looks after it: what is written down of it, and who works on it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakSet

from controller.adapters.kubernetes import names, render
from controller.adapters.kubernetes.api import NAMESPACE, Stale
from controller.adapters.kubernetes.cell import Cell, Means
from controller.adapters.kubernetes.kinds import SECRET
from controller.adapters.kubernetes.main import state as written
from controller.adapters.kubernetes.main.state import Kept, State
from controller.adapters.kubernetes.shapes import Obj, Place
from controller.common.nouns import PreviewKey
from controller.deploys.model import Record, Rollout
from controller.errors import Refused, Unavailable
from controller.settings import Target


class Main:
    """`changed` is told of every change that somebody may want to see."""

    def __init__(self, target: Target, means: Means, changed: Callable[[str], None]) -> None:
        self.target, self.means = target, means
        self.namespace = target.namespace or f"mayfly-{target.name}"
        self.place = self.place_of(0)
        self.record, self.version = Record(target.name), ""
        self.state, self.known = State(), False
        self.rollout: Rollout | None = None
        """Of the release that is live, once something is known of it."""
        self.pulse = asyncio.Event()
        self.databasing = asyncio.Lock()
        """Held by whoever makes the database."""
        self.hands: WeakSet[Cell] = WeakSet()
        """To be stirred when something changed in the cluster."""
        self._kept: dict[int, Kept] = {}
        self._state_version = ""
        self._writing = asyncio.Lock()
        self._changed = changed

    def place_of(self, number: int) -> Place:
        """Of one release; checks and commands are told its number."""
        key, instance = PreviewKey(self.target.repository, number), self.means.policy.kubernetes.instance
        return Place(self.namespace, key, instance, self.target.name)

    def changed(self) -> None:
        self.pulse.set()
        self._changed(self.target.name)

    async def read(self) -> None:
        """The record, and (once) the state. Raises Unavailable or Refused."""
        found = await self.means.api.get(SECRET, written.TARGET, self.namespace)
        if found is None:
            self.record, self.version = Record(self.target.name), ""
        elif found["metadata"]["resourceVersion"] != self.version:
            self.record, self.version = written.record(found), found["metadata"]["resourceVersion"]
        if not self.known:
            await self._read_state()

    async def _read_state(self) -> None:
        found = await self.means.api.get(SECRET, written.STATE, self.namespace)
        self.state = written.state(found) if found is not None else State()
        self._state_version = found["metadata"]["resourceVersion"] if found is not None else ""
        self.known = True

    def doubt(self) -> None:
        """Somebody else may have acted since: the state is read again."""
        self.known = False

    async def save(self, record: Record, version: str) -> None:
        """Raises Unavailable where another was written since."""
        secret = written.of_record(self.place, record)
        if version:
            secret["metadata"]["resourceVersion"] = version
            kept = await self._replaced(secret)
        else:
            await self.found()
            kept = await self.means.api.create(secret)
        if kept is None:
            raise Unavailable(f"somebody else has written the record of {self.target.name} since")
        self.record, self.version = record, kept["metadata"]["resourceVersion"]
        self.changed()

    async def _replaced(self, secret: Obj) -> Obj | None:
        try:
            return await self.means.api.patch(SECRET, secret["metadata"]["name"], self.namespace, secret)
        except Stale:
            return None

    async def found(self) -> None:
        """The namespace is there afterwards."""
        if await self.means.api.get(NAMESPACE, self.namespace) is None:
            await self.means.api.create(render.namespace(self.place, {}))

    async def change(self, change: Callable[[State], State]) -> None:
        """Writes what it makes of the state. Raises Stale where another controller has written it since."""
        async with self._writing:
            wanted = change(self.state)
            if wanted == self.state:
                return
            secret = written.of_state(self.place, wanted)
            if self._state_version:
                secret["metadata"]["resourceVersion"] = self._state_version
                kept = await self._replaced(secret)
            else:
                kept = await self.means.api.create(secret)
            if kept is None:
                kept = await self._ours(secret)
            self.state, self._state_version = wanted, kept["metadata"]["resourceVersion"]
        self._changed(self.target.name)

    async def _ours(self, secret: Obj) -> Obj:
        """What we wrote may be there already, the answer to it lost."""
        there = await self.means.api.get(SECRET, written.STATE, self.namespace)
        if there is None or written.content(there) != written.content(secret):
            raise Stale(f"another controller works on {self.target.name}")
        return there

    async def confirm(self) -> None:
        """Before what carries no precondition of its own. Raises Stale where another controller has acted since."""
        there = await self.means.api.get(SECRET, written.STATE, self.namespace)
        if (there["metadata"]["resourceVersion"] if there is not None else "") != self._state_version:
            raise Stale(f"another controller works on {self.target.name}")

    async def kept(self, number: int) -> Kept | None:
        """A release that is made; None where it is not. Raises Refused where it cannot be read."""
        if number not in self._kept and (head := await self._part(number, 1)) is not None:
            rest = [await self._part(number, which) for which in range(2, written.parts(head) + 1)]
            if any(one is None for one in rest):
                raise Refused(f"#{number} is not whole any more: somebody removed a part of it")
            self._kept[number] = written.release([head, *(one for one in rest if one is not None)])
        return self._kept.get(number)

    async def _part(self, number: int, which: int) -> Obj | None:
        return await self.means.api.get(SECRET, written.part(number, which), self.namespace)

    async def keep(self, kept: Kept) -> None:
        """It is made once its head is there; what a making that was cut off left is in nobody's way."""
        for secret in written.of_release(self.place, kept):
            name = secret["metadata"]["name"]
            await self.means.api.delete(SECRET, name, self.namespace)
            if await self.means.api.create(secret) is None:
                raise Unavailable(f"an old {name} is being removed")
        self._kept[kept.number] = kept

    async def forget(self, number: int) -> None:
        """Its Secrets, the head last: it is what makes us come back."""
        which = 2
        while await self._part(number, which) is not None:
            await self.means.api.delete(SECRET, written.part(number, which), self.namespace)
            which += 1
        await self.means.api.delete(SECRET, written.head(number), self.namespace)
        self._kept.pop(number, None)
        await self.change(lambda state: _without(state, number))

    def roll(self, rollout: Rollout | None) -> None:
        if rollout != self.rollout:
            self.rollout = rollout
            self.changed()

    @property
    def labels(self) -> dict[str, str]:
        return names.labels(self.place)


def _without(state: State, number: int) -> State:
    return replace(
        state,
        begun=tuple(one for one in state.begun if one != number),
        failed={one: making for one, making in state.failed.items() if one != number},
        ran=tuple(one for one in state.ran if one != number),
        migrated=tuple(one for one in state.migrated if one != number),
    )
