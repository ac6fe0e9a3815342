"""The last assignment that was verified. It is on disk as it came, and verified again by whoever reads it: an agent
that starts without its controller goes on with it, and an older one is not taken after a restart either."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog

from controller.agent.buffer import replace
from controller.errors import Refused
from controller.probes.remote import AHEAD, Assignment, verified

log = structlog.get_logger()


class Orders:
    def __init__(self, file: Path, key: str, location: str, clock: Callable[[], datetime]) -> None:
        self._file = file
        self._key = key
        self._location = location
        self._clock = clock
        self._last: Assignment | None = None

    @property
    def current(self) -> Assignment | None:
        """None where there is none, or not any more."""
        return self._last if self._last and self._clock() < self._last.expires_at else None

    def recall(self) -> None:
        """What was verified before. Raises nothing: what is not worth anything is told, and left."""
        try:
            self._last = verified(self._file.read_bytes(), self._key, self._location, 0, self._clock())
        except FileNotFoundError:
            return
        except (OSError, Refused) as error:
            log.warning("the last assignment is of no use", reason=str(error))

    def take(self, sent: bytes) -> None:
        """Raises Refused, and goes on with the last one."""
        serial = self._last.serial if self._last else 0
        self._last = verified(sent, self._key, self._location, serial, self._clock())
        if abs(apart := self._clock() - self._last.issued_at) > AHEAD:
            log.warning("this clock and the controller's are apart: set it", by=str(apart))
        try:
            replace(self._file, sent)
        except OSError as error:
            log.warning("the assignment cannot be kept: a restart needs the controller", reason=error.strerror)
