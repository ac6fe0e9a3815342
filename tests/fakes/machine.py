"""What outlives a controller of the FakePlatform, and how a preview on it looks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, takewhile

from controller.common.nouns import Phase, PreviewKey, Service, ServiceState, Step, StepState
from controller.common.spec import Spec
from controller.previews.model import DeployOrder, Preview

TOOK = timedelta(milliseconds=20)
STATES = {
    Phase.STARTING: ServiceState.STARTING,
    Phase.READY: ServiceState.HEALTHY,
    Phase.FAILED: ServiceState.STOPPED,
    Phase.SLEEPING: ServiceState.STOPPED,
}
"""Of a service, by the phase of its preview."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What outlives the controller: a new FakePlatform on the same machine finds it all again."""

    alive: dict[PreviewKey, Preview] = field(default_factory=dict)
    orders: dict[PreviewKey, DeployOrder] = field(default_factory=dict)
    databases: dict[PreviewKey, str] = field(default_factory=dict)
    """What was done to each, in order: `seeded,migrated`. One with a failed migration is not kept."""
    breaks: dict[str, str] = field(default_factory=dict)
    """Why a revision does not start, `STEP: REASON`; further lines are what it said."""
    stuck: set[str] = field(default_factory=set)
    """Revisions that start for ever."""
    uids: Iterator[int] = field(default_factory=count)


def services(order: DeployOrder, preview: Preview) -> tuple[Service, ...]:
    return tuple(_service(order, preview, name) for name in order.spec.services)


def _service(order: DeployOrder, preview: Preview, name: str) -> Service:
    spec = order.spec
    other = f"{order.host}--{name}" if spec.services[name].port else ""
    host = order.host if name == spec.main_service else other
    if preview.phase is Phase.FAILED and preview.reason.startswith(f"start {name}: "):
        return Service(name, ServiceState.CRASHED, host, reason=preview.reason)
    return Service(name, STATES[preview.phase], host)


def step_names(spec: Spec) -> list[str]:
    """In the order they run."""
    postgres, names = spec.postgres, spec.start_order()
    database = (("seed", postgres.seed), ("clone", True), ("migrate", postgres.migrate)) if postgres else ()
    builds = [f"build {name}" for name in names if spec.services[name].build]
    return ["checkout", *builds, *(step for step, wanted in database if wanted), *(f"start {name}" for name in names)]


def steps(spec: Spec, now: datetime, last: str, state: StepState) -> tuple[Step, ...]:
    """Those before `last` are done, and it is in `state`; all are done where it is empty."""
    done = [Step(name, StepState.DONE, now, TOOK) for name in takewhile(lambda name: name != last, step_names(spec))]
    return (*done, Step(last, state, now)) if last else tuple(done)
