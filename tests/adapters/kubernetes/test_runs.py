"""Runs of checks as Jobs: shards, results that outlive their pods and their controller, and what is never believed."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from controller.adapters.kubernetes import names
from controller.common.nouns import Phase
from controller.errors import Refused, Unavailable
from smoke.handover import encode
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from tests.adapters.kubernetes import programs
from tests.adapters.kubernetes.shop import a_spec, deployed, names_of, the
from tests.adapters.kubernetes.world import KubernetesWorld
from tests.contracts.platform import KEY, eventually, settled, until
from tests.fakes.databases import PASSWORD

pytestmark = pytest.mark.processes


@pytest.fixture
async def world(tmp_path):
    async with KubernetesWorld(tmp_path) as world:
        yield world


class Checker:
    """Stands in for smoke. `took`: seconds of each check; `says`: what it prints instead of a result."""

    def __init__(self, world):
        self.took, self.says, self.go = {}, None, asyncio.Event()
        self.go.set()
        self.ran = []
        world.cluster.programs.add(self.run, image=programs.MAYFLY)

    async def run(self, run):
        await self.go.wait()
        told = dict(itertools.pairwise(run.command))
        checks = [one["name"] for one in yaml.safe_load(run.files["/mayfly/config/checks.yaml"])["checks"]]
        self.ran.append(checks)
        if self.says is not None:
            run.print(self.says.format(**run.env))
            return 0
        for line in encode(self._found(told, checks), {f"{checks[0]}.png": checks[0].encode()}):
            run.print(line)
        return 0

    def _found(self, told, checks):
        results = tuple(
            CheckResult(name, "http", (Attempt(Outcome.PASSED, timedelta(seconds=self.took.get(name, 1))),))
            for name in checks
        )
        return SuiteRun(told["--suite"], told["--revision"], datetime.now(UTC), timedelta(seconds=1), results)


def checks(*names, shards=1, suite="e2e"):
    return {suite: [{"name": name, "http": {"path": "/"}} for name in names], "shards": shards}


async def run(world, order, suite="e2e", number=1):
    """Begins a run, and waits for its result."""
    preview = await settled(world.platform, Phase.READY)
    await world.platform.run_checks(KEY, preview.uid, order.revision, suite, number)
    return await result(world, number)


async def result(world, number=1):
    def there(preview):
        return any(job.order == number and job.run for job in preview.jobs)

    preview = await until(world.platform, there)
    return next(job.run for job in preview.jobs if job.order == number)


def jobs(world):
    found = world.cluster.all("Job", world.namespace())
    return [job for job in found if job["metadata"]["labels"].get(names.TASK) == "check"]


class TestShards:
    async def test_they_run_side_by_side_and_make_one_result_in_the_order_of_the_spec(self, world):
        checker = Checker(world)
        wanted = ["a", "b", "c", "d", "e"]
        order, _ = await deployed(world, a_spec(checks=checks(*wanted, shards=3)))
        found = await run(world, order)
        assert len(jobs(world)) == len(checker.ran) == 3
        assert [check.name for check in found.results] == wanted
        assert found.outcome is Outcome.PASSED

    async def test_they_are_balanced_by_what_each_check_took_before(self, world):
        checker = Checker(world)
        checker.took = {"a": 30, "b": 10, "c": 10, "d": 10, "e": 20}
        order, _ = await deployed(world, a_spec(checks=checks("a", "b", "c", "d", "e", shards=3)))
        await run(world, order)
        checker.ran.clear()
        await run(world, order, number=2)
        assert len(checker.ran) == 3
        assert max(sum(checker.took[name] for name in part) for part in checker.ran) == 30

    async def test_the_times_of_another_preview_of_the_repository_count_too(self, world):
        checker = Checker(world)
        checker.took = {"a": 30}
        spec = a_spec(checks=checks("a", "b", "c", "d", shards=2))
        order, _ = await deployed(world, spec)
        await run(world, order)
        checker.ran.clear()
        other, preview = await deployed(world, spec, number=8)
        await world.platform.run_checks(other.key, preview.uid, other.revision, "e2e", 1)
        await until(world.platform, lambda now: bool(now.jobs and now.jobs[-1].run), other.key)
        assert sorted(checker.ran) == [["a"], ["b", "c", "d"]]

    async def test_a_run_goes_on_until_every_shard_has_a_result(self, world):
        Checker(world)
        go = asyncio.Event()

        async def waits(run):
            await go.wait()
            return 1

        order, preview = await deployed(world, a_spec(checks=checks("a", "b", shards=2)))
        world.cluster.programs.add(_second(Checker(world).run, waits), image=programs.MAYFLY)
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 1)
        await eventually(lambda: sum(names.RESULT in job["metadata"]["annotations"] for job in jobs(world)) == 1)
        assert [job.run for job in (await settled(world.platform, Phase.READY)).jobs] == [None]
        go.set()
        assert (await result(world)).outcome is Outcome.BROKEN


def _second(first, second):
    """One program for the first shard, another for the second."""

    async def run(run):
        return await (second if run.pod["metadata"]["labels"]["job-name"].endswith("-2") else first)(run)

    return run


class TestWhatIsNotBelieved:
    async def test_a_check_that_leaves_no_result_is_broken(self, world):
        checker = Checker(world)
        checker.says = "Traceback: no module named smoke"
        order, _ = await deployed(world, a_spec(checks=checks("a")))
        found = await run(world, order)
        assert found.outcome is Outcome.BROKEN
        assert "the checks left no result" in found.error
        assert "no module named smoke" in found.error

    async def test_a_result_of_another_revision_counts_as_none(self, world):
        checker = Checker(world)
        other = SuiteRun("e2e", "f" * 40, datetime.now(UTC), timedelta(), ())
        checker.says = "\n".join(encode(other, {})).replace("{", "{{").replace("}", "}}")
        order, _ = await deployed(world, a_spec(checks=checks("a")))
        assert (await run(world, order)).outcome is Outcome.BROKEN

    async def test_half_a_result_counts_as_none(self, world):
        checker = Checker(world)
        order, _ = await deployed(world, a_spec(checks=checks("a")))
        whole = SuiteRun("e2e", order.revision, datetime.now(UTC), timedelta(), ())
        checker.says = "\n".join(list(encode(whole, {}))[:-1])
        assert (await run(world, order)).outcome is Outcome.BROKEN

    async def test_a_check_whose_pod_was_lost_is_broken(self, world):
        checker = Checker(world)
        checker.go.clear()
        order, preview = await deployed(world, a_spec(checks=checks("a")))
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 1)
        await eventually(lambda: any(name.startswith("check-") for name in names_of(world, "Pod")))
        [pod] = [name for name in names_of(world, "Pod") if name.startswith("check-")]
        world.cluster.delete("Pod", pod, world.namespace())
        found = await result(world)
        assert found.outcome is Outcome.BROKEN
        assert "the checks left no result" in found.error

    async def test_one_shard_without_a_result_breaks_the_run(self, world):
        world.cluster.programs.add(_second(Checker(world).run, _fails), image=programs.MAYFLY)
        order, _ = await deployed(world, a_spec(checks=checks("a", "b", shards=2)))
        found = await run(world, order)
        assert (found.outcome, [check.name for check in found.results]) == (Outcome.BROKEN, ["a"])
        assert "out of memory" in found.error

    async def test_a_log_that_cannot_be_read_now_is_read_later(self, world):
        Checker(world)
        order, preview = await deployed(world, a_spec(checks=checks("a")))
        world.cluster.faults.forbid("get", "pods/log")
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 1)
        await eventually(lambda: world.cluster.requests["get", "pods/log"] > 1)
        assert [job.run for job in (await settled(world.platform, Phase.READY)).jobs] == [None]
        world.cluster.faults.clear()
        assert (await result(world)).outcome is Outcome.PASSED


async def _fails(run):
    run.print("out of memory")
    return 137


class TestWhatIsRemembered:
    async def test_results_outlive_their_pods_and_their_controller(self, world):
        Checker(world)
        order, _ = await deployed(world, a_spec(checks=checks("a", "b", shards=2)))
        before = await run(world, order)
        for name in names_of(world, "Pod"):
            if name.startswith("check-"):
                world.cluster.delete("Pod", name, world.namespace())
        await world.reopen()
        assert await result(world) == before

    async def test_a_run_that_ended_while_nobody_looked_is_read_by_the_next_controller(self, world):
        checker = Checker(world)
        checker.go.clear()
        order, preview = await deployed(world, a_spec(checks=checks("a")))
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 1)
        await world.close()
        checker.go.set()
        await eventually(lambda: jobs(world)[0].get("status", {}).get("succeeded") == 1)
        await world.open()
        assert (await result(world)).outcome is Outcome.PASSED

    async def test_a_push_forgets_what_was_under_way_and_keeps_what_has_ended(self, world):
        checker = Checker(world)
        spec = a_spec(checks=checks("a"))
        order, preview = await deployed(world, spec)
        await run(world, order)
        checker.go.clear()
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 2)
        await eventually(lambda: len(jobs(world)) == 2)
        await deployed(world, spec, {"app.txt": "two"})
        after = await until(world.platform, lambda now: len(now.jobs) == 1)
        assert (after.jobs[0].order, after.jobs[0].revision) == (1, order.revision)

    async def test_another_run_of_the_same_suite_ends_the_one_under_way(self, world):
        checker = Checker(world)
        checker.go.clear()
        order, preview = await deployed(world, a_spec(checks=checks("a")))
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 1)
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 2)
        checker.go.set()
        await result(world, 2)
        assert [job.order for job in (await settled(world.platform, Phase.READY)).jobs] == [2]

    async def test_only_the_latest_are_kept_with_what_they_read(self, world):
        Checker(world)
        order, _ = await deployed(world, a_spec(checks=checks("a")))
        for number in range(1, 14):
            await run(world, order, number=number)
        preview = await settled(world.platform, Phase.READY)
        assert [job.order for job in preview.jobs] == list(range(4, 14))
        assert len(jobs(world)) <= 11
        configs = [name for name in names_of(world, "ConfigMap") if name.startswith("check-")]
        assert len(configs) == len(jobs(world))

    async def test_a_screenshot_of_any_shard_is_handed_over(self, world):
        Checker(world)
        order, _ = await deployed(world, a_spec(checks=checks("a", "b", shards=2)))
        await run(world, order)
        assert await world.platform.artifact(KEY, "e2e", "b.png") == b"b"
        assert await world.platform.artifact(KEY, "e2e", "c.png") is None
        assert await world.platform.artifact(KEY, "smoke", "a.png") is None


class TestWhatIsAsked:
    async def test_a_suite_that_is_not_in_the_spec_is_refused(self, world):
        order, preview = await deployed(world, a_spec(checks=checks("a")))
        with pytest.raises(Refused, match="there are no `smoke` checks"):
            await world.platform.run_checks(KEY, preview.uid, order.revision, "smoke", 1)

    async def test_one_that_sleeps_is_checked_later(self, world):
        order, preview = await deployed(world, a_spec(checks=checks("a")))
        await world.platform.sleep(KEY, preview.uid, 1)
        await settled(world.platform, Phase.SLEEPING)
        with pytest.raises(Unavailable, match="sleeping"):
            await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 1)

    async def test_a_check_gets_what_it_checks_and_no_account(self, world):
        Checker(world)
        order, _ = await deployed(world, a_spec(checks=checks("a")))
        await run(world, order)
        pod = jobs(world)[0]["spec"]["template"]["spec"]
        words = dict(itertools.pairwise(pod["containers"][0]["command"]))
        assert (words["--url"], words["--revision"]) == ("http://web:8000", order.revision)
        assert pod["automountServiceAccountToken"] is False


class TestSecrets:
    async def test_the_databases_password_is_in_no_result_also_after_a_restart(self, world):
        checker = Checker(world)
        checker.says = "cannot reach {MAYFLY_VAR_DATABASE_URL}"
        checker.go.clear()
        order, preview = await deployed(world, a_spec(checks=checks("a"), postgres={}))
        await world.platform.run_checks(KEY, preview.uid, order.revision, "e2e", 1)
        await world.reopen()
        checker.go.set()
        found = await result(world)
        assert "cannot reach postgresql://" in found.error
        assert PASSWORD not in json.dumps(the(world, "Job", jobs(world)[0]["metadata"]["name"]))
        assert PASSWORD not in found.error
