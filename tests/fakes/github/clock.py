"""The time at this GitHub: the machine's, moved ahead as far as a test wants."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC) + self._ahead

    def stamp(self) -> str:
        """As GitHub writes it: whole seconds."""
        return written(self.now())

    def advance(self, **by: float) -> None:
        """`minutes=61`, as for a timedelta: tokens and windows of limits expire."""
        self._ahead += timedelta(**by)


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
