"""The timeline: what was done and why, how each preview fared, what its checks said. Kept in History as it happens."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, assert_never

import structlog

from controller.common.errands import Errands
from controller.common.nouns import CheckJob, Phase, PreviewKey, short
from controller.errors import Refused, Unavailable
from controller.ports import History
from controller.previews.actions import Deploy, GiveUp, Remove, RunChecks, Sleep, Wake, kind_of
from controller.previews.look import World
from controller.previews.model import Event, Preview
from smoke.documents import format_duration
from smoke.model import Outcome, SuiteRun

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

    def __init__(
        self, history: History, meter: Meter, clock: Callable[[], datetime], ring: Callable[[PreviewKey], None]
    ) -> None:
        self._history = history
        self._meter = meter
        self._clock = clock
        self._phases: dict[PreviewKey, str] = {}
        self._kept: set[tuple[str, str, datetime]] = set()
        self._errands: Errands[PreviewKey] = Errands(ring)

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
        """Nothing waits long for it: the past is written while what runs goes on."""
        self._forget_all_but(world.previews)
        new = [preview for preview in world.previews if self._has_news(preview)]
        await self._errands.run({preview.key: partial(self._observe, preview) for preview in new})

    async def close(self) -> None:
        """Forgets what it has seen: others may write the timeline from here on, so it is read before the next word."""
        await self._errands.close()
        self._phases.clear()
        self._kept.clear()

    def _has_news(self, preview: Preview) -> bool:
        return self._phases.get(preview.key) != _stands(preview) or any(self._ended(preview))

    def _ended(self, preview: Preview) -> Iterator[tuple[CheckJob, SuiteRun]]:
        """Jobs whose end was not kept yet."""
        for job in preview.jobs:
            if job.run is not None and _at(preview, job) not in self._kept:
                yield job, job.run

    async def _observe(self, preview: Preview) -> bool:
        try:
            await self._write_down(preview)
        except (Unavailable, Refused) as error:  # the past is written when History answers again
            log.warning("the timeline could not be written", pull=str(preview.key), reason=error.reason)
        return False

    async def _write_down(self, preview: Preview) -> None:
        await self._observe_phase(preview)
        for job, run in list(self._ended(preview)):
            if await self._history.record_run(preview.key, job.order, run):
                self._meter.checked(job.suite, run.outcome)
                await self._record(preview.key, "checks", _how_it_went(job.suite, run.outcome), job.revision)
            self._kept.add(_at(preview, job))

    def _forget_all_but(self, previews: Collection[Preview]) -> None:
        uids, keys = {preview.uid for preview in previews}, {preview.key for preview in previews}
        self._kept = {at for at in self._kept if at[0] in uids}
        self._phases = {key: stands for key, stands in self._phases.items() if key in keys}

    async def _observe_phase(self, preview: Preview) -> None:
        key, stands = preview.key, _stands(preview)
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


def _stands(preview: Preview) -> str:
    return f"{preview.uid} {preview.phase} {preview.revision} {preview.deploy_order}"


def _at(preview: Preview, job: CheckJob) -> tuple[str, str, datetime]:
    """Names the job among all."""
    return preview.uid, job.suite, job.started_at


def _how_it_went(suite: str, outcome: Outcome) -> str:
    return f"{suite} could not be run" if outcome is Outcome.BROKEN else f"{suite} {outcome}"
