"""Days at work on GitHub, as its people see them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.github.world import app_key
from tests.scenarios.workday import SPEC, Workday, a_workday, key_of

pytestmark = pytest.mark.processes


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Workday]:
    async with a_workday(tmp_path) as day:
        yield day


def stands(day: Workday, pull) -> list[tuple[str, str | None]]:
    return sorted((run.name, run.conclusion or run.status) for run in pull.checks)


GREEN = [("mayfly/e2e", "success"), ("mayfly/smoke", "success")]


async def test_a_pull_request_from_its_opening_to_its_merge(day):
    pull = day.open()
    await day.settle()
    assert day.alive() == {pull.number: pull.head}
    assert pull.sticky().splitlines()[1] == "### ✅ Preview ready · all 2 checks passed"
    assert stands(day, pull) == GREEN
    [deployment] = pull.deployments
    assert (deployment.environment, deployment.sha) == (f"preview/acme/shop/{pull.number}", pull.head)
    assert deployment.statuses[-1].state == "success"

    first = pull.head
    pull.push({"a.txt": "more"})
    await day.settle()
    assert day.alive() == {pull.number: pull.head}
    assert len(pull.comments) == 1
    assert f"at `{pull.head[:7]}`" in pull.sticky()
    assert stands(day, pull) == GREEN
    assert {one.sha: one.statuses[-1].state for one in pull.deployments} == {first: "inactive", pull.head: "success"}

    asked = pull.comment("/preview pin until the demo")
    await day.settle()
    assert pull.reactions(asked) == [("mayfly[bot]", "+1")]
    assert len(pull.comments) == 2  # what was taken and shows is not answered in words
    assert "**Pinned** by ada" in pull.sticky()

    pull.merge()
    await day.settle()
    assert day.alive() == {}
    assert "removed: the pull request was merged" in pull.sticky()
    assert {one.statuses[-1].state for one in pull.deployments} == {"inactive"}
    assert day.shop.environments == {}


async def test_github_is_down_for_an_hour(day):
    pull, other = day.open(), day.open("other")
    await day.settle()
    pull.push({"a.txt": "late"})
    await day.settle(rounds=1)
    day.github.down()
    other.close()
    spoken = len(pull.comments)
    await day.settle(hours=1)
    assert day.alive().keys() == {pull.number, other.number}
    day.github.up()
    await day.settle(minutes=2)
    assert day.alive() == {pull.number: pull.head}
    assert len(pull.comments) == spoken
    assert pull.sticky().splitlines()[1] == "### ✅ Preview ready · all 2 checks passed"
    assert stands(day, pull) == GREEN
    assert "removed: the pull request was closed" in other.sticky()


async def test_every_webhook_is_lost_and_a_minute_later_all_is_known(day):
    day.github.webhooks.lose(1000)
    pull = day.open()
    await day.settle(minutes=1)
    assert day.alive() == {pull.number: pull.head}
    asked = pull.comment("/preview down")
    await day.settle(minutes=1)
    assert day.alive() == {}
    assert pull.reactions(asked) == [("mayfly[bot]", "+1")]


async def test_no_webhook_can_reach_us(tmp_path):
    async with a_workday(tmp_path, mode="poll") as day:
        pull = day.open()
        await day.settle(seconds=20)
        assert stands(day, pull) == GREEN
        pull.close()
        await day.settle(seconds=20)
        assert day.alive() == {}


async def test_somebody_presses_re_run(day):
    pull = day.open()
    await day.settle()
    before = {run.name: run.id for run in pull.checks}
    pull.rerun("mayfly/smoke", day.ada)
    await day.settle()
    after = {run.name: run.id for run in pull.checks}
    assert after["mayfly/e2e"] == before["mayfly/e2e"]
    assert after["mayfly/smoke"] != before["mayfly/smoke"]
    assert stands(day, pull) == GREEN
    pull.rerun_all(day.app, day.ada)
    await day.settle()
    assert {run.name: run.id for run in pull.checks}.keys() == before.keys()
    assert stands(day, pull) == GREEN
    assert len(pull.comments) == 1


async def test_what_somebody_pressed_survives_a_restart(day):
    pull = day.open()
    await day.settle()
    before = {run.name: run.id for run in pull.checks}
    pull.rerun("mayfly/e2e", day.ada)
    await day.github.webhooks.settled()
    await day.restart()
    await day.settle()
    after = {run.name: run.id for run in pull.checks}
    assert after["mayfly/smoke"] == before["mayfly/smoke"]
    assert after["mayfly/e2e"] != before["mayfly/e2e"]


async def test_a_fork_is_approved_pushed_and_approved_again(day):
    fork = day.shop.fork(by=day.eve)
    pull = fork.open("feature", {".preview.yaml": SPEC, "a.txt": "a"}, day.eve, title="From afar")
    await day.settle()
    assert day.alive() == {}
    assert f"/preview approve {pull.head}" in pull.sticky()
    pull.comment(f"/preview approve {pull.head}", by=day.ada)
    await day.settle()
    approved = pull.head
    assert day.alive() == {pull.number: approved}
    assert day.platform.machine.orders[key_of(pull)].fork
    pull.push({"a.txt": "b"}, by=day.eve)
    await day.settle()
    assert day.alive() == {pull.number: approved}
    assert f"/preview approve {pull.head}" in pull.sticky()
    pull.comment(f"/preview approve {pull.head}", by=day.ada)
    await day.settle()
    assert day.alive() == {pull.number: pull.head}
    fork.delete()
    await day.settle(minutes=2)
    assert day.alive() == {pull.number: pull.head}
    pull.close()
    await day.settle()
    assert day.alive() == {}


async def test_a_restart_doubles_nothing_and_makes_no_old_branch_young(day):
    pull = day.open()
    await day.settle()
    said = (len(pull.comments), len(pull.checks), len(pull.deployments))
    await day.restart()
    await day.settle()
    assert (len(pull.comments), len(pull.checks), len(pull.deployments)) == said
    await day.settle(days=4)
    assert day.alive() == {}
    await day.restart()
    await day.settle(minutes=2)
    assert day.alive() == {}
    assert "nobody pushed, commanded or visited for 3 days" in pull.sticky()


async def test_idle_rounds_cost_nothing_of_the_quota_but_the_list_of_repositories(day):
    for number in range(5):
        day.open(f"branch-{number}")
    await day.settle(rounds=12)
    await day.settle(minutes=6)  # our own words changed what is read once more
    purse = f"installation {day.installation.id}"
    before = day.github.limits.quota(purse).used
    for _ in range(20):
        await day.settle(rounds=2, minutes=1)
    assert day.github.limits.quota(purse).used - before <= 5


async def test_too_much_at_once_is_said_later_and_only_as_it_is_then(day):
    day.github.limits.secondary(retry_after=120, times=None, seconds=110)
    pull = day.open()
    await day.settle()
    health = await day.desk.forge()
    assert health.waits_until is not None
    assert pull.comments == []
    await day.settle(minutes=3)
    assert len(pull.comments) == 1
    assert pull.sticky().splitlines()[1] == "### ✅ Preview ready · all 2 checks passed"
    assert stands(day, pull) == GREEN
    assert (await day.desk.forge()).lag is None


async def test_a_deploy_waits_for_the_image_that_others_build(day):
    ci = day.github.app(18, app_key()[1], "ci", events=frozenset())
    day.github.install(ci, day.shop)
    pull = day.open(files={".preview.yaml": SPEC + 'trigger: {after: ["CI / image", lint]}\n'})
    other = day.open("other")
    await day.settle()
    assert day.alive() == {other.number: other.head}
    assert "it waits for the checks" in pull.sticky()

    pull.check(ci, "unit", "failure")
    pull.check(ci, "CI / image", "failure")
    await day.settle(rounds=2)
    assert "failed; it waits until it has succeeded" in pull.sticky()
    pull.check(ci, "CI / image", "success")
    await day.settle()
    assert day.alive() == {other.number: other.head}
    assert pull.sticky().splitlines()[1].endswith("it waits for the check \\`lint\\`")

    pull.status("lint")
    await day.settle()
    assert day.alive() == {pull.number: pull.head, other.number: other.head}
    assert stands(day, pull) == sorted([("CI / image", "success"), ("unit", "failure"), *GREEN])

    first = pull.head
    pull.push({"a.txt": "more"})
    await day.settle()
    assert day.alive()[pull.number] == first
    assert f"`{pull.head[:7]}` is not deployed yet" in pull.sticky()
    day.github.webhooks.lose(1000)
    pull.check(ci, "CI / image")
    pull.status("lint")
    await day.settle(minutes=1)
    assert day.alive()[pull.number] == pull.head


async def test_a_forks_checks_count_but_approve_nothing(day):
    fork = day.shop.fork(by=day.eve)
    spec = SPEC + "trigger: {after: [build]}\n"
    pull = fork.open("feature", {".preview.yaml": spec}, day.eve, title="From afar")
    pull.status("build", by=day.ada)
    await day.settle()
    assert day.alive() == {}
    assert f"/preview approve {pull.head}" in pull.sticky()
    pull.comment(f"/preview approve {pull.head}", by=day.ada)
    await day.settle()
    assert day.alive() == {pull.number: pull.head}
