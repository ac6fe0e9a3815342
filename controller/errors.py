"""The two things an adapter may raise. Anything else is a bug, and is not caught where it can be continued."""

from datetime import timedelta


class MayflyError(Exception):
    """What went wrong, in words a person can act on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unavailable(MayflyError):
    """It may work later: a forge that is down, a server that is starting, a full disk.

    `retry_after` is how long the other side asked us to wait, where it said so.
    """

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(MayflyError):
    """It will not work until a person changes something: a spec, a permission, a policy."""
