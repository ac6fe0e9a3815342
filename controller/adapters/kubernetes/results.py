"""What came of a run of checks: out of the logs of its Jobs, and kept in their annotations. Pure.

A run is one Job, or one for each shard. Nothing of a log is believed but a whole hand-over of this very suite and
revision; a run that left none is broken, never passed.
"""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.shapes import Obj
from controller.common.nouns import CheckJob
from smoke import handover
from smoke.model import CheckResult, SuiteRun
from smoke.target import last_lines, one_line

KEPT = 10
"""Most runs that are remembered by their Jobs; the history has them all."""
MAX_RESULT = 150 * 1024
"""Characters of a result in an annotation: all of one object's are 256 KiB at most (`TotalAnnotationSizeLimitB`)."""
MAX_PLAIN = 2 * 2**20
"""Bytes of its JSON: it is read at every look."""
_LAST_LINES = 5
_LAST = 2**31
"""The place of a result whose place is not known."""


@dataclass(frozen=True, slots=True)
class Shard:
    """What a Job of checks is about: the annotation `names.RUN`. Shards count from 1.

    `places`: where each of its checks stands in the suite, from 0.
    """

    suite: str
    revision: str
    order: int
    shard: int
    shards: int
    started: datetime
    places: tuple[int, ...] = ()

    def to_json(self) -> str:
        return _SHARD.dump_json(self).decode()

    @staticmethod
    def of(job: Obj) -> "Shard | None":
        """None for a Job that is not of ours."""
        try:
            return _SHARD.validate_json(_annotation(job, names.RUN))
        except ValidationError:
            return None


_SHARD: TypeAdapter[Shard] = TypeAdapter(Shard)


def _annotation(job: Obj, name: str) -> str:
    return str((job["metadata"].get("annotations") or {}).get(name, ""))


def compress(run: SuiteRun) -> str:
    """For the annotation `names.RESULT`. The longest details are cut where it would be too long."""
    return base64.b64encode(handover.compress(run, MAX_RESULT * 3 // 4, MAX_PLAIN)).decode()


def expand(text: str) -> SuiteRun | None:
    """None for what is not a result of ours."""
    try:
        return handover.expand(base64.b64decode(text, validate=True), MAX_PLAIN)
    except ValueError:
        return None


def smoke_ended(pod: Obj) -> bool:
    """Whether a pod of checks has said all it will: read it now. Its Job may go on until its deadline, where an image
    beside cannot be pulled, and then Kubernetes removes the pod, and its log with it."""
    status = pod.get("status") or {}
    known = {one["name"]: one.get("state", {}) for one in status.get("containerStatuses") or ()}
    return status.get("phase") in {"Succeeded", "Failed"} or "terminated" in known.get("smoke", {})


def read(log: str, shard: Shard, ended_at: datetime, ended: str) -> SuiteRun:
    """The result that the log of the smoke container has. `ended` tells how that ended: `it exited with status 3`."""
    found = handover.decode(log)
    if found is not None and (found.run.suite, found.run.revision) == (shard.suite, shard.revision):
        return found.run
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith(handover.MARK)]
    told = f" ({one_line(lines[-1])})" if lines else ""
    error = one_line(f"the checks left no result: {ended}{told}")
    if len(lines) > 1:
        error += "\n" + last_lines("\n".join(lines[-_LAST_LINES:]), limit=2000)
    return SuiteRun(shard.suite, shard.revision, shard.started, max(ended_at - shard.started, timedelta()), error=error)


def artifacts(log: str) -> dict[str, bytes]:
    """The files that the run left, by name."""
    found = handover.decode(log)
    return dict(found.artifacts) if found is not None else {}


def merge(runs: Sequence[SuiteRun], places: Sequence[Sequence[int]] = ()) -> SuiteRun:
    """One run from those of all shards. `places`: of each one's results in the suite; as they come where unknown."""
    first = runs[0]
    if len(runs) == 1:
        return first
    errors = dict.fromkeys(run.error for run in runs if run.error)
    return SuiteRun(
        first.suite,
        first.revision,
        min(run.started_at for run in runs),
        max(run.took for run in runs),
        _in_order(runs, places),
        "\n".join(errors),
    )


def _in_order(runs: Sequence[SuiteRun], places: Sequence[Sequence[int]]) -> tuple[CheckResult, ...]:
    placed: list[tuple[int, CheckResult]] = []
    for number, run in enumerate(runs):
        known = places[number] if number < len(places) else ()
        fits = len(known) == len(run.results)
        placed += zip(known if fits else [_LAST] * len(run.results), run.results, strict=True)
    return tuple(result for _, result in sorted(placed, key=lambda item: item[0]))


def jobs_of(jobs: Collection[Obj]) -> tuple[CheckJob, ...]:
    """The runs that these Jobs are of, oldest first, the latest `KEPT`; one goes on until every shard has a result."""
    return tuple(_check_job(parts) for parts in _runs(jobs)[-KEPT:])


def old(jobs: Collection[Obj]) -> list[Obj]:
    """The Jobs of the runs before those: all shards of a run go together, so that none seems to go on for ever."""
    return [job for parts in _runs(jobs)[:-KEPT] for _, job in parts]


def half_begun(jobs: Collection[Obj]) -> list[Obj]:
    """The Jobs of runs that do not have one for each shard, as we were stopped while we made them: to be removed, and
    the run to be begun anew."""
    return [job for parts in _runs(jobs) if len(parts) < parts[0][0].shards for _, job in parts]


def _runs(jobs: Collection[Obj]) -> list[list[tuple[Shard, Obj]]]:
    """The shards of each run in their order; the oldest run first."""
    runs: dict[tuple[str, str, int], list[tuple[Shard, Obj]]] = {}
    for job in jobs:
        if (shard := Shard.of(job)) is not None:
            runs.setdefault((shard.suite, shard.revision, shard.order), []).append((shard, job))
    ordered = [sorted(parts, key=lambda part: part[0].shard) for parts in runs.values()]
    return sorted(ordered, key=lambda parts: (_started(parts), parts[0][0].order, parts[0][0].suite))


def _started(parts: Sequence[tuple[Shard, Obj]]) -> datetime:
    return min(shard.started for shard, _ in parts)


def _check_job(parts: Sequence[tuple[Shard, Obj]]) -> CheckJob:
    one, places = parts[0][0], [shard.places for shard, _ in parts]
    results = [expand(_annotation(job, names.RESULT)) for _, job in parts]
    known = [result for result in results if result is not None]
    whole = merge(known, places) if len(known) == len(parts) >= one.shards else None
    return CheckJob(one.suite, one.revision, one.order, _started(parts), whole)
