"""When to ask again, and how often at all."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import timedelta


class Pace:
    """At most so many requests a second, in the order they come; a pause saves up for a burst of twice as many."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_second
        self._saved = max(2.0, self._interval)
        self._clock = clock
        self._next = clock() - self._saved

    def delay(self) -> float:
        """Takes a turn: seconds until it comes, not positive where it is there."""
        now = self._clock()
        self._next = max(self._next, now - self._saved) + self._interval
        return self._next - now

    async def turn(self) -> None:
        if (delay := self.delay()) > 0:
            await asyncio.sleep(delay)


class Backoff:
    """Each pause about twice the one before, up to the longest; jitter keeps callers from coming all at once."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._pause = first

    def pause(self, at_least: timedelta | None = None) -> float:
        """Seconds; `at_least` is what the other side asked for."""
        pause, self._pause = self._pause, min(self._longest, self._pause * 2)
        return max(pause * random.uniform(0.5, 1.0), at_least.total_seconds() if at_least else 0.0)

    def reset(self) -> None:
        self._pause = self._first
