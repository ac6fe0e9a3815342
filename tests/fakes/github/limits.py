"""GitHub's limits on how much is asked.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.fakes.github.clock import Clock
from tests.fakes.github.problems import ApiError

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Quota:
    limit: int
    resets: datetime
    used: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def rendered(self) -> dict[str, int]:
        reset = int(self.resets.timestamp())
        return {"limit": self.limit, "remaining": self.remaining, "reset": reset, "used": self.used}

    def headers(self) -> dict[str, str]:
        said = self.rendered() | {"resource": "core"}
        return {f"X-RateLimit-{name.capitalize()}": str(value) for name, value in said.items()}


class Limits:
    """Every purse (a person, an installation) has a quota for an hour, and limits on how fast it goes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.limit = 5000
        self.status = 403
        """Or 429: which of the two GitHub answers with is not promised."""
        self.says_when = True
        """Whether a secondary limit comes with Retry-After."""
        self.created_per_minute, self.created_per_hour, self.points_per_minute = 80, 500, 900
        self.refused = 0
        """How many requests were."""
        self._quotas: dict[str, Quota] = {}
        self._created: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._points: defaultdict[str, deque[tuple[datetime, int]]] = defaultdict(deque)
        self._forced: ApiError | None = None
        self._forced_until: datetime | None = None
        self._forced_times: int | None = None

    def quota(self, purse: str) -> Quota:
        now, known = self._clock.now(), self._quotas.get(purse)
        if known is None or known.resets <= now:
            known = self._quotas[purse] = Quota(self.limit, now + HOUR)
        known.limit = self.limit
        return known

    def use_up(self, purse: str = "", *, left: int = 0) -> None:
        """So much remains of the quota of one, or of everybody who asked something before."""
        for name in [purse] if purse else list(self._quotas):
            quota = self.quota(name)
            quota.used = quota.limit - left

    def secondary(self, *, retry_after: int | None = None, times: int | None = None, seconds: float = 60) -> None:
        """A secondary limit for everybody from now: for so long (of this clock), or for so many requests."""
        self._forced = self._slow_down(retry_after)
        self._forced_times = times
        self._forced_until = None if times else self._clock.now() + timedelta(seconds=retry_after or seconds)

    def clear(self) -> None:
        self._forced, self._created, self._points = None, defaultdict(deque), defaultdict(deque)
        self._quotas.clear()

    def check(self, purse: str, *, creates: bool, points: int) -> None:
        """Raises ApiError where it is too much. What is refused counts as well."""
        try:
            self._check(purse, creates=creates, points=points)
        except ApiError:
            self.refused += 1
            raise

    def _check(self, purse: str, *, creates: bool, points: int) -> None:
        if self._forced is not None:
            self._force()
        if self.quota(purse).remaining == 0:
            raise ApiError(self.status, f"API rate limit exceeded for {purse}.")
        now = self._clock.now()
        spent = self._points[purse]
        _forget(spent, now - MINUTE)
        if sum(count for _, count in spent) + points > self.points_per_minute:
            raise self._slow_down(_wait(spent[0][0] + MINUTE, now))
        spent.append((now, points))
        if creates:
            self._create(purse, now)

    def _create(self, purse: str, now: datetime) -> None:
        made = self._created[purse]
        while made and made[0] <= now - HOUR:
            made.popleft()
        lately = [moment for moment in made if moment > now - MINUTE]
        if len(lately) >= self.created_per_minute:
            raise self._slow_down(_wait(lately[0] + MINUTE, now))
        if len(made) >= self.created_per_hour:
            raise self._slow_down(_wait(made[0] + HOUR, now))
        made.append(now)

    def _force(self) -> None:
        over = self._forced_until is not None and self._clock.now() >= self._forced_until
        if over or self._forced_times == 0 or self._forced is None:
            self._forced = None
            return
        if self._forced_times is not None:
            self._forced_times -= 1
        raise self._forced

    def _slow_down(self, retry_after: int | None) -> ApiError:
        headers = {"Retry-After": str(retry_after)} if self.says_when and retry_after is not None else {}
        told = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        return ApiError(self.status, told, headers=headers)


def _forget(spent: deque[tuple[datetime, int]], before: datetime) -> None:
    while spent and spent[0][0] <= before:
        spent.popleft()


def _wait(until: datetime, now: datetime) -> int:
    return max(1, int((until - now).total_seconds()) + 1)
