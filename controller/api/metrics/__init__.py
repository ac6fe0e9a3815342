"""Counters and durations for Prometheus, in a registry of their own. Every label has few values.

Each room is told by what it counts; `Metrics` is all of them, and fits the `Meter` of each room.
"""

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from controller.api.metrics.forge import ASKED, THROTTLED, ForgeMetrics
from controller.api.metrics.previews import PreviewMetrics
from controller.api.metrics.probes import ProbeMetrics
from controller.api.metrics.targets import TargetMetrics
from controller.api.metrics.webhooks import HEARD, WEBHOOKS, WebhookMetrics

__all__ = ["ASKED", "HEARD", "THROTTLED", "WEBHOOKS", "Metrics"]
Look = Callable[["Metrics"], Awaitable[None]]


class Metrics(PreviewMetrics, ForgeMetrics, WebhookMetrics, TargetMetrics, ProbeMetrics):
    """Told by the loops as things happen. A word that is not known here counts as `other`."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._looks: list[Look] = []
        for part in (PreviewMetrics, ForgeMetrics, WebhookMetrics, TargetMetrics, ProbeMetrics):
            part.__init__(self, self._registry)

    def before_reading(self, look: Look) -> None:
        """Looks up what nobody tells, whenever somebody reads. It raises nothing that a reader can continue without."""
        self._looks.append(look)

    async def read(self) -> bytes:
        for look in self._looks:
            await look(self)
        return self.render()

    def render(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
