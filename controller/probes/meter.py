"""What probes tell whoever counts. Labels are names of the policy, so they are bounded."""

from datetime import timedelta
from typing import Protocol

from controller.probes.model import Alarm
from smoke.model import Outcome


class Meter(Protocol):
    """Cheap, and raises nothing: it is called for each sample."""

    def sampled(self, probe: str, location: str, outcome: Outcome, late: timedelta, took: timedelta) -> None: ...

    def missed(self, probe: str, runs: int) -> None:
        """Runs that were left out, as the one before them went on, or nothing could begin."""
        ...

    def lost(self, samples: int) -> None:
        """Samples that History did not take for so long that there was no more room."""
        ...

    def firing(self, alarm: Alarm, probes: int) -> None: ...

    def cut_off(self, is_so: bool) -> None: ...


class NoMeter:
    """Counts nothing."""

    def sampled(self, probe: str, location: str, outcome: Outcome, late: timedelta, took: timedelta) -> None:
        pass

    def missed(self, probe: str, runs: int) -> None:
        pass

    def lost(self, samples: int) -> None:
        pass

    def firing(self, alarm: Alarm, probes: int) -> None:
        pass

    def cut_off(self, is_so: bool) -> None:
        pass
