"""History in memory: what was kept can be read straight from its fields."""

import copy
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from datetime import datetime

from controller.common.bells import Broadcast
from controller.common.nouns import PreviewKey
from controller.errors import Unavailable
from controller.previews.model import Decision, Delivery, Ending, Event
from smoke.model import SuiteRun


class FakeHistory:
    """`down`: every call is Unavailable."""

    def __init__(self) -> None:
        self.down = False
        self.events: dict[PreviewKey, list[Event]] = {}
        self.kept_decisions: dict[PreviewKey, list[Decision]] = {}
        self.kept_runs: dict[PreviewKey, list[tuple[int, SuiteRun]]] = {}
        self.kept_endings: dict[PreviewKey, Ending] = {}
        self.kept_words: dict[PreviewKey, dict[str, str]] = {}
        self.kept_deliveries: dict[str, Delivery] = {}
        self.kept_heads: dict[tuple[PreviewKey, str], datetime] = {}
        self.broadcast: Broadcast[PreviewKey] = Broadcast()

    def beside(self) -> "FakeHistory":
        """The same history, as another controller has it."""
        return copy.copy(self)

    async def record(self, events: Collection[Event]) -> None:
        self._reach()
        for event in events:
            self.events.setdefault(event.key, []).append(event)

    async def timeline(self, key: PreviewKey, limit: int = 200) -> tuple[Event, ...]:
        self._reach()
        return tuple(self.events.get(key, [])[-limit:])

    async def decide(self, decision: Decision) -> bool:
        self._reach()
        mine = self.kept_decisions.setdefault(decision.key, [])
        if decision.origin and decision.origin in {one.origin for one in mine}:
            return False
        taken = {one.order for many in self.kept_decisions.values() for one in many}
        order = decision.order
        while order in taken:
            order += 1
        mine.append(replace(decision, order=order))
        mine.sort(key=lambda one: one.order)
        self.broadcast.tell(decision.key)
        return True

    async def decisions(self) -> Mapping[PreviewKey, tuple[Decision, ...]]:
        self._reach()
        return {key: tuple(kept) for key, kept in self.kept_decisions.items() if kept}

    async def record_run(self, key: PreviewKey, order: int, run: SuiteRun) -> bool:
        self._reach()
        mine = self.kept_runs.setdefault(key, [])
        if any((order, run.suite, run.revision) == (at, one.suite, one.revision) for at, one in mine):
            return False
        mine.append((order, run))
        return True

    async def runs(self, key: PreviewKey, suite: str, limit: int = 50) -> tuple[SuiteRun, ...]:
        self._reach()
        return tuple(run for _, run in self.kept_runs.get(key, []) if run.suite == suite)[-limit:]

    async def end(self, ending: Ending) -> None:
        self._reach()
        kept = self.kept_endings.get(ending.key)
        if kept is None or kept.at <= ending.at:
            self.kept_endings[ending.key] = ending

    async def endings(self) -> Mapping[PreviewKey, Ending]:
        self._reach()
        return dict(self.kept_endings)

    async def said(self) -> Mapping[PreviewKey, Mapping[str, str]]:
        self._reach()
        return {key: dict(words) for key, words in self.kept_words.items()}

    async def remember_said(self, key: PreviewKey, digests: Mapping[str, str]) -> None:
        self._reach()
        if digests:
            self.kept_words.setdefault(key, {}).update(digests)

    async def keep_deliveries(self, deliveries: Collection[Delivery]) -> frozenset[str]:
        self._reach()
        new = {one.id: one for one in deliveries if one.id not in self.kept_deliveries}
        self.kept_deliveries.update(new)
        for delivery in new.values():
            self.broadcast.tell(delivery.key)
        return frozenset(new)

    async def asked(self) -> Mapping[PreviewKey, tuple[Delivery, ...]]:
        self._reach()
        found: dict[PreviewKey, list[Delivery]] = {}
        for delivery in sorted(self.kept_deliveries.values(), key=lambda one: (one.at, one.id)):
            if delivery.key and delivery.asks:
                found.setdefault(delivery.key, []).append(delivery)
        return {key: tuple(asked) for key, asked in found.items()}

    async def first_seen(
        self, heads: Mapping[tuple[PreviewKey, str], datetime]
    ) -> Mapping[tuple[PreviewKey, str], datetime]:
        self._reach()
        return {head: self.kept_heads.setdefault(head, at) for head, at in heads.items()}

    def bells(self) -> AsyncIterator[PreviewKey | None]:
        return self.broadcast.changes()

    async def close(self) -> None:
        pass

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("History is down")
