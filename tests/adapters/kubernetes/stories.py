"""A whole story of a preview, told to whichever controller is alive: it ends the same whatever happens meanwhile."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from controller.common.nouns import Phase
from controller.errors import Refused, Unavailable
from controller.ports import Platform
from controller.previews.model import DeployOrder, Preview
from smoke.model import Outcome
from tests.adapters.kubernetes.mortal import MortalWorld
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.contracts.platform import KEY

LOOK_EVERY = 0.01
SOON = 30.0


@dataclass
class Stage:
    """`ask` is repeated until `done`, as rounds of the reconciler are."""

    ask: Callable[[Platform, Preview | None], Awaitable[None]]
    done: Callable[[Preview | None], bool]


def ready(order: DeployOrder) -> Stage:
    async def ask(platform, preview):
        if preview is None or preview.revision != order.revision:
            await platform.deploy(order)

    return Stage(ask, lambda now: now is not None and now.phase is Phase.READY and now.revision == order.revision)


def checked(order: DeployOrder, number: int) -> Stage:
    async def ask(platform, preview):
        assert preview is not None
        await platform.run_checks(KEY, preview.uid, order.revision, "smoke", number)

    return Stage(ask, lambda now: any(job.order == number and job.run is not None for job in now.jobs))


def asleep(number: int) -> Stage:
    return Stage(
        lambda platform, preview: platform.sleep(KEY, preview.uid, number),
        lambda now: (now.phase, now.rest_order) == (Phase.SLEEPING, number),
    )


def awake(number: int) -> Stage:
    return Stage(
        lambda platform, preview: platform.wake(KEY, preview.uid, number),
        lambda now: (now.phase, now.rest_order) == (Phase.READY, number),
    )


async def gone_ask(platform, preview):
    if preview is not None:
        await platform.remove(KEY, preview.uid)


GONE = Stage(gone_ask, lambda now: now is None)


async def play(world: KubernetesWorld, *stages: Stage) -> None:
    for stage in stages:
        preview: Preview | None = None
        try:
            async with asyncio.timeout(SOON):
                while True:
                    try:
                        preview = await looked(world)
                    except Unavailable:
                        await asyncio.sleep(LOOK_EVERY)
                        continue
                    if stage.done(preview):
                        break
                    asking = asyncio.ensure_future(stage.ask(world.platform, preview))
                    [answer] = await asyncio.gather(asking, return_exceptions=True)
                    if isinstance(answer, Exception) and not isinstance(answer, Unavailable | Refused):
                        raise answer
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            pytest.fail(f"it did not come to that; it is {preview}")
        assert preview is None or preview.phase is not Phase.FAILED, preview


async def looked(world: KubernetesWorld) -> Preview | None:
    if isinstance(world, MortalWorld) and world.life.over.is_set():
        await world.kill()
    preview = await world.platform.preview(KEY)
    assert preview is None or preview.phase is not Phase.FAILED, preview
    return preview


async def the_story(world: KubernetesWorld) -> None:
    first, second = world.push("keeping", version="one"), world.push("good", version="two", order=2)
    ended = Ended(world)
    await play(world, ready(first), checked(first, 3), asleep(5), awake(6))
    assert await answered(world, first.host) == "one seeded,migrated"
    await play(world, ready(second), checked(second, 8))
    assert await answered(world, second.host) == "two seeded,migrated"
    assert len(world.cluster.namespaces()) == 2
    last = await world.platform.preview(KEY)
    assert last is not None
    assert [(job.order, job.run.outcome) for job in last.jobs] == [(3, Outcome.PASSED), (8, Outcome.PASSED)]
    assert len(ended.made("check")) == 2
    assert len(ended.made("migrate")) == 2
    await play(world, GONE)
    assert world.leftovers(KEY.number) == []


async def answered(world: KubernetesWorld, host: str) -> str:
    """Whoever visits it while the way there is out of order tries again."""
    async with asyncio.timeout(SOON):
        while True:
            route = world.platform.route(host)
            with contextlib.suppress(OSError):
                if route is not None and route.address is not None and (said := await world.ask(host)):
                    return said
            await asyncio.sleep(LOOK_EVERY)


class Ended:
    """Which Jobs there ever were, by their task."""

    def __init__(self, world: KubernetesWorld) -> None:
        self.jobs: dict[str, str] = {}
        world.cluster.store.listen(self._hear)

    def _hear(self, event) -> None:
        if event.resource.kind == "Job" and event.type == "ADDED":
            metadata = event.object["metadata"]
            self.jobs[metadata["uid"]] = metadata["labels"].get("mayfly.dev/task", "")

    def made(self, task: str) -> list[str]:
        return [uid for uid, of in self.jobs.items() if of == task]
