"""What the loop of deploys tells. Targets are the policy's, so they are few."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controller.api.metrics.words import known

STEPS = (
    "make",
    "observe",
    "apply",
    "smoke",
    "verify",
    "reject",
    "rollback",
    "halt",
    "settle",
    "dismiss",
    "resume",
    "wait",
)
VERDICTS = ("verified", "rejected", "superseded")
STATES = (
    "empty",
    "deploying",
    "checking",
    "soaking",
    "verified",
    "rolling-back",
    "restored",
    "stopped",
    "held",
)
VERDICT_SECONDS = (5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600)


class TargetMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        about_steps = "Steps that were taken with a target, by kind."
        self._steps = Counter("mayfly_target_steps", about_steps, ["target", "step"], registry=registry)
        about_verdicts = "From the order of a release until its verdict."
        labels = ["target", "verdict"]
        self._verdicts = Histogram(
            "mayfly_target_verdict_seconds", about_verdicts, labels, buckets=VERDICT_SECONDS, registry=registry
        )
        about_states = "1 for the state that a target is in, 0 for the others."
        self._target_states = Gauge("mayfly_target_state", about_states, ["target", "state"], registry=registry)

    def target_stepped(self, target: str, step: str) -> None:
        self._steps.labels(target, known(step, STEPS)).inc()

    def target_judged(self, target: str, verdict: str, took: float) -> None:
        self._verdicts.labels(target, known(verdict, VERDICTS)).observe(took)

    def set_target(self, target: str, state: str) -> None:
        for one in STATES:
            self._target_states.labels(target, one).set(one == state)
