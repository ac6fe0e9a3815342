"""The journal of targets in memory: what was kept can be read straight from its fields."""

import copy
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from datetime import datetime

from controller.common.bells import Broadcast
from controller.deploys.model import Decision, Deed, Event
from controller.errors import Unavailable
from smoke.model import SuiteRun


class FakeJournal:
    """`down`: every call is Unavailable."""

    def __init__(self) -> None:
        self.down = False
        self.events: dict[str, list[Event]] = {}
        self.kept_decisions: dict[str, list[Decision]] = {}
        self.kept_deeds: dict[tuple[str, int], Deed] = {}
        self.kept_runs: dict[str, list[tuple[int, int, SuiteRun]]] = {}
        self.kept_words: dict[str, dict[str, str]] = {}
        self.broadcast: Broadcast[str] = Broadcast()

    def beside(self) -> "FakeJournal":
        """The same journal, as another controller has it."""
        return copy.copy(self)

    async def record_target(self, events: Collection[Event]) -> None:
        self._reach()
        for event in events:
            self.events.setdefault(event.target, []).append(event)

    async def target_timeline(self, target: str, limit: int = 200) -> tuple[Event, ...]:
        self._reach()
        return tuple(self.events.get(target, [])[-limit:])

    async def decide_target(self, decision: Decision) -> bool:
        self._reach()
        mine = self.kept_decisions.setdefault(decision.target, [])
        if decision.origin and decision.origin in {one.origin for one in mine}:
            return False
        taken = {one.order for many in self.kept_decisions.values() for one in many}
        order = decision.order
        while order in taken:
            order += 1
        mine.append(replace(decision, order=order))
        mine.sort(key=lambda one: one.order)
        self.broadcast.tell(decision.target)
        return True

    async def target_decisions(self) -> Mapping[str, tuple[Decision, ...]]:
        self._reach()
        return {target: tuple(kept) for target, kept in self.kept_decisions.items() if kept}

    async def keep_deed(self, deed: Deed) -> None:
        self._reach()
        self.kept_deeds[deed.target, deed.number] = deed

    async def deeds(self, target: str, since: datetime) -> tuple[Deed, ...]:
        self._reach()
        mine = [deed for deed in self.kept_deeds.values() if deed.target == target and deed.ordered_at >= since]
        return tuple(sorted(mine, key=lambda deed: (deed.ordered_at, deed.number)))

    async def record_target_run(self, target: str, release: int, order: int, run: SuiteRun) -> bool:
        self._reach()
        mine = self.kept_runs.setdefault(target, [])
        named = release, order, run.suite, run.revision
        if any(named == (of, at, one.suite, one.revision) for of, at, one in mine):
            return False
        mine.append((release, order, run))
        return True

    async def target_runs(self, target: str, limit: int = 50) -> tuple[tuple[int, SuiteRun], ...]:
        self._reach()
        return tuple((release, run) for release, _, run in self.kept_runs.get(target, []))[-limit:]

    async def target_said(self) -> Mapping[str, Mapping[str, str]]:
        self._reach()
        return {target: dict(words) for target, words in self.kept_words.items()}

    async def remember_target_said(self, target: str, digests: Mapping[str, str]) -> None:
        self._reach()
        if digests:
            self.kept_words.setdefault(target, {}).update(digests)

    async def target_bells(self) -> AsyncIterator[str]:
        async for target in self.broadcast.changes():
            for each in [target] if target is not None else list(self.kept_decisions):
                yield each

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the journal is down")
