"""The outbox in memory: what waits, what was told and what was given up can be read straight from its fields."""

import copy
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controller.common.notices import Notice, Outgoing
from controller.errors import Unavailable

Name = tuple[str, str]
"""Of a notice, and its route."""


class FakeOutbox:
    """`down`: every call is Unavailable. `clock`: when something is given up."""

    def __init__(self) -> None:
        self.down = False
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.waits: dict[Name, Outgoing] = {}
        self.told_at: dict[Name, datetime] = {}
        self.given_up: dict[Name, tuple[Outgoing, datetime]] = {}

    def beside(self) -> "FakeOutbox":
        """The same outbox, as another controller has it."""
        return copy.copy(self)

    async def post(self, notices: Collection[Notice], routes: Collection[str]) -> None:
        self._reach()
        for notice in notices:
            for route in routes:
                if not any((notice.id, route) in kept for kept in (self.waits, self.told_at, self.given_up)):
                    self.waits[notice.id, route] = Outgoing(notice, route)

    async def waiting(self, now: datetime, limit: int = 100) -> tuple[Outgoing, ...]:
        self._reach()
        first: dict[tuple[str, str], Outgoing] = {}
        for outgoing in self.waits.values():
            first.setdefault((outgoing.notice.about, outgoing.route), outgoing)
        due = [one for one in first.values() if one.again_at is None or one.again_at <= now]
        of_route = {route: [one for one in due if one.route == route][:limit] for route in {one.route for one in due}}
        return tuple(one for one in due if one in of_route[one.route])

    async def told(self, outgoing: Outgoing, at: datetime) -> None:
        self._reach()
        name = outgoing.notice.id, outgoing.route
        if self.waits.pop(name, None) or self.given_up.pop(name, None):
            self.told_at[name] = at

    async def failed(self, outgoing: Outgoing, why: str, again_at: datetime | None) -> None:
        self._reach()
        name = outgoing.notice.id, outgoing.route
        kept = self.waits.get(name)
        if kept is None:
            return
        tried = replace(kept, attempts=kept.attempts + 1, why=why, again_at=again_at, given_up=again_at is None)
        if tried.given_up:
            del self.waits[name]
            self.given_up[name] = tried, self.clock()
        else:
            self.waits[name] = tried

    async def undelivered(self) -> tuple[Outgoing, ...]:
        self._reach()
        lately = [one for one, at in self.given_up.values() if at > self.clock() - timedelta(days=7)]
        return (*lately, *self.waits.values())

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the outbox is down")
