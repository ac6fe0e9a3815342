"""How alarms stand, in memory: what was kept can be read straight from its fields."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from controller.errors import Unavailable
from controller.probes.model import Alarm, Health, Incident, Silence


class FakeAlerts:
    """`down`: every call is Unavailable."""

    def __init__(self) -> None:
        self.down = False
        self.kept_healths: dict[tuple[str, Alarm], Health] = {}
        self.kept_incidents: dict[tuple[str, Alarm, datetime], Incident] = {}
        self.kept_silences: dict[str, Silence] = {}

    def beside(self) -> "FakeAlerts":
        """The same alerts, as another controller has them."""
        return copy.copy(self)

    async def healths(self) -> Mapping[tuple[str, Alarm], Health]:
        self._reach()
        return dict(self.kept_healths)

    async def keep_health(self, probe: str, alarm: Alarm, health: Health) -> None:
        self._reach()
        if health == Health():
            self.kept_healths.pop((probe, alarm), None)
        else:
            self.kept_healths[probe, alarm] = health

    async def open_incident(self, incident: Incident) -> None:
        self._reach()
        self.kept_incidents.setdefault((incident.probe, incident.alarm, incident.began), incident)

    async def close_incident(self, probe: str, alarm: Alarm, began: datetime, ended: datetime) -> None:
        self._reach()
        incident = self.kept_incidents.get((probe, alarm, began))
        if incident is not None and incident.ended is None:
            self.kept_incidents[probe, alarm, began] = replace(incident, ended=ended)

    async def incidents(self, since: datetime) -> tuple[Incident, ...]:
        self._reach()
        found = [one for one in self.kept_incidents.values() if one.ended is None or one.ended >= since]
        return tuple(sorted(found, key=lambda one: (one.began, one.probe, one.alarm)))

    async def silences(self, now: datetime) -> tuple[Silence, ...]:
        self._reach()
        found = [one for one in self.kept_silences.values() if one.ends > now]
        return tuple(sorted(found, key=lambda one: (one.begins, one.id)))

    async def silence(self, silence: Silence) -> None:
        self._reach()
        self.kept_silences[silence.id] = silence

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("the alerts are down")
