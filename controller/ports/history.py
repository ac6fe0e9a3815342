"""What happened, and what has to outlive this process."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import Protocol

from controller.common.nouns import PreviewKey
from controller.previews.model import (
    Decision,
    Delivery,
    Ending,
    Event,
)
from smoke.model import SuiteRun


class Ledger(Protocol):
    """What a forge says only once, or does not say at all, and what has to outlive this process. Part of History."""

    async def keep_deliveries(self, deliveries: Collection[Delivery]) -> frozenset[str]:
        """Ids of those that were not kept before. Other controllers hear of them through History's bells. Those older
        than a week may be forgotten."""
        ...

    async def asked(self) -> Mapping[PreviewKey, tuple[Delivery, ...]]:
        """Those that ask for something, oldest first. Costs what was written since; not changed afterwards."""
        ...

    async def first_seen(
        self, heads: Mapping[tuple[PreviewKey, str], datetime]
    ) -> Mapping[tuple[PreviewKey, str], datetime]:
        """When each revision was first seen at the head of its pull request: as kept, else the moment given, which is
        kept from now on."""
        ...


class History(Protocol):
    """What happened. Losing it loses the past, not the previews.

    Several controllers may share one. `decisions`, `endings` and `said` are asked for in every round: they cost what
    was written since, by whomever, and what they returned is not changed afterwards.
    """

    async def record(self, events: Collection[Event]) -> None: ...

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]:
        """Oldest first, the latest `limit`."""
        ...

    async def decide(self, decision: Decision) -> bool:
        """Keeps it; False where its origin has decided already. Two of one order get different ones."""
        ...

    async def decisions(self) -> Mapping[PreviewKey, tuple[Decision, ...]]:
        """Everybody's, by preview, in order."""
        ...

    async def record_run(self, key: PreviewKey, order: int, run: SuiteRun) -> bool:
        """Keeps a finished run with every attempt; False where it was kept before."""
        ...

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]:
        """Oldest first, the latest `limit`."""
        ...

    async def end(self, ending: Ending) -> None: ...

    async def endings(self) -> Mapping[PreviewKey, Ending]:
        """The latest of each preview."""
        ...

    async def said(self) -> Mapping[PreviewKey, Mapping[str, str]]:
        """Digest of what was last said, by preview and channel."""
        ...

    async def remember_said(self, key: PreviewKey, digests: Mapping[str, str]) -> None:
        """By channel; the other channels of the preview stay as they are."""
        ...

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        """Rings within seconds for a preview about which another controller's people decided, or its forge told it
        something (None: about any). May ring for nothing."""
        ...

    async def close(self) -> None: ...
