"""A release that something began to burn after: which it is, and back from it where the policy says so."""

from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from controller.deploys.back import last_good
from controller.deploys.model import Decision, Record, Release, Verb
from controller.deploys.ports import Journal, Targets
from controller.deploys.runs import micros, name_of
from controller.deploys.wishes import why_held, wishes
from controller.settings import Target

log = structlog.get_logger()
ACTOR = "mayfly"


def suspect(record: Record, target: Target, at: datetime) -> Release | None:
    """What became live so shortly before that it may be the cause. What was restored is none."""
    running, since = record.running, record.live_since
    if running is None or since is None or not since <= at <= since + target.suspect_within:
        return None
    back = record.rollback
    return None if back is not None and back.to == record.live and back.at >= since else running


class Court:
    """Decides about those who are accused, as a person would: by a decision in the journal."""

    def __init__(
        self, policy: Mapping[str, Target], targets: Targets, journal: Journal, clock: Callable[[], datetime]
    ) -> None:
        self._policy = policy
        self._targets = targets
        self._journal = journal
        self._clock = clock

    async def suspect(self, target: str, at: datetime) -> Release | None:
        """Raises Unavailable or Refused."""
        if target not in self._policy:
            return None
        return suspect((await self._targets.seen(target)).record, self._policy[target], at)

    async def accuse(self, target: str, number: int, because: str, alert: str) -> bool:
        """Whether it is rolled back for that: once for an alert, only what is still live, and never while it is held.

        Raises Unavailable or Refused.
        """
        if not self._policy[target].rollback_on_burn:
            return False
        record = (await self._targets.seen(target)).record
        decisions = (await self._journal.target_decisions()).get(target, ())
        running = record.running
        if running is None or running.number != number or why_held(wishes(decisions)) or last_good(record) is None:
            log.warning("it burns, and is not rolled back", target=target, release=number, because=because)
            return False
        now = self._clock()
        told = f"{because}, since {name_of(running)}"
        decision = Decision(target, micros(now), Verb.ROLLBACK, ACTOR, now, told, origin=f"alert:{alert}")
        return await self._journal.decide_target(decision)
