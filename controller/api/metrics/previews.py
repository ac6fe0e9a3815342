"""What the loop of previews tells."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controller.api.metrics.words import OUTCOMES, known

STATES = ("none", "waiting", "starting", "ready", "failed", "sleeping", "terminating", "removed")
KINDS = ("deploy", "run-checks", "give-up", "sleep", "wake", "remove", "hold", "ask", "say")
SUITES = ("smoke", "e2e")
DEPLOYED = ("ready", "failed")
ROUND_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
DEPLOY_SECONDS = (0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900)


class PreviewMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._previews = Gauge("mayfly_previews", "Previews by state.", ["state"], registry=registry)
        about_rounds = "How long a round took: look, decide, act, say."
        self._rounds = Histogram("mayfly_round_seconds", about_rounds, buckets=ROUND_SECONDS, registry=registry)
        self._actions = Counter("mayfly_actions", "Actions by kind.", ["kind"], registry=registry)
        about_deploys = "From the order to deploy until it was ready or had failed."
        self._deploys = Histogram(
            "mayfly_deploy_seconds", about_deploys, ["outcome"], buckets=DEPLOY_SECONDS, registry=registry
        )
        about_checks = "Runs of check suites by outcome."
        self._checks = Counter("mayfly_checks", about_checks, ["suite", "outcome"], registry=registry)
        self.set_previews({})

    def round_took(self, seconds: float) -> None:
        self._rounds.observe(seconds)

    def acted(self, kind: str) -> None:
        self._actions.labels(known(kind, KINDS)).inc()

    def deployed(self, seconds: float, outcome: str) -> None:
        self._deploys.labels(known(outcome, DEPLOYED)).observe(seconds)

    def checked(self, suite: str, outcome: str) -> None:
        self._checks.labels(known(suite, SUITES), known(outcome, OUTCOMES)).inc()

    def set_previews(self, counts: Mapping[str, int]) -> None:
        """All of them: a state that is not named has none."""
        for state in STATES:
            self._previews.labels(state).set(counts.get(state, 0))
