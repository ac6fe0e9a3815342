"""How long to wait after something went wrong: a second, then twice as long each time, up to a minute. What went wrong
is told once, and that it is over."""

import structlog

from controller.errors import MayflyError, Unavailable

log = structlog.get_logger()
FIRST, LONGEST = 1.0, 60.0
"""Seconds."""


class Patience:
    def __init__(self, what: str) -> None:
        """`what` goes wrong, in words: `the assignment cannot be fetched`."""
        self._what = what
        self._reason = ""
        self._pause = FIRST

    def after(self, error: MayflyError) -> float:
        """Seconds. The other side may ask for more."""
        if error.reason != self._reason:
            log.warning(self._what, reason=error.reason)
        self._reason = error.reason
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST)
        asked = error.retry_after if isinstance(error, Unavailable) else None
        return max(pause, asked.total_seconds()) if asked else pause

    def over(self) -> None:
        if self._reason:
            log.info("it works again", before=self._what)
        self._reason, self._pause = "", FIRST
