"""What goes wrong on demand, between the client and the server."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes.cluster.problems import ApiError


@dataclass
class Fault:
    """For requests with this verb and resource; for any where they are None. `times` None: until cleared."""

    verb: str | None
    resource: str | None
    times: int | None = None
    error: ApiError | None = None
    seconds: float = 0.0
    lost: bool = False

    def takes(self, verb: str, resource: str) -> bool:
        if self.times == 0 or self.verb not in {None, verb} or self.resource not in {None, resource}:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Faults:
    """Verbs are those of RBAC: get, list, watch, create, update, patch, delete; `apply` is a patch as well."""

    _cut: Callable[[], None] = lambda: None
    _hang_up: Callable[[], None] = lambda: None
    _all: list[Fault] = field(default_factory=list)
    _down: bool = False
    _chance: tuple[float, random.Random] | None = None
    silent: bool = False
    """Watches say nothing any more, not even bookmarks: like a connection that died unnoticed."""
    expire_as_status: bool = False
    """A watch from too long ago is answered with 410, not with an ERROR event as is usual."""

    @property
    def down(self) -> bool:
        """Every connection is closed at once, also those that there are."""
        return self._down

    @down.setter
    def down(self, down: bool) -> None:
        self._down = down
        if down:
            self._hang_up()

    def fail(
        self,
        status: int,
        times: int | None = 1,
        verb: str | None = None,
        resource: str | None = None,
        *,
        retry_after: int | None = None,
        message: str = "it was made to fail",
    ) -> None:
        """The next `times` such requests are answered with this status, and do nothing."""
        self._all.append(Fault(verb, resource, times, ApiError(status, message, retry_after=retry_after)))

    def forbid(self, verb: str | None = None, resource: str | None = None) -> None:
        """As RBAC does."""
        text = f'{resource} is forbidden: User "mayfly" cannot {verb} resource "{resource}"'
        self._all.append(Fault(verb, resource, None, ApiError(403, text)))

    def slow(self, seconds: float, verb: str | None = None, resource: str | None = None) -> None:
        self._all.append(Fault(verb, resource, None, None, seconds))

    def lose_answer(self, times: int = 1, verb: str | None = None, resource: str | None = None) -> None:
        """The request is carried out, and the connection ends before the answer."""
        self._all.append(Fault(verb, resource, times, lost=True))

    def cut_watches(self) -> None:
        """Every watch there is ends without a word."""
        self._cut()

    def cut_at_random(self, probability: float, seed: int = 0) -> None:
        """Before each event a watch ends with this probability; 0 ends it."""
        self._chance = (probability, random.Random(seed)) if probability else None

    def clear(self) -> None:
        self._all.clear()
        self._chance, self.silent, self.expire_as_status = None, False, False
        self.down = False

    def cuts(self) -> bool:
        return self._chance is not None and self._chance[1].random() < self._chance[0]

    async def before(self, verb: str, resource: str) -> None:
        for fault in [fault for fault in self._all if not fault.lost and fault.takes(verb, resource)]:
            if fault.seconds:
                await asyncio.sleep(fault.seconds)
            if fault.error is not None:
                raise fault.error

    def loses(self, verb: str, resource: str) -> bool:
        return any(fault.lost and fault.takes(verb, resource) for fault in self._all)
