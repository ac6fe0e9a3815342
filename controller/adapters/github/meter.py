"""What is counted about our requests to GitHub. Labels are few: no repository, no path, no account."""

from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    OK = "ok"
    UNCHANGED = "unchanged"
    """304: free of the quota."""
    REFUSED = "refused"
    THROTTLED = "throttled"
    FAILED = "failed"
    """5xx, or no answer at all."""


class Limit(StrEnum):
    """Why something was not asked, or not answered."""

    QUOTA = "quota"
    SECONDARY = "secondary"
    CREATIONS = "creations"
    POINTS = "points"


class Meter(Protocol):
    def asked(self, outcome: Outcome) -> None:
        """A request, and what came of it."""
        ...

    def throttled(self, limit: Limit) -> None:
        """Something has to wait: GitHub said so, or we know that it would."""
        ...


class Unmetered:
    """Counts nothing."""

    def asked(self, outcome: Outcome) -> None: ...

    def throttled(self, limit: Limit) -> None: ...
