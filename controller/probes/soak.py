"""What the probes of a target said since a moment: what a release that soaks is judged by."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from controller.probes.model import Counts, Sample
from controller.probes.ports import Samples
from controller.settings import Probe
from smoke.model import Outcome

_LATEST = 50


@dataclass(frozen=True, slots=True)
class Soaked:
    """`known` is False where the target has probes, and one of them said nothing yet."""

    failed: int = 0
    total: int = 0
    known: bool = True
    worst: str = ""
    """The probe that failed most, with its latest message."""


async def soak(probes: Collection[Probe], samples: Samples, target: str, since: datetime, now: datetime) -> Soaked:
    """Raises Unavailable or Refused."""
    mine = [probe.name for probe in probes if probe.target == target]
    if not mine:
        return Soaked()
    found = await samples.counts(since, now, mine)
    counts = {name: found.get(name, Counts()) for name in mine}
    worst = max(mine, key=lambda name: counts[name].failed)
    message = await _message(samples, worst, since) if counts[worst].failed else ""
    return Soaked(
        failed=sum(one.failed for one in counts.values()),
        total=sum(one.total for one in counts.values()),
        known=all(one.total for one in counts.values()),
        worst=message,
    )


async def _message(samples: Samples, probe: str, since: datetime) -> str:
    latest = [one for one in await samples.latest(probe, _LATEST) if _counts(one, since)]
    return f"{probe}: {latest[-1].message}" if latest else probe


def _counts(sample: Sample, since: datetime) -> bool:
    return sample.outcome is Outcome.FAILED and sample.at >= since and not sample.excused
