"""Runs a build, a seed or a migration to its end, as a unit of whoever needs it."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

from controller.adapters.local import environment
from controller.adapters.local.crew import Crew
from controller.adapters.local.means import Means
from controller.adapters.local.units import Command, State, Unit
from controller.adapters.shared.steps import StepFailed
from controller.adapters.shared.words import telling_line
from smoke.documents import format_duration


async def run_job(
    crew: Crew, means: Means, job: str, step: str, argv: tuple[str, ...], env: Mapping[str, str]
) -> timedelta:
    """How long it took. Raises StepFailed, with its last lines; where we are cancelled, it is ended first."""
    unit, local = crew.job(job), means.policy.local
    limit, memory = local.step_timeout, means.policy.allow.memory
    everything = {**environment.base(local.path, crew.home), **env}
    async with means.turns:
        await unit.stop()
        began = time.monotonic()
        unit.start(Command(argv, everything, crew.tree, once=True, limit=limit, memory=memory))
        try:
            state = await unit.wait()
        except asyncio.CancelledError:
            await unit.stop()
            raise
    if state is not None and state.exit == 0 and not state.timed_out:
        return timedelta(seconds=time.monotonic() - began)
    raise StepFailed(f"{step}: {_why(unit, state, limit)}", "\n".join(unit.tail()))


def _why(unit: Unit, state: State | None, limit: timedelta) -> str:
    if state is None:
        return "it was killed"
    if state.timed_out:
        return f"it took longer than {format_duration(limit)}"
    return telling_line(unit.tail()) or f"it {state.last_words}"
