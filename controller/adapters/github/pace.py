"""Whether one account may ask GitHub something now, and what an answer says about when. No I/O, no clock of its own.

GitHub made us wait (a secondary limit)        | nothing until then
nothing left of the quota                      | nothing until it is filled up again
the last 5% of the quota, or of a minute's points | changes only: what is true has to be told
more than 80 creations in a minute (20 at once, then one a second), or 500 in an hour | they wait
what waits for more than a second              | Unavailable says until when; the next round asks for what is true then

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import re
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil

from controller.adapters.github.answers import LONGEST_WAIT, capped, retry_after, words
from controller.adapters.github.limits import (
    CREATED_PER_HOUR,
    CREATED_PER_MINUTE,
    POINTS_PER_MINUTE,
    SECONDARY_WAIT,
)
from controller.adapters.github.meter import Limit
from controller.adapters.github.wire import Answer
from controller.errors import Unavailable

CREATED_AT_ONCE = CREATED_PER_MINUTE - 60
"""Then one a second: never more than GitHub's limit in any minute."""
LONGEST_PAUSE = timedelta(seconds=1)
"""That is waited here."""
LONGEST_SECONDARY = timedelta(minutes=15)
RESERVE = 0.05
"""Of the quota, and of a minute's points: for changes."""
READ_POINTS = 1
CHANGE_POINTS = 5
_SECOND = timedelta(seconds=1)
_NONE = timedelta()
_EPOCH = datetime.fromtimestamp(0, UTC)
_NUMBER = re.compile(r"[0-9]{1,10}")
_LIMIT = re.compile(r"secondary rate limit|abuse detection|rate limit exceeded", re.IGNORECASE)


class Throttled(Unavailable):
    """A limit, GitHub's or ours so that GitHub's is kept."""

    def __init__(self, limit: Limit, reason: str, wait: timedelta) -> None:
        super().__init__(reason, capped(wait))
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Quota:
    limit: int
    remaining: int
    resets_at: datetime


class Window:
    """At most so much within any span of time."""

    def __init__(self, most: int, span: timedelta) -> None:
        self._most = most
        self._span = span
        self._taken: deque[tuple[datetime, int]] = deque()
        self._sum = 0

    def wait(self, cost: int, now: datetime, kept: int = 0) -> timedelta:
        """How long until there is place for `cost`, with `kept` left over."""
        while self._taken and self._taken[0][0] + self._span <= now:
            self._sum -= self._taken.popleft()[1]
        over = self._sum + cost + kept - self._most
        if over <= 0:
            return _NONE
        for at, taken in self._taken:
            over -= taken
            if over <= 0:
                return at + self._span - now
        return self._span

    def take(self, cost: int, at: datetime) -> None:
        self._taken.append((at, cost))
        self._sum += cost


class Spacing:
    """So many at once, then one a second."""

    def __init__(self, at_once: int) -> None:
        self._ahead = _SECOND * (at_once - 1)
        self._full = _EPOCH

    def wait(self, now: datetime) -> timedelta:
        return max(self._full - self._ahead - now, _NONE)

    def take(self, at: datetime) -> None:
        self._full = max(self._full, at) + _SECOND


