"""Whoever is told, and what is on its way to them."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from controller.common.notices import Notice, Outgoing


class Notifier(Protocol):
    """One route. It tells, or it raises: nothing is marked as told before it took it."""

    name: str

    async def tell(self, notice: Notice) -> None:
        """Raises Unavailable (again later), or Refused (it will never be taken as it is). Ends within seconds."""
        ...


class Outbox(Protocol):
    """What is to be told, kept until it was. Part of History."""

    async def post(self, notices: Collection[Notice], routes: Collection[str]) -> None:
        """Keeps each for each of the routes; one that was kept for a route before, told or not, is left alone."""
        ...

    async def waiting(self, now: datetime, limit: int = 100) -> tuple[Outgoing, ...]:
        """Those that are due, oldest first; of one `about` and route, only the oldest. `limit` is for each route: one
        that takes nothing keeps no other waiting."""
        ...

    async def told(self, outgoing: Outgoing, at: datetime) -> None: ...

    async def failed(self, outgoing: Outgoing, why: str, again_at: datetime | None) -> None:
        """None: never again."""
        ...

    async def undelivered(self) -> tuple[Outgoing, ...]:
        """All that wait, and those that were given up in the last week."""
        ...
