"""Planning 10,000 previews of every sort: under 100 ms, so that a round may look at everything."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.model import Row
from controller.common.nouns import Phase, PreviewKey, Service, ServiceState
from controller.common.spec import parse
from controller.previews.model import Case, Preview, PullRequest, Rules
from controller.previews.plan import plan

PREVIEWS = 10_000
ROUNDS = 7
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SPEC = parse(
    "services: {web: {command: serve, port: 8000}}\nchecks: {smoke: [{name: front, http: {path: /}}]}", "0" * 40
)
RULES = Rules(max_alive=PREVIEWS, max_removals=PREVIEWS)


async def measure() -> list[Row]:
    cases = [_case(number) for number in range(1, PREVIEWS + 1)]
    alive = [case.preview for case in cases if case.preview is not None]
    actions = plan(cases, alive, RULES, NOON)
    sorts = sorted({type(action).__name__ for action in actions})
    ours = _median_of(lambda: plan(cases, alive, RULES, NOON))
    limit = _median_of(lambda: {case.key: case for case in sorted(cases, key=lambda case: case.key)})
    name = f"planning {PREVIEWS:,} previews ({len(actions):,} actions: {', '.join(sorts)})"
    return [Row.at_most(name, ours, 100, "ms", peer=limit, against="sorting and indexing them only")]


def _case(number: int) -> Case:
    """One in ten is new, pushed, closed, stuck, idle or at rest; the others are as they should be or want a check."""
    key = PreviewKey("shop", number)
    head = f"{number:040x}"
    pull = PullRequest(key, head, is_open=number % 10 != 3, pushed_at=NOON - timedelta(hours=1))
    host = f"pr-{number}-shop"
    services = (Service("web", ServiceState.HEALTHY, host=host),)
    phase = {4: Phase.STARTING, 5: Phase.FAILED, 6: Phase.SLEEPING}.get(number % 10, Phase.READY)
    preview: Preview | None = Preview(key, f"u{number}", head, phase, NOON, NOON, services=services)
    if number % 10 == 1:
        preview = None
    elif number % 10 == 2 and preview is not None:
        preview = replace(preview, revision="f" * 40)
    return Case(key, pull, preview, SPEC)


def _median_of(work: Callable[[], object]) -> float:
    """Milliseconds."""
    took = []
    for _ in range(ROUNDS):
        gc.collect()
        start = time.perf_counter()
        work()
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)
