"""What people see and ask of probes: the one place behind the API, the status page and the command line."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from controller.probes.model import Alarm, Counts, Day, Health, Incident, Point, Sample, Silence
from controller.settings import Probe


@dataclass(frozen=True, slots=True)
class BurnRate:
    """How fast the budget burns by one alarm's two windows, in times what the objective allows."""

    alarm: Alarm
    rate: float
    """From here on it burns."""
    long: timedelta
    short: timedelta
    in_long: float | None
    """None where nothing is known of that window."""
    in_short: float | None


@dataclass(frozen=True, slots=True)
class ProbeCard:
    """All there is to show about one probe."""

    probe: Probe
    state: str
    """One word: `up`, `failing`, `burning`, `silent`, `unknown`, `maintenance`, `cut-off`."""
    headline: str
    """One line for people: `up · 99.97% of 30 days · p95 120 ms`."""
    latest: Sample | None = None
    counts: Counts = field(default_factory=Counts)
    """Of the objective's window, or of 30 days."""
    budget: float | None = None
    """Share of the error budget that is left, below 0 where it is overspent; None without an objective."""
    alarms: tuple[tuple[Alarm, Health], ...] = ()
    """Those that fire."""
    late: timedelta = timedelta()
    """p99 of how late its samples were begun lately."""
    missed: int = 0
    """Runs that were left out, since the start."""
    next_at: datetime | None = None
    burns: tuple[BurnRate, ...] = ()
    """The gravest alarm first; empty without an objective, and where many probes are asked for at once."""


@dataclass(frozen=True, slots=True)
class StatusPage:
    at: datetime
    headline: str
    """`Everything works`, `2 of 14 do not work`."""
    probes: tuple[tuple[ProbeCard, tuple[Day, ...]], ...]
    """With 90 days each, oldest first; a day without a sample is `unknown`."""
    incidents: tuple[Incident, ...]
    cut_off: str = ""
    """Why nothing is known: the prober itself is cut off."""


class ProbeDesk(Protocol):
    """Methods raise Unavailable or Refused, as the ports do; Refused where the probe is not known."""

    async def probes(self) -> tuple[ProbeCard, ...]: ...

    async def probe(self, name: str) -> ProbeCard: ...

    async def samples(self, name: str, limit: int = 100) -> tuple[Sample, ...]: ...

    async def series(self, name: str, since: datetime, until: datetime, step: timedelta) -> tuple[Point, ...]: ...

    async def series_of(
        self, names: Collection[str], since: datetime, until: datetime, step: timedelta
    ) -> Mapping[str, tuple[Point, ...]]:
        """Of several at once; one without a sample is left out."""
        ...

    async def status(self, *, public: bool, name: str = "") -> StatusPage:
        """Of all probes; of those that everybody may see (`public`); of that one, which is left out where it is not
        known, or not to be seen."""
        ...

    async def incidents(self, since: datetime) -> tuple[Incident, ...]:
        """Those that went on at any time since, oldest first."""
        ...

    async def silences(self) -> tuple[Silence, ...]: ...

    async def silence(self, probe: str, lasts: timedelta, actor: str, because: str) -> Silence: ...

    async def unsilence(self, silence_id: str, actor: str) -> bool: ...

    async def assignment(self, location: str, key: str) -> bytes:
        """What an agent there has to run: JSON that `remote` reads, signed with the key (its token's digest)."""
        ...

    async def deliver(self, location: str, batch: str, samples: Sequence[Sample]) -> bool:
        """What an agent found. False where that batch was delivered before. Samples of another location are Refused;
        those of probes that are not run there, or from the future, are left out: the others are right all the same."""
        ...

    def changes(self) -> AsyncIterator[str | None]: ...
