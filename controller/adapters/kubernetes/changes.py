"""What an order makes of a record. Each gives the same record back where the order asks for nothing new. Pure."""

from dataclasses import replace
from datetime import UTC, datetime

from controller.adapters.kubernetes.record import Record, cut_off
from controller.adapters.shared.orders import Aim, Order, keeps_data
from controller.common.nouns import Phase
from controller.previews.model import DeployOrder


def ordered(known: Record, order: DeployOrder) -> Record:
    """The record with a new order; the same one where it is that order already."""
    if (known.order, known.deploy_order) == (Order.of(order), order.order):
        return known
    return replace(
        known,
        order=Order.of(order),
        aim=Aim.DEPLOY,
        phase=Phase.STARTING,
        phase_since=datetime.now(UTC),
        deployed=known.deployed + 1,
        deploy_order=order.order,
        reason="",
        logs="",
        crashed=False,
        steps=(),
        troubles={},
        images={},
        database_clean=known.database_clean and keeps_data(order),
    )


def given_up(known: Record, revision: str, because: str, ailing: dict[str, str], logs: str) -> Record:
    if known.phase is not Phase.STARTING or known.order.revision != revision:
        return known
    found = known.troubles | ailing
    now = datetime.now(UTC)
    ended = replace(known, aim=Aim.STOP, phase=Phase.FAILED, phase_since=now, steps=cut_off(known.steps))
    return replace(ended, reason=because, logs=logs, troubles=found)


def rested(known: Record, aim: Aim, order: int) -> Record:
    asked = replace(known, rest_order=max(order, known.rest_order))
    if {known.aim, aim} != {Aim.RUN, Aim.REST}:
        return asked
    if aim is Aim.RUN:
        return replace(asked, aim=aim, phase=Phase.STARTING, phase_since=datetime.now(UTC), crashed=False)
    return replace(asked, aim=aim)


def removed(known: Record) -> Record:
    if known.aim is Aim.REMOVE:
        return known
    since = datetime.now(UTC)
    return replace(known, aim=Aim.REMOVE, phase=Phase.TERMINATING, phase_since=since, reason="", logs="")
