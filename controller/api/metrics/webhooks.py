"""What the forge told us unasked, and what came of it."""

from prometheus_client import CollectorRegistry, Counter

from controller.api.metrics.words import known

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
HEARD = ("new", "seen", "nothing", "unkept", "unsigned", "malformed")


class WebhookMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        about = "Webhooks by event and by what came of them."
        self._webhooks = Counter("mayfly_webhooks", about, ["event", "outcome"], registry=registry)

    def heard(self, event: str, outcome: str) -> None:
        self._webhooks.labels(known(event, WEBHOOKS), known(outcome, HEARD)).inc()
