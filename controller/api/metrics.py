"""Counters and durations for Prometheus, in a registry of their own. Every label has few values."""

from collections.abc import Iterable, Mapping
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from controller.common.words import ForgeHealth

STATES = ("none", "waiting", "starting", "ready", "failed", "sleeping", "terminating", "removed")
KINDS = ("deploy", "run-checks", "give-up", "sleep", "wake", "remove", "hold", "ask", "say")
SUITES = ("smoke", "e2e")
OUTCOMES = ("passed", "failed", "broken")
DEPLOYED = ("ready", "failed")
WEBHOOKS = (
    "check_run",
    "check_suite",
    "installation",
    "installation_repositories",
    "issue_comment",
    "pull_request",
    "push",
    "status",
)
ASKED = ("ok", "unchanged", "refused", "throttled", "failed")
THROTTLED = ("quota", "secondary", "creations", "points")
HEARD = ("new", "seen", "nothing", "unkept", "unsigned", "malformed")
OTHER = "other"


class Metrics:
    """Told by the loop as things happen. A word that is not known here counts as `other`."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = CollectorRegistry(auto_describe=True)
        self._registry = registry
        self._previews = Gauge("mayfly_previews", "Previews by state.", ["state"], registry=registry)
        self._rounds = Histogram(
            "mayfly_round_seconds",
            "How long a round took: look, decide, act, say.",
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
        )
        self._actions = Counter("mayfly_actions", "Actions by kind.", ["kind"], registry=registry)
        self._deploys = Histogram(
            "mayfly_deploy_seconds",
            "From the order to deploy until it was ready or had failed.",
            ["outcome"],
            registry=registry,
            buckets=(0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900),
        )
        self._checks = Counter(
            "mayfly_checks", "Runs of check suites by outcome.", ["suite", "outcome"], registry=registry
        )
        self._webhooks = Counter(
            "mayfly_webhooks", "Webhooks by event and by what came of them.", ["event", "outcome"], registry=registry
        )
        self._requests = Counter(
            "mayfly_forge_requests", "Requests to the forge by what came of them.", ["outcome"], registry=registry
        )
        self._throttled = Counter(
            "mayfly_forge_throttled", "What had to wait, by the limit that wants it.", ["limit"], registry=registry
        )
        self._quota = Gauge(
            "mayfly_forge_quota_remaining",
            "Requests that the forge takes until it counts anew; NaN where it has not said.",
            registry=registry,
        )
        self._lag = Gauge(
            "mayfly_forge_lag_seconds", "How long the oldest of what is to be said has waited.", registry=registry
        )
        self.set_previews({})
        self.set_forge(ForgeHealth(""))

    def round_took(self, seconds: float) -> None:
        self._rounds.observe(seconds)

    def acted(self, kind: str) -> None:
        self._actions.labels(_known(kind, KINDS)).inc()

    def deployed(self, seconds: float, outcome: str) -> None:
        self._deploys.labels(_known(outcome, DEPLOYED)).observe(seconds)

    def checked(self, suite: str, outcome: str) -> None:
        self._checks.labels(_known(suite, SUITES), _known(outcome, OUTCOMES)).inc()

    def heard(self, event: str, outcome: str) -> None:
        self._webhooks.labels(_known(event, WEBHOOKS), _known(outcome, HEARD)).inc()

    def asked(self, outcome: str) -> None:
        """A request to the forge, and what came of it."""
        self._requests.labels(_known(outcome, ASKED)).inc()

    def throttled(self, limit: str) -> None:
        """Something has to wait for this limit of the forge's."""
        self._throttled.labels(_known(limit, THROTTLED)).inc()

    def set_forge(self, health: ForgeHealth) -> None:
        """As it is at this moment: nobody tells when it gets better by itself."""
        self._quota.set(nan if health.remaining is None else health.remaining)
        self._lag.set(health.lag.total_seconds() if health.lag else 0)

    def set_previews(self, counts: Mapping[str, int]) -> None:
        """All of them: a state that is not named has none."""
        for state in STATES:
            self._previews.labels(state).set(counts.get(state, 0))

    def render(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


def _known(word: str, words: Iterable[str]) -> str:
    return word if word in words else OTHER
