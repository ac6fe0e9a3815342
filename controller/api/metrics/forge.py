"""How talking with the forge goes: what we ask it, and what it tells us unasked."""

from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge

from controller.api.metrics.words import known
from controller.common.words import ForgeHealth

ASKED = ("ok", "unchanged", "refused", "throttled", "failed")
THROTTLED = ("quota", "secondary", "creations", "points")


class ForgeMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        about_requests = "Requests to the forge by what came of them."
        self._requests = Counter("mayfly_forge_requests", about_requests, ["outcome"], registry=registry)
        about_throttled = "What had to wait, by the limit that wants it."
        self._throttled = Counter("mayfly_forge_throttled", about_throttled, ["limit"], registry=registry)
        about_quota = "Requests that the forge takes until it counts anew; NaN where it has not said."
        self._quota = Gauge("mayfly_forge_quota_remaining", about_quota, registry=registry)
        about_lag = "How long the oldest of what is to be said has waited."
        self._lag = Gauge("mayfly_forge_lag_seconds", about_lag, registry=registry)
        self.set_forge(ForgeHealth(""))

    def asked(self, outcome: str) -> None:
        """A request to the forge, and what came of it."""
        self._requests.labels(known(outcome, ASKED)).inc()

    def throttled(self, limit: str) -> None:
        """Something has to wait for this limit of the forge's."""
        self._throttled.labels(known(limit, THROTTLED)).inc()

    def set_forge(self, health: ForgeHealth) -> None:
        """As it is at this moment: nobody tells when it gets better by itself."""
        self._quota.set(nan if health.remaining is None else health.remaining)
        self._lag.set(health.lag.total_seconds() if health.lag else 0)
