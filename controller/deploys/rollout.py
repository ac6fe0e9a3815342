"""Whether a workload of a cluster is rolled out, as `kubectl rollout status` has it: the first line that holds.

| Deployment | |
| --- | --- |
| its controller has not seen the present spec | progressing |
| Progressing says `ProgressDeadlineExceeded` | failed |
| fewer updated than wanted | progressing |
| more there than updated | progressing: old ones end |
| fewer available than updated | progressing |

| StatefulSet | |
| --- | --- |
| another strategy than RollingUpdate | failed: nothing can be said |
| its controller has not seen the present spec, or any | progressing |
| fewer ready than wanted | progressing |
| with a partition: fewer updated than wanted above it | progressing; else complete |
| current and update revision differ | progressing |

| DaemonSet | |
| --- | --- |
| another strategy than RollingUpdate | failed: nothing can be said |
| its controller has not seen the present spec | progressing |
| fewer updated than nodes want it | progressing |
| fewer available than nodes want it | progressing |

Otherwise it is complete. Source: kubectl, pkg/polymorphichelpers/rollout_status.go. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from controller.deploys.model import RolloutState

DEADLINE = "ProgressDeadlineExceeded"
ROLLING = "RollingUpdate"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a cluster says of one. `wanted` is None where its spec names no number of replicas."""

    name: str
    generation: int = 1
    observed: int = 0
    wanted: int | None = 1
    replicas: int = 0
    updated: int = 0
    available: int = 0
    progressing: str = ""
    """The reason of its condition Progressing."""


@dataclass(frozen=True, slots=True)
class StatefulSet:
    """`rolling`: whether the spec has `updateStrategy.rollingUpdate`; `partition` is what stands there."""

    name: str
    generation: int = 1
    observed: int = 0
    wanted: int | None = 1
    ready: int = 0
    updated: int = 0
    strategy: str = ROLLING
    rolling: bool = False
    partition: int | None = None
    current_revision: str = ""
    update_revision: str = ""


@dataclass(frozen=True, slots=True)
class DaemonSet:
    """`wanted`: on how many nodes it should run."""

    name: str
    generation: int = 1
    observed: int = 0
    wanted: int = 0
    updated: int = 0
    available: int = 0
    strategy: str = ROLLING


Workload = Deployment | StatefulSet | DaemonSet


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one is; `message` is empty where it is complete."""

    state: RolloutState
    message: str = ""


COMPLETE = Standing(RolloutState.COMPLETE)


def rollout_status(workload: Workload) -> Standing:
    match workload:
        case Deployment():
            return _deployment(workload)
        case StatefulSet():
            return _stateful_set(workload)
        case DaemonSet():
            return _daemon_set(workload)
        case _:
            assert_never(workload)


def overall(standings: Iterable[Standing]) -> Standing:
    """Of a set: the first that failed, else the first that goes on, else complete."""
    known = tuple(standings)
    for state in (RolloutState.FAILED, RolloutState.PROGRESSING):
        if found := next((standing for standing in known if standing.state is state), None):
            return found
    return COMPLETE


def _deployment(it: Deployment) -> Standing:
    if it.generation > it.observed:
        return _unseen(it.name)
    if it.progressing == DEADLINE:
        return _failed(f"{it.name}: it exceeded its progress deadline")
    if it.wanted is not None and it.updated < it.wanted:
        return _goes_on(f"{it.name}: {it.updated} of {it.wanted} new pods are there")
    if it.replicas > it.updated:
        return _goes_on(f"{it.name}: {_old(it.replicas - it.updated)} still to end")
    if it.available < it.updated:
        return _goes_on(f"{it.name}: {it.available} of {it.updated} new pods are available")
    return COMPLETE


def _stateful_set(it: StatefulSet) -> Standing:
    if it.strategy != ROLLING:
        return _untold(it.name, it.strategy)
    if it.observed == 0 or it.generation > it.observed:
        return _unseen(it.name)
    if it.wanted is not None and it.ready < it.wanted:
        return _goes_on(f"{it.name}: {it.ready} of {it.wanted} pods are ready")
    if it.rolling:
        return _partitioned(it)
    if it.update_revision != it.current_revision:
        return _goes_on(f"{it.name}: {it.updated} pods are at revision {it.update_revision}")
    return COMPLETE


def _partitioned(it: StatefulSet) -> Standing:
    if it.wanted is not None and it.partition is not None and it.updated < it.wanted - it.partition:
        return _goes_on(f"{it.name}: {it.updated} of {it.wanted - it.partition} new pods are there")
    return COMPLETE


def _daemon_set(it: DaemonSet) -> Standing:
    if it.strategy != ROLLING:
        return _untold(it.name, it.strategy)
    if it.generation > it.observed:
        return _unseen(it.name)
    if it.updated < it.wanted:
        return _goes_on(f"{it.name}: {it.updated} of {it.wanted} new pods are there")
    if it.available < it.wanted:
        return _goes_on(f"{it.name}: {it.available} of {it.wanted} new pods are available")
    return COMPLETE


def _unseen(name: str) -> Standing:
    return _goes_on(f"{name}: the cluster has not seen its new spec yet")


def _untold(name: str, strategy: str) -> Standing:
    return _failed(f"{name}: its update strategy is {strategy or 'not named'}, so that its rollout cannot be followed")


def _old(count: int) -> str:
    return f"{count} old pod has" if count == 1 else f"{count} old pods have"


def _goes_on(message: str) -> Standing:
    return Standing(RolloutState.PROGRESSING, message)


def _failed(message: str) -> Standing:
    return Standing(RolloutState.FAILED, message)
