"""GitHub's webhooks: proven, read for which pull request to look at, kept, and told on. A webhook is a bell.

it                                          answer  rings
------------------------------------------  ------  -----
is not signed with one of our secrets       401
is a form                                   415
has no delivery id, or no event             400
is not what GitHub sends for its event      400
is about nothing that we do                 202
came before, to any controller              202
is new                                      202     yes
is new, and History is down                 202     yes
the same, and asks for something            503     yes

Whoever replays one under another id (the id is not signed) rings, and a look changes nothing. What it asks for needs
the right to write of whom it names, at that very moment.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from controller.adapters.github.events import Hint, IsOurs, Malformed, Waiting, nobody, read
from controller.adapters.github.keeping import Keeper
from controller.adapters.github.signature import HEADER, Signatures
from controller.errors import Refused, Unavailable
from controller.ports import Ledger, Receipt
from controller.previews.model import Delivery

MAX_BODY = 2 * 2**20
"""Bytes. The text of an issue and of a comment is at most 65,536 characters, so 256 KiB in UTF-8; an edited comment
comes with both and with what it was before: 768 KiB, and twice that in escapes. Everything else of a pull request is
some 30 KiB. GitHub would send 25 MiB (a push of thousands of files); what is refused, the resync finds."""
REMEMBERED = 10_000
"""Ids of deliveries in memory; History remembers a week."""
KEPT_WITHIN = timedelta(seconds=2)
"""Then it rings unkept: GitHub waits ten seconds for an answer."""
COMPLAINS_EVERY = timedelta(minutes=1)
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_EVENT = re.compile(r"[a-z_]{1,64}")
log = structlog.get_logger()


class Meter(Protocol):
    def heard(self, event: str, outcome: str) -> None:
        """A webhook, and what came of it: `new`, `seen`, `nothing`, `unkept`, `unsigned` or `malformed`."""
        ...


class Inbox:
    """Implements `controller.ports.Webhooks`. `hear` is told of what is new, once it is kept."""

    name = "github"
    max_body = MAX_BODY

    def __init__(  # noqa: PLR0913 - what it is put together from
        self,
        signatures: Signatures,
        ledger: Ledger,
        hear: Callable[[Delivery], None],
        is_ours: IsOurs,
        clock: Callable[[], datetime],
        meter: Meter | None = None,
        *,
        waiting: Waiting = nobody,
    ) -> None:
        self._signatures = signatures
        self._keeper = Keeper(ledger)
        self._hear = hear
        self._is_ours = is_ours
        self._waiting = waiting
        self._clock = clock
        self._meter = meter
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._strangers = Strangers()

    async def receive(self, headers: Mapping[str, str], body: bytes) -> Receipt:
        if not self._signatures.prove(headers.get(HEADER, ""), body):
            self._strangers.knocked()
            return self._receipt("", "unsigned", 401, "its signature is not made with the secret that we share")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return self._receipt("", "malformed", 415, "choose the content type application/json for the webhook")
        name, event = headers.get("x-github-delivery", ""), headers.get("x-github-event", "")
        if not _ID.fullmatch(name) or not _EVENT.fullmatch(event):
            return self._receipt("", "malformed", 400, "X-GitHub-Delivery or X-GitHub-Event is missing or malformed")
        if name in self._seen:
            return self._receipt(event, "seen", 202, "seen before")
        try:
            hints = read(event, body, self._is_ours, self._waiting)
        except Malformed as error:
            return self._receipt(event, "malformed", 400, f"this is no {event} event: {error}")
        return await self._take(name, event, hints)

    async def close(self) -> None:
        """What is being kept is kept first."""
        await self._keeper.close()

    async def _take(self, name: str, event: str, hints: tuple[Hint, ...]) -> Receipt:
        if not hints:
            return self._receipt(event, "nothing", 202, "nothing to do")
        deliveries = self._deliveries(name, event, hints)
        try:
            async with asyncio.timeout(KEPT_WITHIN.total_seconds()):
                new = await self._keeper.keep(deliveries)
        except (Unavailable, Refused, TimeoutError) as error:
            return self._unkept(deliveries, error)
        self._remember(name)
        if not new:
            return self._receipt(event, "seen", 202, "seen before")
        self._ring(deliveries)
        return self._receipt(event, "new", 202, "heard")

    def _deliveries(self, name: str, event: str, hints: tuple[Hint, ...]) -> tuple[Delivery, ...]:
        """One about several pull requests is several, each with an id of its own."""
        at = self._clock()
        ids = [name] if len(hints) == 1 else [f"{name}/{number}" for number in range(len(hints))]
        return tuple(
            Delivery(one, at, event, hint.repo, hint.key, hint.asks, hint.actor)
            for one, hint in zip(ids, hints, strict=True)
        )

    def _unkept(self, deliveries: tuple[Delivery, ...], error: Exception) -> Receipt:
        """A look costs nothing to repeat, but what somebody asked for is lost: GitHub's list of deliveries shows it."""
        event = deliveries[0].event
        log.warning("a webhook could not be kept", delivery=deliveries[0].id, github_event=event, reason=str(error))
        self._ring(deliveries)
        if any(delivery.asks for delivery in deliveries):
            return self._receipt(event, "unkept", 503, "it could not be kept, and asks for something: deliver it again")
        return self._receipt(event, "unkept", 202, "heard, and not kept")

    def _ring(self, deliveries: tuple[Delivery, ...]) -> None:
        for delivery in deliveries:
            self._hear(delivery)

    def _remember(self, name: str) -> None:
        self._seen[name] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _receipt(self, event: str, outcome: str, status: int, reason: str) -> Receipt:
        if self._meter is not None:
            self._meter.heard(event, outcome)
        return Receipt(status, reason)


class Strangers:
    """Says that somebody knocks without a secret: at once, and then once a minute with how many did."""

    def __init__(self) -> None:
        self._count = 0
        self._quiet_until = 0.0

    def knocked(self) -> None:
        self._count += 1
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            log.warning("webhooks with a bad signature", count=self._count)
            self._count, self._quiet_until = 0, now + COMPLAINS_EVERY.total_seconds()