class Pace:
    """Of one account: an installation, or a token."""

    def __init__(self) -> None:
        self.quota: Quota | None = None
        self.waits_until: datetime | None = None
        """Nothing at all is asked before; `why` says who wants that."""
        self.why = ""
        self._strikes = 0
        self._points = Window(POINTS_PER_MINUTE, timedelta(minutes=1))
        self._created = Window(CREATED_PER_HOUR, timedelta(hours=1))
        self._spacing = Spacing(CREATED_AT_ONCE)

    def take(self, now: datetime, *, is_read: bool, creates: bool = False) -> timedelta:
        """Takes a turn: how long to pause before it, a second at most. Raises Throttled, and then none is taken."""
        self._forget_the_past(now)
        self._mind_what_github_wants(now, is_read=is_read)
        pause = self._mind_what_we_know(now, is_read=is_read, creates=creates)
        self._points.take(READ_POINTS if is_read else CHANGE_POINTS, now + pause)
        if creates:
            self._created.take(1, now + pause)
            self._spacing.take(now + pause)
        if self.quota is not None:
            self.quota = replace(self.quota, remaining=max(self.quota.remaining - 1, 0))
        return pause

    def mind(self, now: datetime) -> None:
        """Raises Throttled where something new could not be created within a second. Takes no turn."""
        self._forget_the_past(now)
        self._mind_what_github_wants(now, is_read=False)
        self._mind_what_we_know(now, is_read=False, creates=True)

    def hear(self, answer: Answer, now: datetime) -> Throttled | None:
        """Learns from an answer; what it is where it is a limit."""
        self.quota = _quota(answer, now) or self.quota
        limit = _limit(answer)
        if limit is None:
            if self.waits_until is None or self.waits_until <= now:
                self._strikes = 0
            return None
        wait = self._wait(limit, answer, now)
        self.waits_until = max(self.waits_until or now, now + wait)
        self.why = f"GitHub wants us to wait: {words(answer)}"
        return Throttled(limit, self.why, wait)

    def waiting(self, now: datetime) -> tuple[datetime, str] | None:
        """Until when nothing is asked at all, and why."""
        self._forget_the_past(now)
        if self.waits_until is not None:
            return self.waits_until, self.why
        if self.quota is not None and self.quota.remaining == 0:
            return self.quota.resets_at, f"GitHub's quota of {self.quota.limit} requests is used up"
        return None

    def _wait(self, limit: Limit, answer: Answer, now: datetime) -> timedelta:
        said = retry_after(answer, now)
        if said is not None:
            return said
        if limit is Limit.QUOTA and self.quota is not None and self.quota.resets_at > now:
            return capped(self.quota.resets_at - now)
        if self.waits_until is None or self.waits_until <= now:  # of several under way at once, one counts
            self._strikes += 1
        return min(SECONDARY_WAIT * (1 << min(max(self._strikes - 1, 0), 10)), LONGEST_SECONDARY)

    def _mind_what_github_wants(self, now: datetime, *, is_read: bool) -> None:
        if self.waits_until is not None:
            raise Throttled(Limit.SECONDARY, self.why, self.waits_until - now)
        if self.quota is None:
            return
        kept = ceil(self.quota.limit * RESERVE) if is_read else 0
        if self.quota.remaining <= kept:
            left = f"{self.quota.remaining} of {self.quota.limit} requests are left"
            raise Throttled(Limit.QUOTA, f"GitHub's quota is used up: {left}", self.quota.resets_at - now)

    def _mind_what_we_know(self, now: datetime, *, is_read: bool, creates: bool) -> timedelta:
        kept = int(POINTS_PER_MINUTE * RESERVE) if is_read else 0
        points = self._points.wait(READ_POINTS if is_read else CHANGE_POINTS, now, kept)
        if points > LONGEST_PAUSE:
            raise Throttled(Limit.POINTS, f"GitHub takes {POINTS_PER_MINUTE} points of requests a minute", points)
        if not creates:
            return points
        created = max(self._created.wait(1, now), self._spacing.wait(now))
        if created > LONGEST_PAUSE:
            most = f"{CREATED_PER_MINUTE} new things a minute and {CREATED_PER_HOUR} an hour"
            raise Throttled(Limit.CREATIONS, f"GitHub takes {most}", created)
        return max(points, created)

    def _forget_the_past(self, now: datetime) -> None:
        if self.waits_until is not None and self.waits_until <= now:
            self.waits_until, self.why = None, ""
        if self.quota is not None and self.quota.resets_at <= now:
            self.quota = None


def _limit(answer: Answer) -> Limit | None:
    if answer.status not in {403, 429}:
        return None
    if answer.headers.get("x-ratelimit-remaining", "").strip() == "0":
        return Limit.QUOTA
    is_limit = answer.status == 429 or "Retry-After" in answer.headers or _LIMIT.search(words(answer))
    return Limit.SECONDARY if is_limit else None


def _quota(answer: Answer, now: datetime) -> Quota | None:
    """None where it says nothing, or nothing that can be so."""
    if answer.headers.get("x-ratelimit-resource", "core") != "core":
        return None
    said = [answer.headers.get(f"x-ratelimit-{name}", "").strip() for name in ("limit", "remaining", "reset")]
    if not all(_NUMBER.fullmatch(text) for text in said):
        return None
    limit, remaining, reset = (int(text) for text in said)
    if remaining > limit or limit == 0:
        return None
    return Quota(limit, remaining, min(datetime.fromtimestamp(reset, UTC), now + LONGEST_WAIT))
