"""How a controller stops, so that nobody notices and the time it was given is kept.

told once           `/readyz` says so (503), and requests are answered for `grace`: load balancers look elsewhere
after `grace`       nothing new is taken; streams end; requests under way have `requests` to be finished
after them          the round under way is finished, and the loop ends; whoever starts next goes on from there
after `within`      the process ends, whatever it is at: a SIGKILL would do no less, and no more harm
told again          at once
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from controller.settings import Policy

log = structlog.get_logger()
AT_ONCE = timedelta(seconds=1)
"""From a second signal to the end."""
STOPPING = {"controller": "stopping"}


@dataclass(frozen=True, slots=True)
class Pace:
    within: timedelta
    """All of it."""
    grace: timedelta = timedelta()
    requests: timedelta = timedelta(seconds=2)

    @property
    def cut_after(self) -> timedelta:
        """When what is still passed on is cut, so that its other side is told before the server closes."""
        return self.requests / 2


def pace_of(policy: Policy) -> Pace:
    """On loopback nobody balances load, and a person waits at a terminal."""
    within = policy.stop_within
    if policy.is_private:
        return Pace(within, requests=min(timedelta(seconds=2), within / 4))
    return Pace(within, grace=min(timedelta(seconds=3), within / 5), requests=within * 2 / 5)


class Stopping:
    """One stop of one process."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.begun = asyncio.Event()
        self._told = 0
        self._ends_at = 0.0

    def told(self) -> None:
        """By a signal; nothing here waits for the event loop, which may be what hangs. The kernel ends the process when
        its time is over (SIGALRM, which nobody handles)."""
        self._told += 1
        time_left = (self.pace.within if self._told == 1 else AT_ONCE).total_seconds()
        self._ends_at = time.monotonic() + time_left
        signal.setitimer(signal.ITIMER_REAL, time_left)

    def begin(self, close: Callable[[bool], None]) -> None:
        """After `told`, on the event loop. `close` takes nothing new from then on: (True) and waits for nobody."""
        if self._told > 1:
            close(True)
        elif not self.begun.is_set():
            self.begun.set()
            log.info("stopping", within=self.pace.within.total_seconds())
            asyncio.get_running_loop().call_later(self.pace.grace.total_seconds(), close, False)

    async def readiness(self, ready: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
        """What `/readyz` says: that it stops, and else what is `ready`."""
        return STOPPING if self.begun.is_set() else await ready()

    async def hand_over(self, loop: "asyncio.Task[None]", idle: Callable[[], Awaitable[object]] | None = None) -> None:
        """Ends the loop: between two rounds, where `idle` (which waits for the one under way) comes back in time."""
        if idle is not None and self._told < 2:
            waiting = asyncio.ensure_future(idle())
            await asyncio.wait([waiting, loop], timeout=self._left() / 2, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        loop.cancel()
        await asyncio.wait([loop], timeout=self._left() * 0.9)

    def over(self) -> None:
        """The process may live on: it did what it had to."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _left(self) -> float:
        """Seconds; all that there are where nobody told it, and it ends by itself."""
        return max(0.0, self._ends_at - time.monotonic()) if self._told else self.pace.within.total_seconds()
