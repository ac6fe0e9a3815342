"""Counters and durations for Prometheus, in a registry of their own. Every label has few values."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

STATES = ("none", "waiting", "starting", "ready", "failed", "sleeping", "terminating", "removed")
KINDS = ("deploy", "run-checks", "give-up", "sleep", "wake", "remove", "hold", "ask", "say")
SUITES = ("smoke", "e2e")
OUTCOMES = ("passed", "failed", "broken")
DEPLOYED = ("ready", "failed")
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
        self.set_previews({})

    def round_took(self, seconds: float) -> None:
        self._rounds.observe(seconds)

    def acted(self, kind: str) -> None:
        self._actions.labels(_known(kind, KINDS)).inc()

    def deployed(self, seconds: float, outcome: str) -> None:
        self._deploys.labels(_known(outcome, DEPLOYED)).observe(seconds)

    def checked(self, suite: str, outcome: str) -> None:
        self._checks.labels(_known(suite, SUITES), _known(outcome, OUTCOMES)).inc()

    def set_previews(self, counts: Mapping[str, int]) -> None:
        """All of them: a state that is not named has none."""
        for state in STATES:
            self._previews.labels(state).set(counts.get(state, 0))

    def render(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


def _known(word: str, words: Iterable[str]) -> str:
    return word if word in words else OTHER
