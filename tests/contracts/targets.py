"""What every place that main runs at promises. A subclass gives its world: `world` is a fixture of its own.

The room's part is played here: records are written as `controller.deploys` would, and only the port, and what main
answers, tell how it went.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pytest

from controller.common.nouns import Phase, PreviewKey, ServiceState
from controller.deploys.model import MakingState, Record, Release, Rollback, RolloutState, Seen, Verdict
from controller.deploys.ports import Targets
from controller.errors import Refused, Unavailable
from smoke.model import Outcome

SOON = 60.0
"""Seconds within which anything that happens at all has happened."""
TARGET = "production"


class World(Protocol):
    """The repository `shop` with one target, `production`: its host label is `production`, its policy takes the secret
    `API_KEY` from the controller's environment. Main is a service `web` with a port and a database."""

    targets: Targets

    def release(
        self, number: int, story: str = "good", *, version: str = "one", greeting: str = "", secret: str = ""
    ) -> Release:
        """A commit, and the release of it: pending, with one smoke check. `greeting` is the operator's `GREETING` in
        `env` (the spec says `GREETING: hello`); `secret` is what the controller's environment has from now on, and the
        release has the digest of it under `API_KEY` (empty: none).

        Stories: `good`; `plain` (no migration); `slow` (its service takes for ever to start); `crashing` (its service
        prints `no such table: users` and the value of `API_KEY`, and ends); `bad migration` (fails with `column "email"
        contains null values`); `unmakeable` (a build or checkout that fails); `two services` (one more, `extra`, with a
        port, that works); `failing checks`; `broken checks` (they end without a result); `undoing` (its
        `database.rollback` is a command, which notes its version and the first seven characters of `{to}` in the
        database: `undone-two-abc1234`); `bad undo` (that command fails with `cannot undo`).
        """
        ...

    async def ask(self) -> str:
        """What main answers at its host: its version and, after a blank, what its database holds: `one
        seeded,migrated`. The seed is loaded once for the target, and every migration adds its word."""
        ...

    async def variable(self, name: str) -> str | None:
        """What the service that answers there has in its environment."""
        ...

    async def reopen(self) -> None:
        """The controller ends and another one starts: `targets` is a new one, and nothing else changes."""
        ...

    def running(self) -> set[tuple[int, str]]:
        """Which services of which releases run, `(1, "web")`, as the machine or the cluster has them."""
        ...

    def leftovers(self, number: int) -> list[str]:
        """What there still is of a release: processes, files, objects; what all releases share is none of it."""
        ...


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():
            await asyncio.sleep(0.05)


async def until(world: World, wanted: Callable[[Seen], bool]) -> Seen:
    seen = await world.targets.seen(TARGET)
    try:
        async with asyncio.timeout(SOON):
            while not wanted(seen := await world.targets.seen(TARGET)):
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"it did not come to that; it is {seen}")
    return seen


async def write(world: World, *new: Release, **changes: object) -> Record:
    """The record with these releases too, and with other values for some of it."""
    seen = await world.targets.seen(TARGET)
    releases = (*seen.record.releases, *new)
    record = replace(seen.record, **{"releases": releases, **changes})  # type: ignore[arg-type]  # any of its fields
    await world.targets.save(record, seen.version)
    return record


def making(seen: Seen, number: int) -> MakingState | None:
    return seen.makings[number].state if number in seen.makings else None


async def make(world: World, *releases: Release, state: MakingState = MakingState.DONE) -> Seen:
    await write(world, *releases)
    return await until(world, lambda seen: all(making(seen, release.number) is state for release in releases))


async def go_live(world: World, number: int, **changes: object) -> None:
    """What ran before is verified by then."""
    record = (await world.targets.seen(TARGET)).record
    releases = tuple(
        replace(one, verdict=Verdict.VERIFIED) if one.number == record.live else one for one in record.releases
    )
    await write(world, **{"releases": releases, "live": number, "live_since": datetime.now(UTC), **changes})


async def rolled_out(world: World, number: int, state: RolloutState = RolloutState.COMPLETE) -> Seen:
    return await until(
        world, lambda seen: seen.rollout is not None and (seen.rollout.release, seen.rollout.state) == (number, state)
    )


