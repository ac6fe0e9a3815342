"""What is looked up whenever somebody reads, as nobody tells of it. Where that cannot be reached there is no value: an
old one would say that all is well."""

from controller.api.metrics import Look, Metrics
from controller.errors import MayflyError
from controller.ports import Outbox
from controller.probes.desk import ProbeDesk


def budgets(desk: ProbeDesk) -> Look:
    async def look(metrics: Metrics) -> None:
        try:
            left = {card.probe.name: card.budget for card in await desk.probes()}
        except MayflyError:
            left = {}
        metrics.set_budgets(left)

    return look


def notices(outbox: Outbox) -> Look:
    async def look(metrics: Metrics) -> None:
        try:
            undelivered = await outbox.undelivered()
        except MayflyError:
            undelivered = ()
        metrics.set_notices(undelivered)

    return look
