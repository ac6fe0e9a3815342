"""What probes need of the world. All of it is part of History; one contract suite holds its adapters."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from controller.probes.model import Alarm, Counts, Health, Incident, Point, Sample, Silence


class Samples(Protocol):
    """Samples, raw for a while and rolled up for longer; see `settings.Probing`. Every number may be asked for at any
    step that is kept for that time; percentiles are of all samples of the step, right to 2%, merged or not."""

    async def append(self, samples: Collection[Sample], batch: str = "") -> bool:
        """In one write. With a `batch`, once: False where it was kept before (an agent that sends again)."""
        ...

    async def counts(self, since: datetime, until: datetime, probes: Collection[str] = ()) -> Mapping[str, Counts]:
        """By probe, of all locations; excused samples are left out. Of all probes where none is named."""
        ...

    async def latest(self, probe: str, limit: int = 100) -> tuple[Sample, ...]:
        """Oldest first, of the raw ones."""
        ...

    async def series(self, probe: str, since: datetime, until: datetime, step: timedelta) -> tuple[Point, ...]:
        """`step` is 5 minutes or a multiple of an hour. Steps without a sample are left out."""
        ...

    async def series_of(
        self, probes: Collection[str], since: datetime, until: datetime, step: timedelta
    ) -> Mapping[str, tuple[Point, ...]]:
        """Of several probes at once; one without a sample is left out."""
        ...

    async def days(self, since: datetime, probes: Collection[str] = ()) -> Mapping[str, tuple[Point, ...]]:
        """A point for each day (UTC) that has samples, oldest first; without percentiles. Of all probes where none is
        named."""
        ...

    async def roll_up(self, now: datetime) -> None:
        """Brings the steps up to date, and forgets what is too old. Repeating it is safe; costs what is new."""
        ...


class Alerts(Protocol):
    """How alarms stand, kept across restarts."""

    async def healths(self) -> Mapping[tuple[str, Alarm], Health]: ...

    async def keep_health(self, probe: str, alarm: Alarm, health: Health) -> None: ...

    async def open_incident(self, incident: Incident) -> None:
        """One that is known by probe, alarm and beginning is left alone."""
        ...

    async def close_incident(self, probe: str, alarm: Alarm, began: datetime, ended: datetime) -> None: ...

    async def incidents(self, since: datetime) -> tuple[Incident, ...]:
        """Those that went on at any time since, oldest first."""
        ...

    async def silences(self, now: datetime) -> tuple[Silence, ...]:
        """Those that are not over."""
        ...

    async def silence(self, silence: Silence) -> None:
        """In place of one with the same id."""
        ...