async def deploy(world: World, release: Release, **changes: object) -> Seen:
    await make(world, release)
    await go_live(world, release.number, **changes)
    return await rolled_out(world, release.number)


async def roll_back(world: World, bad: int, to: int, undo: tuple[int, ...] = ()) -> None:
    record = (await world.targets.seen(TARGET)).record
    releases = tuple(replace(one, verdict=Verdict.REJECTED) if one.number == bad else one for one in record.releases)
    rollback = Rollback(bad, to, "smoke failed", "mayfly", datetime.now(UTC), undo=undo)
    await write(world, releases=releases, live=to, live_since=rollback.at, warm=0, rollback=rollback)


class TargetsContract:
    async def test_one_that_never_was_has_an_empty_record(self, world: World) -> None:
        seen = await world.targets.seen(TARGET)
        assert (seen.record, seen.version, seen.rollout) == (Record(TARGET), "", None)
        assert world.targets.route(TARGET) is None

    async def test_what_is_saved_is_seen(self, world: World) -> None:
        record = await write(world, world.release(1, greeting="good day"))
        seen = await world.targets.seen(TARGET)
        assert seen.record == record
        assert seen.version != ""

    async def test_a_record_that_somebody_else_has_written_since_is_left_alone(self, world: World) -> None:
        record = await write(world, world.release(1))
        before = await world.targets.seen(TARGET)
        await world.targets.save(replace(record, order=5), before.version)
        for version in (before.version, ""):
            with pytest.raises(Unavailable):
                await world.targets.save(replace(record, order=7), version)
        assert (await world.targets.seen(TARGET)).record.order == 5

    async def test_a_pending_release_is_made_and_not_applied(self, world: World) -> None:
        await write(world, world.release(1))
        version = (await world.targets.seen(TARGET)).version
        seen = await until(world, lambda seen: making(seen, 1) is MakingState.DONE)
        assert seen.makings[1].steps
        assert seen.makings[1].digest
        assert seen.version == version, "only a save makes another version"
        assert (seen.rollout, world.running(), world.targets.route(TARGET)) == (None, set(), None)

    async def test_a_release_that_cannot_be_made_says_why(self, world: World) -> None:
        seen = await make(world, world.release(1, "unmakeable"), state=MakingState.FAILED)
        assert seen.makings[1].reason
        assert (seen.rollout, world.running()) == (None, set())

    async def test_a_secret_that_is_another_one_by_now_is_not_taken_for_it(self, world: World) -> None:
        release = world.release(1, secret="the first one")
        world.release(2, secret="the second one")
        seen = await make(world, release, state=MakingState.FAILED)
        assert "API_KEY" in seen.makings[1].reason

    async def test_what_is_live_is_applied_whole_and_answers_with_its_configuration(self, world: World) -> None:
        seen = await deploy(world, world.release(1, greeting="good day", secret="a secret of the shop"))
        assert [(service.name, service.state, service.host) for service in seen.services] == [
            ("web", ServiceState.HEALTHY, TARGET)
        ]
        assert world.running() == {(1, "web")}
        assert await world.ask() == "one seeded,migrated"
        assert await world.variable("GREETING") == "good day"
        assert await world.variable("API_KEY") == "a secret of the shop"

    async def test_what_the_operator_does_not_say_is_as_the_spec_says(self, world: World) -> None:
        await deploy(world, world.release(1))
        assert (await world.variable("GREETING"), await world.variable("API_KEY")) == ("hello", None)

    async def test_its_host_leads_to_it_and_others_lead_nowhere(self, world: World) -> None:
        await deploy(world, world.release(1, "two services"))
        route = world.targets.route(TARGET)
        assert route is not None
        assert (route.key, route.service, route.phase) == (PreviewKey("shop", 0), "web", Phase.READY)
        extra = world.targets.route(f"{TARGET}--extra")
        assert extra is not None
        assert (extra.service, extra.phase) == ("extra", Phase.READY)
        assert world.targets.route("staging") is None

    async def test_one_that_is_live_before_it_is_made_is_applied_once_it_is(self, world: World) -> None:
        await write(world, world.release(1), live=1, live_since=datetime.now(UTC))
        await rolled_out(world, 1)
        assert await world.ask() == "one seeded,migrated"

    async def test_the_next_release_takes_the_place_of_the_first(self, world: World) -> None:
        await deploy(world, world.release(1))
        seen = await deploy(world, world.release(2, version="two", greeting="good day"))
        assert await world.ask() == "two seeded,migrated,migrated"
        assert await world.variable("GREETING") == "good day"
        assert [service.name for service in seen.services] == ["web"]
        await eventually(lambda: world.running() == {(2, "web")})

    async def test_while_the_next_one_starts_the_old_one_answers(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await make(world, world.release(2, "slow", version="two"))
        await go_live(world, 2)
        seen = await until(world, lambda seen: seen.rollout is not None and seen.rollout.release == 2)
        await eventually(lambda: (2, "web") in world.running())
        assert seen.rollout is not None
        assert seen.rollout.state is RolloutState.PROGRESSING
        assert (await world.ask()).startswith("one")

    async def test_a_crash_loop_is_a_failed_rollout_with_the_last_lines(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await make(world, world.release(2, "crashing", version="two"))
        await go_live(world, 2)
        rollout = (await rolled_out(world, 2, RolloutState.FAILED)).rollout
        assert rollout is not None
        assert "web" in rollout.message
        assert "no such table: users" in rollout.logs
        assert (await world.ask()).startswith("one")

    async def test_a_migration_that_fails_is_a_failed_rollout_and_is_not_tried_again(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await make(world, world.release(2, "bad migration", version="two"))
        await go_live(world, 2)
        rollout = (await rolled_out(world, 2, RolloutState.FAILED)).rollout
        assert rollout is not None
        assert 'column "email" contains null values' in f"{rollout.message}\n{rollout.logs}"
        after = await world.ask()
        assert after.startswith("one")
        await world.reopen()
        await rolled_out(world, 2, RolloutState.FAILED)
        assert await world.ask() == after

    async def test_the_values_of_secrets_are_in_no_answer(self, world: World) -> None:
        await make(world, world.release(1, "crashing", secret="correct horse battery"))
        await go_live(world, 1)
        seen = await rolled_out(world, 1, RolloutState.FAILED)
        assert "no such table: users" in repr(seen)
        assert "correct horse battery" not in repr(seen)

    async def test_a_rollback_brings_back_the_very_revision_and_configuration(self, world: World) -> None:
        first = world.release(1, greeting="good day", secret="the first one")
        await deploy(world, first)
        await deploy(world, world.release(2, "two services", version="two", greeting="oops", secret="the second one"))
        await roll_back(world, bad=2, to=1)
        seen = await rolled_out(world, 1)
        assert (seen.record.running, seen.record.release(1)) == (
            seen.record.release(1),
            replace(first, verdict=Verdict.VERIFIED),
        )
        assert (await world.ask()).startswith("one")
        assert await world.variable("GREETING") == "good day"
        assert await world.variable("API_KEY") == "the first one"

    async def test_what_only_the_bad_release_had_is_gone_after_a_rollback(self, world: World) -> None:
        await deploy(world, world.release(1))
        await deploy(world, world.release(2, "two services", version="two"))
        assert world.targets.route(f"{TARGET}--extra") is not None
        await roll_back(world, bad=2, to=1)
        seen = await rolled_out(world, 1)
        await eventually(lambda: world.running() == {(1, "web")})
        assert [service.name for service in seen.services] == ["web"]
        assert world.targets.route(f"{TARGET}--extra") is None

    async def test_a_rollout_under_way_is_rolled_back_too(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await make(world, world.release(2, "slow", version="two"))
        await go_live(world, 2)
        await eventually(lambda: (2, "web") in world.running())
        await roll_back(world, bad=2, to=1)
        await rolled_out(world, 1)
        assert (await world.ask()).startswith("one")
        await eventually(lambda: world.running() == {(1, "web")})

    async def test_a_rolled_back_target_takes_the_next_release(self, world: World) -> None:
        await deploy(world, world.release(1))
        await deploy(world, world.release(2, version="two"))
        await roll_back(world, bad=2, to=1)
        await rolled_out(world, 1)
        await deploy(world, world.release(3, version="three"))
        assert (await world.ask()).startswith("three")

    async def test_a_migration_runs_once_for_each_release_and_not_at_a_rollback(self, world: World) -> None:
        await deploy(world, world.release(1))
        await deploy(world, world.release(2, version="two"))
        await roll_back(world, bad=2, to=1)
        await rolled_out(world, 1)
        assert await world.ask() == "one seeded,migrated,migrated"
        await go_live(world, 2)
        await rolled_out(world, 2)
        assert await world.ask() == "two seeded,migrated,migrated"

    async def test_it_tells_which_releases_changed_the_database(self, world: World) -> None:
        await deploy(world, world.release(1))
        await deploy(world, world.release(2, "plain", version="two"))
        seen = await deploy(world, world.release(3, version="three"))
        assert seen.migrated == {1, 3}

    async def test_undo_commands_run_newest_first_and_once_before_what_is_restored(self, world: World) -> None:
        first = world.release(1, "plain")
        await deploy(world, first)
        await deploy(world, world.release(2, "undoing", version="two"))
        await deploy(world, world.release(3, "undoing", version="three"))
        await roll_back(world, bad=3, to=1, undo=(3, 2))
        await rolled_out(world, 1)
        short = first.revision[:7]
        undone = f"one seeded,migrated,migrated,undone-three-{short},undone-two-{short}"
        assert await world.ask() == undone
        await write(world, order=9)
        await world.reopen()
        await rolled_out(world, 1)
        assert await world.ask() == undone

    async def test_an_undo_command_that_ran_at_an_earlier_rollback_does_not_run_again(self, world: World) -> None:
        first = world.release(1, "plain")
        await deploy(world, first)
        await deploy(world, world.release(2, "undoing", version="two"))
        await roll_back(world, bad=2, to=1, undo=(2,))
        await rolled_out(world, 1)
        record = (await world.targets.seen(TARGET)).record
        assert record.rollback is not None
        await write(world, rollback=replace(record.rollback, restored=True, ended_at=datetime.now(UTC)))
        await deploy(world, world.release(3, "undoing", version="three"))
        await roll_back(world, bad=3, to=1, undo=(3, 2))
        await rolled_out(world, 1)
        short = first.revision[:7]
        assert await world.ask() == f"one seeded,migrated,undone-two-{short},migrated,undone-three-{short}"

    async def test_an_undo_command_that_fails_is_a_failed_rollout(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await deploy(world, world.release(2, "bad undo", version="two"))
        await roll_back(world, bad=2, to=1, undo=(2,))
        rollout = (await rolled_out(world, 1, RolloutState.FAILED)).rollout
        assert rollout is not None
        assert "cannot undo" in f"{rollout.message}\n{rollout.logs}"

    async def test_a_warm_release_runs_on_beside_the_live_one(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await deploy(world, world.release(2, "plain", version="two"), warm=1)
        assert (await world.ask()).startswith("two")
        assert world.running() == {(1, "web"), (2, "web")}
        await roll_back(world, bad=2, to=1)
        await rolled_out(world, 1)
        assert (await world.ask()).startswith("one")
        await eventually(lambda: world.running() == {(1, "web")})

    async def test_one_that_is_not_warm_any_more_ends(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await deploy(world, world.release(2, "plain", version="two"), warm=1)
        await write(world, warm=0)
        await eventually(lambda: world.running() == {(2, "web")})

    async def test_checks_run_once_for_each_order_and_are_kept_with_the_revision(self, world: World) -> None:
        release = world.release(1)
        await deploy(world, release)
        for order in (3, 3, 4):
            await world.targets.run_checks(TARGET, 1, order)
            await until(world, lambda seen: bool(seen.jobs) and all(job.run is not None for job in seen.jobs))
        await world.reopen()
        jobs = (await world.targets.seen(TARGET)).jobs
        assert [(job.revision, job.order, job.run and job.run.outcome) for job in jobs] == [
            (release.revision, 3, Outcome.PASSED),
            (release.revision, 4, Outcome.PASSED),
        ]

    @pytest.mark.parametrize(
        ("story", "outcome"), [("failing checks", Outcome.FAILED), ("broken checks", Outcome.BROKEN)]
    )
    async def test_checks_that_do_not_pass_are_told_apart(self, world: World, story: str, outcome: Outcome) -> None:
        await deploy(world, world.release(1, story))
        await world.targets.run_checks(TARGET, 1, 3)
        [job] = (await until(world, lambda seen: bool(seen.jobs and seen.jobs[-1].run))).jobs
        assert job.run is not None
        assert job.run.outcome is outcome

    async def test_checks_wait_for_a_release_that_is_live_and_rolled_out(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await make(world, world.release(2, "slow", version="two"))
        with pytest.raises(Unavailable):
            await world.targets.run_checks(TARGET, 2, 3)
        await go_live(world, 2)
        with pytest.raises(Unavailable):
            await world.targets.run_checks(TARGET, 2, 3)
        with pytest.raises(Unavailable):
            await world.targets.run_checks(TARGET, 1, 3)
        assert (await world.targets.seen(TARGET)).jobs == ()

    async def test_a_release_that_is_not_in_the_record_any_more_is_forgotten(self, world: World) -> None:
        await deploy(world, world.release(1, secret="the first one"))
        await deploy(world, world.release(2, "plain", version="two", secret="the second one"))
        assert world.leftovers(1) != []
        record = (await world.targets.seen(TARGET)).record
        await write(world, releases=record.releases[1:])
        await eventually(lambda: world.leftovers(1) == [])
        seen = await world.targets.seen(TARGET)
        assert set(seen.makings) == {2}
        assert (await world.ask()).startswith("two")

    async def test_after_a_restart_everything_is_as_it_was_and_never_stopped_answering(self, world: World) -> None:
        await deploy(world, world.release(1, greeting="good day"))
        await world.targets.run_checks(TARGET, 1, 3)
        before = await until(world, lambda seen: bool(seen.jobs and seen.jobs[-1].run))
        await world.reopen()
        assert await world.ask() == "one seeded,migrated"
        assert await until(world, lambda seen: seen == before) == before

    async def test_making_and_applying_go_on_after_a_restart(self, world: World) -> None:
        await write(world, world.release(1))
        await world.reopen()
        await until(world, lambda seen: making(seen, 1) is MakingState.DONE)
        await go_live(world, 1)
        await world.reopen()
        await rolled_out(world, 1)
        assert await world.ask() == "one seeded,migrated"

    async def test_a_rollback_under_way_goes_on_after_a_restart(self, world: World) -> None:
        await deploy(world, world.release(1, "plain"))
        await deploy(world, world.release(2, "undoing", version="two"))
        await roll_back(world, bad=2, to=1, undo=(2,))
        await world.reopen()
        await rolled_out(world, 1)
        assert (await world.ask()).count("undone-two") == 1
        await eventually(lambda: world.running() == {(1, "web")})

    async def test_logs_are_those_of_the_service_and_name_what_there_is(self, world: World) -> None:
        await deploy(world, world.release(1))
        assert "listening" in [line async for line in world.targets.logs(TARGET, "web", 10, follow=False)]
        assert "web | listening" in [line async for line in world.targets.logs(TARGET, None, 10, follow=False)]
        with pytest.raises(Refused, match="web"):
            async with aclosing(world.targets.logs(TARGET, "wob", 10, follow=False)) as found:  # type: ignore[type-var]
                await anext(found)

    async def test_a_file_that_no_run_left_is_none(self, world: World) -> None:
        await deploy(world, world.release(1))
        assert await world.targets.artifact(TARGET, "page.png") is None

    async def test_a_bell_rings_for_what_changed(self, world: World) -> None:
        bells = world.targets.bells()
        first = asyncio.ensure_future(anext(bells))
        await asyncio.sleep(0)
        await write(world, world.release(1))
        async with asyncio.timeout(SOON):
            assert await first in {TARGET, None}
        await bells.aclose()  # type: ignore[attr-defined]
