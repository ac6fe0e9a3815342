"""What the platform says about a preview, made from what it keeps and what runs. Nothing here changes anything."""

from controller.adapters.local.cell import Cell
from controller.adapters.local.crew import Crew
from controller.adapters.local.services import crash_looping
from controller.adapters.shared.orders import Aim, service_host
from controller.common.nouns import Phase, Route, Service, ServiceState, StepState
from controller.previews.model import Preview


def preview(cell: Cell, url: str) -> Preview:
    record = cell.record
    return Preview(
        key=record.key,
        uid=record.uid,
        revision=record.order.revision,
        phase=record.phase,
        phase_since=record.phase_since,
        created_at=record.created_at,
        url=url,
        reason=record.reason,
        logs=record.logs,
        steps=record.steps,
        services=tuple(service(cell, name) for name in record.order.spec.services),
        database=record.database,
        jobs=record.jobs,
        last_visit=cell.last_visit,
        deploy_order=record.deploy_order,
        rest_order=record.rest_order,
    )


def service(cell: Cell, name: str) -> Service:
    record = cell.record
    host = service_host(record.order.spec, record.order.host, name)
    if trouble := record.troubles.get(name):
        return Service(name, ServiceState.CRASHED, host, reason=trouble)
    if record.aim not in {Aim.DEPLOY, Aim.RUN}:
        return Service(name, ServiceState.STOPPED, host)
    return running(cell, name, host)


def running(crew: Crew, name: str, host: str) -> Service:
    """One that should run."""
    unit = crew.service(name)
    state = unit.state()
    if state is None:
        return Service(name, ServiceState.WAITING, host)
    if crew.works(name):
        return Service(name, ServiceState.HEALTHY, host, state.restarts)
    if not unit.alive:
        return Service(name, ServiceState.WAITING, host, state.restarts)
    if crash_looping(state):
        return Service(name, ServiceState.CRASHED, host, state.restarts, f"it {state.last_words}")
    return Service(name, ServiceState.STARTING, host, state.restarts, crew.redact(crew.ailing.get(name, "")))


def route(cell: Cell, name: str) -> Route:
    """From memory alone: what was healthy when it was last looked at."""
    record = cell.record
    port = record.ports.get(name)
    serving = record.phase is Phase.READY or record.crashed
    address = ("127.0.0.1", port) if port and serving and name in cell.healthy else None
    running = [step.name for step in record.steps if step.state is StepState.RUNNING]
    step = running[-1] if running and record.phase is Phase.STARTING else ""
    return Route(record.key, name, record.phase, address, record.reason, record.logs, step)
