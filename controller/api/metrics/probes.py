"""What the loop of probes tells, and what is looked up when somebody reads. Probes, locations and routes are names of
the policy, so they are bounded; what is told of every sample has no more labels than it needs."""

from collections import Counter as Tally
from collections.abc import Collection, Mapping
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

from controller.common.notices import Outgoing
from controller.probes.model import Alarm
from smoke.model import Outcome

LATE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)


class ProbeMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["probe", "location", "outcome"]
        self._samples = Counter("mayfly_probe_samples", "Samples by outcome.", labels, registry=registry)
        self._took = Summary("mayfly_probe_seconds", "How long samples took.", ["probe"], registry=registry)
        about_late = "How much later than due a sample was begun."
        self._late = Histogram(
            "mayfly_probe_late_seconds", about_late, ["location"], buckets=LATE_SECONDS, registry=registry
        )
        self._missed = Counter("mayfly_probe_missed", "Runs that were left out.", ["probe"], registry=registry)
        about_lost = "Samples that History did not take for so long that they were given up."
        self._lost = Counter("mayfly_probe_lost", about_lost, registry=registry)
        self._firing = Gauge("mayfly_probe_alarms", "Probes that alert, by alarm.", ["alarm"], registry=registry)
        about_cut_off = "1 while the prober itself is cut off."
        self._cut_off = Gauge("mayfly_prober_cut_off", about_cut_off, registry=registry)
        about_budget = "Share of the error budget that is left; below 0 where it is overspent."
        self._budget = Gauge("mayfly_probe_budget_left", about_budget, ["probe"], registry=registry)
        about_notices = "Notices that nobody took yet, and those given up in the last week."
        self._notices = Gauge("mayfly_notices", about_notices, ["route", "state"], registry=registry)
        for alarm in Alarm:
            self.firing(alarm, 0)

    def sampled(self, probe: str, location: str, outcome: Outcome, late: timedelta, took: timedelta) -> None:
        self._samples.labels(probe, location, outcome.value).inc()
        self._took.labels(probe).observe(took.total_seconds())
        self._late.labels(location).observe(late.total_seconds())

    def missed(self, probe: str, runs: int) -> None:
        self._missed.labels(probe).inc(runs)

    def lost(self, samples: int) -> None:
        self._lost.inc(samples)

    def firing(self, alarm: Alarm, probes: int) -> None:
        self._firing.labels(alarm.value).set(probes)

    def cut_off(self, is_so: bool) -> None:
        self._cut_off.set(is_so)

    def set_budgets(self, left: Mapping[str, float | None]) -> None:
        """By probe. One that is not named, or of which nothing is known, has no value at all."""
        self._budget.clear()
        for probe, share in left.items():
            if share is not None:
                self._budget.labels(probe).set(share)

    def set_notices(self, undelivered: Collection[Outgoing]) -> None:
        """All of them: a route that is not named has none."""
        self._notices.clear()
        for (route, given_up), count in Tally((one.route, one.given_up) for one in undelivered).items():
            self._notices.labels(route, "given-up" if given_up else "waiting").set(count)
