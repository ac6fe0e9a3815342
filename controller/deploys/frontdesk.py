"""The desk behind the API, the dashboard and the command line: what the loop saw last, and what people ask of it."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from controller.deploys.back import can_go_back_to, last_good
from controller.deploys.desk import Answer, Ask, Taken, TargetCard
from controller.deploys.dora import dora
from controller.deploys.look import rules_of
from controller.deploys.model import Case, Decision, Event, Record, Seen, Verb
from controller.deploys.ports import Journal, Targets
from controller.deploys.reconcile import Deployer
from controller.deploys.runs import micros, name_of
from controller.deploys.state import state
from controller.deploys.wishes import why_held
from controller.errors import Refused
from controller.settings import Target
from smoke.model import SuiteRun

WINDOW = timedelta(days=30)
"""Of DORA's figures."""


class TargetFrontDesk:
    """Implements `TargetDesk`."""

    def __init__(
        self,
        deployer: Deployer,
        targets: Targets,
        journal: Journal,
        policy: Mapping[str, Target],
        clock: Callable[[], datetime],
    ) -> None:
        self._deployer = deployer
        self._targets = targets
        self._journal = journal
        self._policy = policy
        self._clock = clock

    async def targets(self) -> tuple[TargetCard, ...]:
        return tuple([await self.target(name) for name in self._policy])

    async def target(self, name: str) -> TargetCard:
        target = self._known(name)
        case = self._case(name, await self._targets.seen(name))
        now = self._clock()
        stands = state(case)
        return TargetCard(
            name=name,
            repository=target.repository,
            branch=target.branch,
            url=target.url or case.seen.url,
            state=stands.word,
            headline=stands.line,
            seen=case.seen,
            rules=case.rules,
            wishes=case.wishes,
            probed=case.probed,
            dora=dora(await self._journal.deeds(name, now - WINDOW), WINDOW, now),
            since=case.seen.record.live_since,
            problem=self._deployer.waits.get(name, ""),
        )

    async def timeline(self, name: str, limit: int = 200) -> tuple[Event, ...]:
        self._known(name)
        return await self._journal.target_timeline(name, limit)

    async def runs(self, name: str, limit: int = 50) -> tuple[tuple[int, SuiteRun], ...]:
        self._known(name)
        return await self._journal.target_runs(name, limit)

    def logs(self, name: str, service: str | None, lines: int, *, follow: bool) -> AsyncIterator[str]:
        self._known(name)
        return self._targets.logs(name, service, lines, follow=follow)

    async def artifact(self, name: str, file: str) -> bytes | None:
        self._known(name)
        return await self._targets.artifact(name, file)

    async def ask(self, ask: Ask) -> Answer:
        if ask.target not in self._policy:
            return Answer(Taken.UNKNOWN, self._unknown(ask.target))
        decisions = (await self._journal.target_decisions()).get(ask.target, ())
        if ask.key and any(decision.origin == ask.key for decision in decisions):
            return Answer(Taken.ACCEPTED, "it was asked before, and is done once")
        if not ask.because.strip():
            return Answer(Taken.REFUSED, "say why: a reason is needed")
        record = (await self._targets.seen(ask.target)).record
        held = why_held(self._case(ask.target, Seen(record, "")).wishes)
        refusal = why_not(ask, record, held)
        if refusal is not None:
            return refusal
        now = self._clock()
        decision = Decision(
            ask.target, micros(now), ask.verb, ask.actor, now, ask.because.strip(), ask.to, ask.force, ask.key
        )
        await self._journal.decide_target(decision)
        self._deployer.bell.ring(ask.target)
        return Answer(Taken.ACCEPTED, _accepted(ask, record))

    def changes(self) -> AsyncIterator[str | None]:
        return self._deployer.broadcast.changes()

    def _known(self, name: str) -> Target:
        if name not in self._policy:
            raise Refused(self._unknown(name))
        return self._policy[name]

    def _unknown(self, name: str) -> str:
        there = ", ".join(self._policy) or "none: the policy names no `targets`"
        return f"there is no target {name!r}; there is {there}"

    def _case(self, name: str, seen: Seen) -> Case:
        known = self._deployer.cases.get(name)
        return replace(known, seen=seen) if known is not None else Case(name, seen, rules_of(self._policy[name]))


def why_not(ask: Ask, record: Record, held: str) -> Answer | None:
    """Why it cannot be done now; None where it can."""
    back = record.rollback
    if ask.verb in {Verb.ROLLBACK, Verb.REDEPLOY} and back is not None and back.restored is None:
        text = f"{back.actor} is rolling back to #{back.to}, since {back.at:%H:%M:%S} UTC: {back.because}"
        return Answer(Taken.CONFLICT, text)
    match ask.verb:
        case Verb.ROLLBACK:
            return _why_no_rollback(ask, record)
        case Verb.REDEPLOY if held:
            return Answer(Taken.CONFLICT, f"{ask.target} is {held}; `mayfly release {ask.target}` lets it go on")
        case Verb.REDEPLOY if ask.to and record.release(ask.to) is None:
            there = ", ".join(f"#{one.number}" for one in record.releases) or "none"
            return Answer(Taken.REFUSED, f"there is no release #{ask.to}; there is {there}")
        case Verb.RELEASE if not held and record.stop is None:
            return Answer(Taken.CONFLICT, f"nobody holds {ask.target}, and it is not stopped")
        case _:
            return None


def _why_no_rollback(ask: Ask, record: Record) -> Answer | None:
    there = can_go_back_to(record)
    choice = ", ".join(name_of(one) for one in there) or "none"
    if record.running is None:
        return Answer(Taken.REFUSED, f"nothing is deployed at {ask.target}")
    if ask.to and ask.to not in {one.number for one in there}:
        return Answer(Taken.REFUSED, f"#{ask.to} is no verified release to roll back to; there is {choice}")
    if not ask.to and last_good(record) is None:
        text = f"no verified release is older than {name_of(record.running)}; there is {choice}"
        return Answer(Taken.REFUSED, text)
    return None


def _accepted(ask: Ask, record: Record) -> str:
    match ask.verb:
        case Verb.ROLLBACK:
            to = record.release(ask.to) if ask.to else last_good(record)
            return f"{ask.target} is rolled back from {name_of(record.running)} to {name_of(to)}"
        case Verb.HOLD:
            return f"{ask.target} is held: nothing is deployed or rolled back there by itself"
        case Verb.RELEASE:
            return f"{ask.target} goes on by itself"
        case Verb.REDEPLOY:
            return f"{ask.target} is deployed again" + (f", as #{ask.to} was" if ask.to else "")
