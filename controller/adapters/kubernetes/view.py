"""What the platform says about a preview, made from its record and what the cluster has. Changes nothing."""

from datetime import UTC, datetime, timedelta

from controller.adapters.kubernetes import results, services, troubles
from controller.adapters.kubernetes.api import JOB
from controller.adapters.kubernetes.cell import Cell
from controller.adapters.shared.orders import Aim, service_host
from controller.common.nouns import CheckJob, Phase, Route, Service, ServiceState, StepState
from controller.previews.model import Preview

PATIENCE = timedelta(minutes=1)


def preview(cell: Cell, url: str) -> Preview:
    record = cell.record
    leaving = cell.terminating or record.aim is Aim.REMOVE
    return Preview(
        key=record.key,
        uid=cell.uid,
        revision=record.order.revision,
        phase=Phase.TERMINATING if leaving else record.phase,
        phase_since=record.phase_since,
        created_at=cell.created_at,
        url=url,
        reason=_why_still_there(cell) if cell.terminating else record.reason,
        logs=record.logs,
        steps=record.steps,
        services=tuple(service(cell, name) for name in record.order.spec.services),
        database=record.database,
        jobs=jobs(cell),
        last_visit=cell.last_visit,
        deploy_order=record.deploy_order,
        rest_order=record.rest_order,
    )


def _why_still_there(cell: Cell) -> str:
    """Only once it takes long: while its pods say goodbye, the cluster reports troubles that pass."""
    since = datetime.fromisoformat(cell.namespace["metadata"]["deletionTimestamp"])
    return troubles.terminating(cell.namespace) if datetime.now(UTC) - since > PATIENCE else ""


def jobs(cell: Cell) -> tuple[CheckJob, ...]:
    return results.jobs_of(cell.objects(JOB, TASK="check"))


def service(cell: Cell, name: str) -> Service:
    record = cell.record
    host = service_host(record.order.spec, record.order.host, name)
    if trouble := record.troubles.get(name):
        return Service(name, ServiceState.CRASHED, host, reason=trouble)
    if record.aim not in {Aim.DEPLOY, Aim.RUN} or cell.terminating:
        return Service(name, ServiceState.STOPPED, host)
    found = services.behind(cell, name)
    if found is None:
        return Service(name, ServiceState.WAITING, host)
    pods = services.pods_of(cell, found)
    restarts = max((troubles.restarts(pod) for pod in pods), default=0)
    if troubles.deployment_ready(found):
        return Service(name, ServiceState.HEALTHY, host, restarts)
    ailing = troubles.deployment_trouble(found, pods, datetime.now(UTC))
    state = ServiceState.CRASHED if ailing is not None and ailing.fatal else ServiceState.STARTING
    return Service(name, state, host, restarts, cell.redact(ailing.reason) if ailing else "")


def route(cell: Cell, name: str) -> Route:
    """From memory alone: what was healthy when it was last heard of."""
    record = cell.record
    serving = (record.phase is Phase.READY or record.crashed) and not cell.terminating and record.aim is Aim.RUN
    running = [step.name for step in record.steps if step.state is StepState.RUNNING]
    step = running[-1] if running and record.phase is Phase.STARTING else ""
    address = cell.addresses.get(name) if serving else None
    return Route(record.key, name, record.phase, address, record.reason, record.logs, step)
