"""What every platform promises. A subclass gives the world that it runs: `world` is a fixture of its own.

The world knows how to write applications that do as their names say; only the port is asked how it went.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from controller.common.nouns import Phase, PreviewKey, ServiceState, StepState
from controller.errors import Refused
from controller.ports import Platform
from controller.previews.model import DeployOrder, Preview
from smoke.model import Outcome

SOON = 60.0
"""Seconds within which anything that happens at all has happened."""
KEY = PreviewKey("shop", 7)


class World(Protocol):
    """One repository, and a way to ask what a preview answers."""

    platform: Platform

    def push(self, story: str = "good", *, version: str = "one", number: int = 7, order: int = 0) -> DeployOrder:
        """A commit and the order to deploy it. The application tells its version.

        Stories: `good`; `slow` (takes for ever to start); `crashing` (its service prints `no such table: users` and
        ends); `bad migration` (fails with `column "email" contains null values`); `keeping` (`on_push: keep`).
        """
        ...

    async def ask(self, host: str) -> str:
        """What the preview answers at its host: its version and, after a blank, what its database holds."""
        ...

    async def enter_data(self, host: str, text: str) -> None:
        """Somebody uses the preview, and its database grows."""
        ...

    async def reopen(self) -> None:
        """The controller ends and another one starts: `platform` is a new one, and nothing else changes."""
        ...

    def leftovers(self, number: int) -> list[str]:
        """What there still is of a preview: processes, files, databases."""
        ...


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():
            await asyncio.sleep(0.05)


async def until(platform: Platform, wanted: Callable[[Preview | None], bool], key: PreviewKey = KEY) -> Preview | None:
    preview = None
    try:
        async with asyncio.timeout(SOON):
            while not wanted(preview := await platform.preview(key)):
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"it did not come to that; it is {preview}")
    return preview


async def settled(platform: Platform, phase: Phase, revision: str = "", key: PreviewKey = KEY) -> Preview:
    def there(preview: Preview | None) -> bool:
        return preview is not None and preview.phase is phase and preview.revision.startswith(revision)

    preview = await until(platform, there, key)
    assert preview is not None
    return preview


class PlatformContract:
    async def test_a_deploy_becomes_ready_and_answers_at_its_host(self, world: World) -> None:
        order = world.push(version="one")
        await world.platform.deploy(order)
        preview = await settled(world.platform, Phase.READY)
        assert (preview.key, preview.revision, preview.deploy_order) == (KEY, order.revision, order.order)
        assert [(service.name, service.state, service.host) for service in preview.services] == [
            ("web", ServiceState.HEALTHY, order.host)
        ]
        assert all(step.state in {StepState.DONE, StepState.REUSED} for step in preview.steps)
        assert await world.ask(order.host) == "one seeded,migrated"
        assert await world.platform.previews() == (preview,)

    async def test_the_same_order_again_changes_nothing(self, world: World) -> None:
        order = world.push()
        await world.platform.deploy(order)
        await world.platform.deploy(order)
        before = await settled(world.platform, Phase.READY)
        await world.platform.deploy(order)
        assert await world.platform.preview(KEY) == before

    async def test_another_revision_takes_the_place_of_the_first(self, world: World) -> None:
        first, second = world.push(version="one"), world.push(version="two")
        await world.platform.deploy(first)
        before = await settled(world.platform, Phase.READY)
        await world.platform.deploy(second)
        after = await settled(world.platform, Phase.READY, second.revision)
        assert (after.uid, after.created_at) == (before.uid, before.created_at)
        assert await world.ask(second.host) == "two seeded,migrated"

    async def test_a_push_supersedes_a_deploy_under_way(self, world: World) -> None:
        slow, good = world.push("slow"), world.push(version="two")
        await world.platform.deploy(slow)
        await until(world.platform, lambda preview: bool(preview and preview.steps))
        await world.platform.deploy(good)
        preview = await settled(world.platform, Phase.READY)
        assert preview.revision == good.revision
        assert await world.ask(good.host) == "two seeded,migrated"

    async def test_ten_orders_at_once_end_at_the_last(self, world: World) -> None:
        for number in range(10):
            last = world.push(version=f"v{number}")
            await world.platform.deploy(last)
        await settled(world.platform, Phase.READY, last.revision)
        assert await world.ask(last.host) == "v9 seeded,migrated"

    async def test_a_migration_that_fails_says_why_and_is_not_tried_again(self, world: World) -> None:
        bad = world.push("bad migration")
        await world.platform.deploy(bad)
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason == 'migrate: column "email" contains null values'
        assert 'column "email" contains null values' in preview.logs
        assert preview.steps[-1].name == "migrate"
        assert preview.steps[-1].state is StepState.FAILED
        await world.platform.deploy(bad)
        assert (await settled(world.platform, Phase.FAILED)).phase_since == preview.phase_since

    async def test_after_a_failed_migration_the_next_push_starts_from_the_seed(self, world: World) -> None:
        await world.platform.deploy(world.push("bad migration"))
        await settled(world.platform, Phase.FAILED)
        fixed = world.push("keeping", version="two")
        await world.platform.deploy(fixed)
        await settled(world.platform, Phase.READY)
        assert await world.ask(fixed.host) == "two seeded,migrated"

    async def test_a_service_that_ends_at_once_fails_the_deploy_with_its_last_lines(self, world: World) -> None:
        await world.platform.deploy(world.push("crashing"))
        preview = await settled(world.platform, Phase.FAILED)
        assert preview.reason == "start web: it exited with status 3"
        assert "no such table: users" in preview.logs
        assert [service.state for service in preview.services] == [ServiceState.CRASHED]

    async def test_what_never_becomes_ready_is_given_up_with_the_reason(self, world: World) -> None:
        order = world.push("slow")
        await world.platform.deploy(order)
        preview = await settled(world.platform, Phase.STARTING)
        await world.platform.give_up(KEY, "another uid", order.revision, "not meant")
        await world.platform.give_up(KEY, preview.uid, order.revision, "it was not ready within 15 min")
        assert (await settled(world.platform, Phase.FAILED)).reason == "it was not ready within 15 min"

    async def test_people_s_data_is_kept_where_the_spec_says_so(self, world: World) -> None:
        first = world.push("keeping", version="one")
        await world.platform.deploy(first)
        await settled(world.platform, Phase.READY)
        await world.enter_data(first.host, "entered")
        second = world.push("keeping", version="two")
        await world.platform.deploy(second)
        await settled(world.platform, Phase.READY, second.revision)
        assert await world.ask(second.host) == "two seeded,migrated,entered,migrated"

    async def test_every_push_starts_from_the_seed_otherwise(self, world: World) -> None:
        first = world.push(version="one")
        await world.platform.deploy(first)
        await settled(world.platform, Phase.READY)
        await world.enter_data(first.host, "entered")
        second = world.push(version="two")
        await world.platform.deploy(second)
        await settled(world.platform, Phase.READY, second.revision)
        assert await world.ask(second.host) == "two seeded,migrated"

    async def test_a_fresh_database_is_made_where_the_order_says_so(self, world: World) -> None:
        first = world.push("keeping", version="one")
        await world.platform.deploy(first)
        await settled(world.platform, Phase.READY)
        await world.enter_data(first.host, "entered")
        await world.platform.deploy(replace(first, order=1, fresh_database=True))
        await until(world.platform, lambda preview: bool(preview and preview.deploy_order == 1))
        await settled(world.platform, Phase.READY)
        assert await world.ask(first.host) == "one seeded,migrated"

    async def test_it_sleeps_and_wakes_with_its_data(self, world: World) -> None:
        order = world.push()
        await world.platform.deploy(order)
        uid = (await settled(world.platform, Phase.READY)).uid
        await world.enter_data(order.host, "entered")
        await world.platform.sleep(KEY, uid, 5)
        asleep = await settled(world.platform, Phase.SLEEPING)
        route = world.platform.route(order.host)
        assert (asleep.rest_order, asleep.services[0].state) == (5, ServiceState.STOPPED)
        assert route is not None
        assert (route.phase, route.address) == (Phase.SLEEPING, None)
        visit = datetime.now(UTC)
        await world.platform.visited(KEY, visit)
        assert (await settled(world.platform, Phase.SLEEPING)).last_visit == visit
        await world.platform.wake(KEY, uid, 6)
        awake = await settled(world.platform, Phase.READY)
        assert awake.rest_order == 6
        assert await world.ask(order.host) == "one seeded,migrated,entered"

    async def test_sleep_asked_of_a_sleeping_one_only_remembers_the_order(self, world: World) -> None:
        await world.platform.deploy(world.push())
        uid = (await settled(world.platform, Phase.READY)).uid
        await world.platform.sleep(KEY, uid, 5)
        before = await settled(world.platform, Phase.SLEEPING)
        await world.platform.sleep(KEY, uid, 8)
        after = await settled(world.platform, Phase.SLEEPING)
        assert (after.rest_order, after.phase_since) == (8, before.phase_since)

    async def test_removal_leaves_nothing(self, world: World) -> None:
        order = world.push()
        await world.platform.deploy(order)
        uid = (await settled(world.platform, Phase.READY)).uid
        await world.platform.remove(KEY, uid)
        await world.platform.remove(KEY, uid)
        await until(world.platform, lambda preview: preview is None)
        assert world.platform.route(order.host) is None
        assert world.leftovers(KEY.number) == []

    async def test_only_the_environment_that_is_meant_is_removed(self, world: World) -> None:
        await world.platform.deploy(world.push())
        before = await settled(world.platform, Phase.READY)
        await world.platform.remove(KEY, "the uid of an older one")
        await world.platform.remove(PreviewKey("shop", 99), before.uid)
        assert await world.platform.preview(KEY) == before

    async def test_one_made_anew_has_another_uid(self, world: World) -> None:
        order = world.push()
        await world.platform.deploy(order)
        uid = (await settled(world.platform, Phase.READY)).uid
        await world.platform.remove(KEY, uid)
        await until(world.platform, lambda preview: preview is None)
        await world.platform.deploy(order)
        assert (await settled(world.platform, Phase.READY)).uid != uid

    async def test_removal_works_in_the_middle_of_a_deploy(self, world: World) -> None:
        await world.platform.deploy(world.push("slow"))
        preview = await settled(world.platform, Phase.STARTING)
        await world.platform.remove(KEY, preview.uid)
        await until(world.platform, lambda preview: preview is None)
        assert world.leftovers(KEY.number) == []

    async def test_a_ready_preview_is_found_again_and_never_stopped_answering(self, world: World) -> None:
        order = world.push()
        await world.platform.deploy(order)
        before = await settled(world.platform, Phase.READY)
        await world.reopen()
        await until(world.platform, lambda preview: bool(preview and preview.services[0].state is ServiceState.HEALTHY))
        after = await settled(world.platform, Phase.READY)
        assert after == before
        assert await world.ask(order.host) == "one seeded,migrated"

    async def test_a_deploy_under_way_goes_on_after_a_restart(self, world: World) -> None:
        order = world.push()
        await world.platform.deploy(order)
        await world.reopen()
        await settled(world.platform, Phase.READY)
        assert await world.ask(order.host) == "one seeded,migrated"

    async def test_a_removal_under_way_goes_on_after_a_restart(self, world: World) -> None:
        await world.platform.deploy(world.push())
        uid = (await settled(world.platform, Phase.READY)).uid
        await world.platform.remove(KEY, uid)
        await world.reopen()
        await until(world.platform, lambda preview: preview is None)
        assert world.leftovers(KEY.number) == []

    async def test_checks_run_against_the_revision_that_is_there(self, world: World) -> None:
        order = world.push()
        await world.platform.deploy(order)
        preview = await settled(world.platform, Phase.READY)
        await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 3)
        await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 3)
        checked = await until(world.platform, lambda now: bool(now and now.jobs and now.jobs[-1].run))
        assert checked is not None
        [job] = checked.jobs
        assert (job.suite, job.revision, job.order) == ("smoke", order.revision, 3)
        assert job.run is not None
        assert (job.run.outcome, job.run.revision) == (Outcome.PASSED, order.revision)

    async def test_checks_of_another_revision_are_not_begun(self, world: World) -> None:
        await world.platform.deploy(world.push())
        preview = await settled(world.platform, Phase.READY)
        await world.platform.run_checks(KEY, preview.uid, "f" * 40, "smoke", 3)
        assert (await settled(world.platform, Phase.READY)).jobs == ()

    async def test_logs_are_those_of_the_service_and_name_what_there_is(self, world: World) -> None:
        await world.platform.deploy(world.push())
        await settled(world.platform, Phase.READY)
        lines = [line async for line in world.platform.logs(KEY, "web", 10, follow=False)]
        assert "listening" in lines
        assert "web | listening" in [line async for line in world.platform.logs(KEY, None, 10, follow=False)]
        with pytest.raises(Refused, match="web"):
            async with aclosing(world.platform.logs(KEY, "wob", 10, follow=False)) as found:  # type: ignore[type-var]
                await anext(found)
        with pytest.raises(Refused):
            async with aclosing(world.platform.logs(PreviewKey("shop", 99), None, 1, follow=False)) as found:  # type: ignore[type-var]
                await anext(found)

    async def test_a_bell_rings_for_what_changed(self, world: World) -> None:
        bells = world.platform.bells()
        first = asyncio.ensure_future(anext(bells))
        await asyncio.sleep(0)
        await world.platform.deploy(world.push())
        async with asyncio.timeout(SOON):
            assert await first in {KEY, None}
        await bells.aclose()  # type: ignore[attr-defined]

    async def test_previews_do_not_touch_each_other(self, world: World) -> None:
        one, two = world.push(version="one"), world.push(version="two", number=8)
        other = PreviewKey("shop", 8)
        await asyncio.gather(world.platform.deploy(one), world.platform.deploy(two))
        uid = (await settled(world.platform, Phase.READY)).uid
        await settled(world.platform, Phase.READY, key=other)
        await world.enter_data(one.host, "entered")
        await world.platform.remove(KEY, uid)
        await until(world.platform, lambda preview: preview is None)
        assert await world.ask(two.host) == "two seeded,migrated"

    async def test_a_visit_is_remembered_and_never_goes_back(self, world: World) -> None:
        await world.platform.deploy(world.push())
        await settled(world.platform, Phase.READY)
        now = datetime.now(UTC)
        await world.platform.visited(KEY, now)
        await world.platform.visited(KEY, now - timedelta(hours=1))
        assert (await settled(world.platform, Phase.READY)).last_visit == now
        await world.reopen()
        assert (await settled(world.platform, Phase.READY)).last_visit == now
