"""The desk of probes over samples and alerts in memory, with 90 days behind it."""

import random
from datetime import datetime, timedelta

from controller.common.notices import Notice
from controller.probes.around import Around
from controller.probes.frontdesk import FrontDesk
from controller.probes.model import Alarm, Health, Incident, Sample
from controller.probes.watch import Watch
from controller.settings import HERE, Probe, Probing
from smoke.model import Outcome
from tests.fakes.alerts import FakeAlerts
from tests.fakes.samples import FakeSamples

EVIL = '<img src=x onerror="alert(1)">\u202e{{ 7 * 7 }}'
SUSPECT = "production #7 (abc1234)"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
PROBES = (
    {"name": "shop", "title": "The shop", "target": "production", "locations": [HERE, "paris"]},
    {"name": "search", "url": "https://ada:geheim@search.example/find"},
    {"name": "cellar", "title": "Internal: the cellar", "public": False, "objective": None},
)


class ProbeWorld:
    """`shop` had a bad day a week ago and burns now; `search` is well; `cellar` is not public, and never sampled."""

    def __init__(self, now: datetime, probes: tuple[dict[str, object], ...] = PROBES) -> None:
        self.now = now
        self.probes = tuple(
            Probe.model_validate({"url": "http://127.0.0.1:9", "objective": "99% over 30 days"} | one) for one in probes
        )
        self.samples, self.alerts = FakeSamples(), FakeAlerts()
        around = Around(self._post, clock=lambda: self.now)
        self.watch = Watch(self.probes, Probing(), self.samples, self.alerts, around)
        self.desk = FrontDesk(self.probes, self.samples, self.alerts, self.watch)
        self._fill()

    @property
    def down(self) -> bool:
        return self.samples.down

    @down.setter
    def down(self, value: bool) -> None:
        self.samples.down = self.alerts.down = value

    def fires(self, name: str = "shop", alarm: Alarm = Alarm.FAST_BURN, because: str = "3 of 12 failed") -> None:
        began = self.now - 12 * MINUTE
        self.alerts.kept_healths[name, alarm] = Health(began, began, because, SUSPECT)
        self.alerts.kept_incidents[name, alarm, began] = Incident(name, alarm, began, None, because, SUSPECT)

    def _fill(self) -> None:
        chance, today = random.Random(7), self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        for name in ("shop", "search"):
            for back in range(1, 90):
                for hour in range(0, 24, 4):
                    bad = name == "shop" and back == 7 and hour >= 12
                    self._sample(name, today - back * DAY + hour * HOUR, chance, bad=bad)
            for minutes in range(24 * 60, 0, -5):
                self._sample(name, self.now - minutes * MINUTE, chance, bad=name == "shop" and minutes <= 10)
        began = today - 7 * DAY + 12 * HOUR
        kept = Incident("shop", Alarm.FAILING, began, began + 95 * MINUTE, "3 of the latest 5 samples failed")
        self.alerts.kept_incidents["shop", Alarm.FAILING, began] = kept

    def _sample(self, name: str, at: datetime, chance: random.Random, *, bad: bool) -> None:
        late, took = timedelta(milliseconds=3), timedelta(seconds=chance.lognormvariate(-2.3, 0.4))
        outcome, message = (Outcome.FAILED, EVIL) if bad else (Outcome.PASSED, "")
        self.samples.kept.append(Sample(name, HERE, at, late, took, outcome, message))

    async def _post(self, notices: list[Notice]) -> None:
        """Nobody is told."""
