"""`python -m benchmarks._prober URL MODE`: the real watch of probes, on the core it is bound to; prints JSON.

`rate`: 10,000 probes at 30 s, for a while: how late they begin, and the share of the core. `flat`: probes as fast as
they go, 16 at a time: how many for each second of CPU. Samples are judged, and go to a History that keeps nothing.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from statistics import quantiles

from controller.probes.around import Around
from controller.probes.meter import NoMeter
from controller.probes.model import Sample
from controller.probes.prober import Prober
from controller.probes.watch import Watch
from controller.settings import Probe, Probing
from smoke.model import Outcome
from tests.fakes.alerts import FakeAlerts
from tests.fakes.samples import FakeSamples

PROBES = 10_000
WARM = 5.0
FOR = 30.0
FLAT = 20_000
AT_ONCE = 16


class Forgets(FakeSamples):
    async def append(self, samples: Collection[Sample], batch: str = "") -> bool:
        return True


class Meter(NoMeter):
    def __init__(self) -> None:
        self.late: list[float] = []
        self.outcomes: dict[Outcome, int] = {}
        self.left_out = 0

    def sampled(self, probe: str, location: str, outcome: Outcome, late: timedelta, took: timedelta) -> None:
        self.late.append(late.total_seconds() * 1000)
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def missed(self, probe: str, runs: int) -> None:
        self.left_out += runs


def _probe(number: int, url: str) -> Probe:
    check = {"name": "it", "http": {"path": "/", "expect": {"status": "2xx", "body": "Welcome"}}}
    said = {"name": f"probe-{number}", "url": url, "objective": "99.9% over 30 days", "checks": [check]}
    return Probe.model_validate(said)


def _watch(probes: list[Probe], meter: Meter) -> Watch:
    async def post(_: object) -> None:
        pass

    return Watch(probes, Probing(), Forgets(), FakeAlerts(), Around(post, meter=meter))


async def at_a_rate(url: str) -> dict[str, float]:
    meter = Meter()
    watching = asyncio.create_task(_watch([_probe(number, url) for number in range(PROBES)], meter).run())
    gc.collect()
    gc.freeze()
    await asyncio.sleep(WARM)
    meter.late.clear()
    meter.outcomes.clear()
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(FOR)
    took, used = time.perf_counter() - began, time.process_time() - cpu
    late, passed, left_out = list(meter.late), meter.outcomes.get(Outcome.PASSED, 0), meter.left_out
    watching.cancel()
    await asyncio.wait([watching])
    cuts = quantiles(late, n=100)
    return {
        "a_second": len(late) / took,
        "share": 100 * used / took,
        "p50": cuts[49],
        "p99": cuts[98],
        "most": max(late),
        "others": len(late) - passed,
        "left_out": left_out,
    }


async def flat_out(url: str, count: int = FLAT) -> dict[str, float]:
    meter = Meter()
    probes = [_probe(number, url) for number in range(100)]
    watch = _watch(probes, meter)
    async with Prober(probes, AT_ONCE) as prober:

        async def many(numbers: range) -> None:
            waiting = iter(numbers)

            async def line() -> None:
                for number in waiting:
                    watch.take(await prober.sample(f"probe-{number % 100}", datetime.now(UTC)))

            await asyncio.gather(*[line() for _ in range(AT_ONCE)])

        await many(range(500))
        cpu = time.process_time()
        await many(range(count))
        used = time.process_time() - cpu
    return {"per_cpu_second": count / used, "others": len(meter.late) - meter.outcomes.get(Outcome.PASSED, 0)}


if __name__ == "__main__":
    doing = at_a_rate if sys.argv[2] == "rate" else flat_out
    print(json.dumps(asyncio.run(doing(sys.argv[1]))))
