"""The timeline: what was done and why, how each preview fared, what its checks said. Kept in History as it happens."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol, assert_never

import structlog

from controller.errors import Unavailable
from controller.ports import History
from controller.previews.look import World
from controller.previews.model import (
    Deploy,
    Event,
    GiveUp,
    Phase,
    Preview,
    PreviewKey,
    Remove,
    RunChecks,
    Sleep,
    Wake,
    kind_of,
    short,
)
from smoke.documents import format_duration
from smoke.model import Outcome

log = structlog.get_logger()


class Meter(Protocol):
    """What is counted of the loop's work."""

    def round_took(self, seconds: float) -> None: ...
    def acted(self, kind: str) -> None: ...
    def deployed(self, seconds: float, outcome: str) -> None: ...
    def checked(self, suite: str, outcome: str) -> None: ...
    def set_previews(self, counts: Mapping[str, int]) -> None: ...


class Chronicle:
    """Writes the timeline: what was done and why, how each preview fared, what its checks said."""

    def __init__(self, history: History, meter: Meter, clock: Callable[[], datetime]) -> None:
        self._history = history
        self._meter = meter
        self._clock = clock
        self._phases: dict[PreviewKey, str] = {}
        self._kept: set[tuple[str, str, datetime]] = set()

    async def note(self, action: Deploy | RunChecks | GiveUp | Sleep | Wake | Remove) -> None:
        revision = ""
        match action:
            case Deploy(order):
                what, revision = f"deploying {short(order.revision)}", order.revision
            case RunChecks(_, _, revision, suite):
                what = f"running the {suite} checks"
            case GiveUp(_, _, revision):
                what = "given up"
            case Sleep():
                what = "put to sleep"
            case Wake():
                what = "woken"
            case Remove():
                what = "removed"
            case _:
                assert_never(action)
        await self._record(action.key, kind_of(action), f"{what}: {action.because}", revision)

    async def observe(self, world: World) -> None:
        self._forget_all_but(world.previews)
        for preview in world.previews:
            await self._observe_phase(preview)
            for job in preview.jobs:
                if job.run is not None and (preview.uid, job.suite, job.started_at) not in self._kept:
                    if await self._history.record_run(preview.key, job.order, job.run):
                        self._meter.checked(job.suite, job.run.outcome)
                        await self._record(
                            preview.key, "checks", _how_it_went(job.suite, job.run.outcome), job.revision
                        )
                    self._kept.add((preview.uid, job.suite, job.started_at))

    def _forget_all_but(self, previews: Collection[Preview]) -> None:
        uids, keys = {preview.uid for preview in previews}, {preview.key for preview in previews}
        self._kept = {at for at in self._kept if at[0] in uids}
        self._phases = {key: stands for key, stands in self._phases.items() if key in keys}

    async def _observe_phase(self, preview: Preview) -> None:
        key, stands = preview.key, f"{preview.uid} {preview.phase} {preview.revision} {preview.deploy_order}"
        if key not in self._phases:
            past = await self._history.timeline(key, 50)
            last = next((event.kind for event in reversed(past) if event.kind.startswith("phase:")), "")
            known = last == f"phase:{preview.phase}" and preview.phase is not Phase.STARTING
            self._phases[key] = stands if known else ""
        if self._phases[key] == stands:
            return
        self._phases[key] = stands
        took = preview.phase_since - preview.steps[0].started_at if preview.steps else timedelta()
        match preview.phase:
            case Phase.READY:
                self._meter.deployed(took.total_seconds(), "ready")
                text = f"ready at {short(preview.revision)}" + (f" after {format_duration(took)}" if took else "")
            case Phase.FAILED:
                self._meter.deployed(took.total_seconds(), "failed")
                text = f"failed: {preview.reason}"
            case Phase.STARTING | Phase.SLEEPING | Phase.TERMINATING:
                return
        await self._record(key, f"phase:{preview.phase}", text, preview.revision)

    async def _record(self, key: PreviewKey, kind: str, text: str, revision: str = "") -> None:
        log.info(text, pull=str(key), kind=kind)
        with suppress(Unavailable):  # the past may have a gap; what runs goes on
            await self._history.record([Event(key, self._clock(), kind, text, revision=revision)])


def _how_it_went(suite: str, outcome: Outcome) -> str:
    return f"{suite} could not be run" if outcome is Outcome.BROKEN else f"{suite} {outcome}"
