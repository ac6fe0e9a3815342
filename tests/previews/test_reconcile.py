"""The loop in a small world: forge, platform and History in memory, and a clock that is moved by hand."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from controller.common.nouns import Phase, PreviewKey
from controller.common.words import CheckStatus, DeploymentState
from controller.errors import Refused, Unavailable
from controller.previews.frontdesk import FrontDesk
from controller.previews.model import Rules
from controller.previews.reconcile import Reconciler, Setting
from controller.settings import Allowed
from smoke.model import Outcome
from tests.examples import NOON
from tests.fakes.forge import FakeForge
from tests.fakes.history import FakeHistory
from tests.fakes.platform import FakePlatform, Killed

SPEC = """\
services: {web: {command: "serve --port {port}", port: 8000}}
checks:
  smoke: [{name: home page, http: {path: /}}]
  e2e: [{name: checkout, http: {path: /checkout}}]
"""
FILES = {".preview.yaml": SPEC}
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 20))


class Counts:
    """A meter that can be read."""

    def __init__(self):
        self.actions = []
        self.checks = []

    def round_took(self, seconds):
        assert seconds >= 0

    def acted(self, kind):
        self.actions.append(kind)

    def deployed(self, seconds, outcome):
        pass

    def checked(self, suite, outcome):
        self.checks.append((suite, str(outcome)))

    def set_previews(self, counts):
        self.previews = counts


@dataclass
class Day:
    """One day of a controller: the world around it survives its restarts."""

    rules: Rules = field(default_factory=Rules)

    def __post_init__(self):
        self.time = NOON
        self.forge = FakeForge(self.now)
        self.platform = FakePlatform(self.now)
        self.history = FakeHistory()
        self.restart()

    def now(self):
        return self.time

    def later(self, **by):
        self.time += timedelta(**by)

    def restart(self, resync=10.0):
        self.meter = Counts()
        setting = Setting(self.rules, Allowed(), "http://localhost:8080", timedelta(seconds=resync))
        self.controller = Reconciler(self.forge, self.platform, self.history, setting, self.meter, self.now)
        self.desk = FrontDesk(self.controller, self.platform, self.history, self.rules, self.now)

    async def settle(self, rounds=6):
        self.later(seconds=5)
        for _ in range(rounds):
            await self.controller.round()

    async def open(self, **changes):
        key = self.forge.open("shop", files=FILES, **changes)
        await self.settle()
        return key


@pytest.fixture
def day():
    return Day()


async def test_a_pull_request_gets_a_checked_and_reported_preview(day):
    key = await day.open()
    assert day.platform.alive[key].phase is Phase.READY
    assert day.forge.sticky(key).splitlines()[1] == "### ✅ Preview ready · all 2 checks passed"
    checks = day.forge.checks[key]
    assert {name: check.status for name, check in checks.items()} == {
        "mayfly/smoke": CheckStatus.SUCCESS,
        "mayfly/e2e": CheckStatus.SUCCESS,
    }
    assert day.forge.deployments[key].state is DeploymentState.SUCCESS
    assert day.meter.checks == [("smoke", "passed"), ("e2e", "passed")]


async def test_once_all_is_said_rounds_do_nothing(day):
    await day.open()
    before = list(day.meter.actions)
    await day.settle()
    assert day.meter.actions == before


async def test_closing_removes_it_and_says_why(day):
    key = await day.open()
    day.forge.close(key)
    await day.settle()
    assert day.platform.alive == {}
    assert "### 💤 Preview removed: the pull request was closed" in day.forge.sticky(key)
    assert day.forge.deployments[key].state is DeploymentState.INACTIVE


async def test_a_locked_pull_request_does_not_keep_its_preview_alive(day):
    key = await day.open()
    day.forge.close(key)
    day.forge.mute = True
    await day.settle()
    assert day.platform.alive == {}
    day.forge.mute = False
    day.later(hours=1)
    await day.settle()
    assert "removed: the pull request was closed" in day.forge.sticky(key)


@pytest.mark.parametrize("trouble", ["down", "half", "empty"])
async def test_a_forge_that_misreads_removes_nothing(day, trouble):
    keys = [await day.open(branch=f"branch-{n}") for n in range(4)]
    setattr(day.forge, trouble, True)
    for _ in range(3):
        await day.controller.round()
    assert sorted(day.platform.alive) == keys
    assert day.platform.removed == []


async def test_one_unreadable_repository_does_not_stop_the_others(day):
    key = await day.open()
    day.forge.add_repository("broken")
    real = day.forge.open_pulls

    async def open_pulls(repo):
        if repo == "broken":
            day.forge.down = True
        try:
            return await real(repo)
        finally:
            day.forge.down = False

    day.forge.open_pulls = open_pulls
    day.forge.push(key)
    await day.settle()
    assert day.platform.alive[key].revision == day.forge.pulls[key].head


async def test_too_many_removals_stop_until_a_person_says_so(day):
    keys = [await day.open(branch=f"branch-{n}") for n in range(8)]
    for key in keys:
        day.forge.pulls[key] = day.forge.pulls[key].__class__(
            key, head=day.forge.pulls[key].head, is_open=False, pushed_at=day.now()
        )
    await day.settle()
    assert sorted(day.platform.alive) == keys
    assert await day.desk.alarm() == "8 previews would be removed at once; the policy allows 5"
    assert await day.desk.approve_removals("grace") == 8
    day.restart()  # a person's decision is not lost with the controller
    await day.settle()
    assert day.platform.alive == {}
    assert await day.desk.alarm() == ""


async def test_ten_pushes_in_a_row_are_one_deploy_of_the_last(day):
    key = day.forge.open("shop", files=FILES)
    for _ in range(9):
        day.later(milliseconds=200)
        day.forge.push(key)
        await day.controller.round({key})
    assert day.platform.deployed == []
    await day.settle()
    assert day.platform.deployed == [(key, day.forge.pulls[key].head)]


async def test_results_are_never_reported_for_another_revision(day):
    key = await day.open()
    day.platform.slow = True
    old = day.forge.pulls[key].head
    new = day.forge.push(key)
    await day.settle()
    assert {check.revision for check in day.forge.checks[key].values()} == {new}
    assert {check.status for check in day.forge.checks[key].values()} == {CheckStatus.QUEUED}
    assert old[:7] not in day.forge.sticky(key)


async def test_a_revision_that_did_not_start_is_not_started_again(day):
    key = day.forge.open("shop", files=FILES)
    day.platform.breaks[day.forge.pulls[key].head] = "migrate: column is null"
    await day.settle()
    assert day.platform.deployed == [(key, day.forge.pulls[key].head)]
    assert "**What failed:** migrate: column is null" in day.forge.sticky(key)
    day.forge.push(key)
    await day.settle()
    assert "all 2 checks passed" in day.forge.sticky(key)


async def test_a_wrong_spec_is_told_and_what_runs_is_left_as_it_is(day):
    key = await day.open()
    running = day.platform.alive[key]
    day.forge.push(key, {".preview.yaml": "services: {web: {comand: x}}"})
    await day.settle()
    assert day.platform.alive[key] == running
    assert "Did you mean `command`?" in day.forge.sticky(key)
    assert day.forge.checks[key]["mayfly/spec"].status is CheckStatus.FAILURE


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param(
            {".preview.yaml": SPEC + "database: {postgres: {seed: [db/seed.sql]}}"},
            "names db/seed.sql, which is not a file there",
            id="a missing seed",
        ),
        pytest.param(
            {".preview.yaml": "services: {a: {command: x, depends_on: [b]}, b: {command: x, depends_on: [a]}}"},
            "services depend on each other in a circle",
            id="a circle",
        ),
        pytest.param(
            {".preview.yaml": SPEC + "database: {postgres: {seed: [../../etc/passwd]}}"},
            "is not a path inside the repository",
            id="a path that leaves",
        ),
        pytest.param(
            {".preview.yaml": BOMB},
            "it expands to more than 10,000 values",
            id="a bomb",
        ),
        pytest.param({".preview.yaml": "x: " + "y" * 2_000_000}, "at most 262,144 are read", id="two megabytes"),
        pytest.param(
            {".preview.yaml": "services: {web: {command: x, resources: {memory: 64Gi}}}"},
            "more memory than the policy allows",
            id="more than the policy allows",
        ),
    ],
)
async def test_every_wrong_spec_is_a_message_on_the_pull_request(day, files, words):
    key = day.forge.open("shop", files=files)
    await day.settle()
    assert day.platform.alive == {}
    assert words in day.forge.sticky(key)


async def test_commands_in_comments_are_obeyed_answered_and_kept(day):
    key = await day.open()
    await day.forge.comment(key, "ada", "/preview pin until the demo")
    await day.forge.comment(key, "bob", "/preview rediploy")
    await day.settle()
    assert "**Pinned** by ada" in day.forge.sticky(key)
    assert day.forge.answers(key) == [
        "Pinned: idleness does not remove it until `/preview unpin`.",
        "`/preview rediploy` is not a command. Did you mean `/preview redeploy`?",
    ]
    events = await day.history.timeline(key)
    assert ("ada", "pin until the demo") in [(event.actor, event.text) for event in events]


async def test_a_redeploy_is_done_once(day):
    key = await day.open()
    await day.forge.comment(key, "ada", "/preview redeploy")
    await day.settle()
    day.restart()
    await day.settle()
    assert len(day.platform.deployed) == 2


async def test_down_stays_down_until_up(day):
    key = await day.open()
    assert (await day.desk.command(key, "/preview down", "ada")).accepted
    await day.settle()
    day.forge.push(key)
    await day.settle()
    assert day.platform.alive == {}
    assert "removed: ada took it down" in day.forge.sticky(key)
    await day.desk.command(key, "up", "ada")
    await day.settle()
    assert day.platform.alive[key].phase is Phase.READY


async def test_the_same_request_twice_decides_once(day):
    key = await day.open()
    for _ in range(2):
        await day.desk.command(key, "/preview redeploy", "ada", origin="api:1")
    await day.settle()
    assert len(day.platform.deployed) == 2


async def test_questions_decide_nothing(day):
    key = await day.open()
    assert "| `/preview pin` | stop the clock |" in (await day.desk.command(key, "help", "ada")).text
    assert "listening" in (await day.desk.command(key, "logs", "ada")).text
    assert not (await day.desk.command(key, "/preview flap", "ada")).accepted
    assert await day.history.decisions() == {}


async def test_an_idle_preview_sleeps_wakes_on_a_visit_and_expires_in_the_end(day):
    key = await day.open()
    day.later(hours=3)
    await day.settle()
    assert day.platform.alive[key].phase is Phase.SLEEPING
    day.later(seconds=1)
    day.platform.visit(key)
    await day.settle()
    assert day.platform.alive[key].phase is Phase.READY
    day.later(days=4)
    await day.settle()
    assert day.platform.alive == {}
    assert "nobody pushed, commanded or visited for 3 days" in day.forge.sticky(key)
    await day.settle()
    assert len(day.platform.deployed) == 1


async def test_a_platform_that_is_down_for_a_while_loses_nothing(day):
    key = await day.open()
    day.platform.down = True
    day.forge.push(key)
    with pytest.raises(Exception, match="down"):
        await day.controller.round()
    day.platform.down = False
    await day.settle()
    assert day.platform.alive[key].revision == day.forge.pulls[key].head


async def test_a_controller_that_loses_its_memory_says_nothing_twice(day):
    key = await day.open()
    entries = len(day.forge.entries[key])
    day.history = FakeHistory()
    day.restart()
    await day.settle()
    assert len(day.forge.entries[key]) == entries
    assert len(day.platform.deployed) == 1


STORY = 9
"""More actions than the story below has."""


@pytest.mark.parametrize("cut", range(STORY))
async def test_killed_after_any_action_it_converges_to_the_same_end(day, cut):
    async def live(*steps):
        for step in steps:
            if asyncio.iscoroutine(done := step()):
                await done
            day.later(seconds=5)
            for _ in range(8):
                try:
                    await day.controller.round()
                except Killed:
                    day.restart()

    key = PreviewKey("shop", 1)
    day.platform.killed_after = cut
    await live(
        lambda: day.forge.open("shop", files=FILES),
        lambda: day.forge.push(key),
        lambda: day.forge.comment(key, "ada", "/preview redeploy"),
    )
    assert day.platform.alive[key].revision == day.forge.pulls[key].head
    assert "all 2 checks passed" in day.forge.sticky(key)
    assert len(day.platform.deployed) == 3
    await live(lambda: day.forge.close(key))
    assert day.platform.alive == {}
    assert day.platform.removed == [key]
    assert sum(entry.sticky and not entry.topic for entry in day.forge.entries[key]) == 1
    assert "removed: the pull request was closed" in day.forge.sticky(key)
    assert len(day.forge.answers(key)) == 1


async def test_failed_checks_reach_the_card_the_comment_and_the_timeline(day):
    day.platform.outcomes["smoke"] = Outcome.FAILED
    key = await day.open()
    card = await day.desk.card(key)
    assert (card.state, card.headline) == ("ready", "ready · smoke failed: smoke check")
    assert [event.text for event in await day.history.timeline(key)] == [
        "deploying " + card.pull.head[:7] + ": the pull request has no preview yet",
        "ready at " + card.pull.head[:7],
        "running the smoke checks: it became ready",
        "smoke failed",
    ]
    assert [run.outcome for run in await day.desk.runs(key, "smoke")] == [Outcome.FAILED]


async def test_the_desk_shows_what_is_gone_and_refuses_what_never_was(day):
    key = await day.open()
    day.forge.close(key)
    await day.settle()
    [card] = await day.desk.cards()
    assert (card.key, card.state, card.headline) == (key, "removed", "removed: the pull request was closed")
    with pytest.raises(Exception, match="there is no pull request shop#99"):
        await day.desk.card(PreviewKey("shop", 99))


@asynccontextmanager
async def running(day):
    task = asyncio.create_task(day.controller.run())
    await asyncio.sleep(0.05)
    try:
        async with asyncio.timeout(5):
            yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def open_long_ago(day, branch="feature"):
    """A push that has no other one after it."""
    day.time -= timedelta(seconds=5)
    key = day.forge.open("shop", branch, files=FILES)
    day.time += timedelta(seconds=5)
    return key


async def test_bells_bring_the_next_round_forward(day):
    async with running(day):
        changes = day.desk.changes()
        key = open_long_ago(day)
        day.forge.ring(key)
        while "all 2 checks passed" not in day.forge.sticky(key):
            assert await anext(changes) in {key, None}


async def test_without_a_bell_the_timer_finds_it(day):
    async def broken():
        raise Unavailable("the bell is gone")
        yield

    day.forge.bells = broken
    day.restart(resync=0.05)
    async with running(day):
        key = open_long_ago(day)
        while "all 2 checks passed" not in day.forge.sticky(key):
            await asyncio.sleep(0.01)


async def test_ringing_for_one_does_not_keep_the_others_waiting(day):
    day.restart(resync=0.05)
    noisy = open_long_ago(day)
    async with running(day):
        quiet = open_long_ago(day, "quiet")
        while "all 2 checks passed" not in day.forge.sticky(quiet):
            day.controller.bell.ring(noisy)
            await asyncio.sleep(0.001)


async def test_a_bug_in_one_round_does_not_end_the_loop(day):
    day.restart(resync=0.05)
    whole, calls = day.platform.previews, []

    async def previews():
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("a bug")
        return await whole()

    day.platform.previews = previews
    async with running(day):
        key = open_long_ago(day)
        while "all 2 checks passed" not in day.forge.sticky(key):
            await asyncio.sleep(0.01)


async def test_while_the_forge_is_down_previews_go_on_and_afterwards_only_the_latest_is_said(day):
    key = await day.open()
    day.forge.push(key)
    day.later(seconds=5)
    await day.controller.round()  # deploys the push
    day.forge.down = True
    day.forge.spoken.clear()
    await day.settle()
    assert day.meter.checks[-2:] == [("smoke", "passed"), ("e2e", "passed")]
    assert len(day.meter.checks) == 4
    day.later(hours=3)
    await day.settle()
    assert day.platform.alive[key].phase is Phase.SLEEPING
    day.later(minutes=1)
    await day.platform.visited(key, day.now())
    await day.settle()
    assert day.platform.alive[key].phase is Phase.READY
    day.later(days=4)
    await day.settle()
    assert day.platform.alive.keys() == {key}  # somebody may have pushed or commanded since
    assert day.forge.spoken == []

    day.forge.down = False
    day.forge.edit(key, pushed_at=day.now())
    await day.settle()
    assert len(day.forge.spoken) == 1
    assert f"`{day.forge.pulls[key].head[:7]}`" in day.forge.sticky(key)


async def test_a_close_that_was_missed_in_an_outage_is_seen_after_it(day):
    key = await day.open()
    day.forge.down = True
    day.forge.close(key)
    await day.settle()
    assert day.platform.alive.keys() == {key}
    day.forge.down = False
    await day.settle()
    assert day.platform.alive == {}
    assert "removed: the pull request was closed" in day.forge.sticky(key)


async def test_after_a_restart_within_an_outage_a_visit_still_wakes_and_nothing_is_removed(day):
    key = await day.open()
    await day.forge.comment(key, "ada", "/preview sleep")
    await day.settle()
    day.forge.down = True
    day.restart()
    day.later(days=5)
    await day.settle()
    assert day.platform.alive[key].phase is Phase.SLEEPING
    await day.platform.visited(key, day.now())
    await day.settle()
    assert day.platform.alive[key].phase is Phase.READY


async def test_the_files_of_a_pull_request_are_asked_for_only_where_the_spec_wants_to_know(day):
    await day.open()
    asked = []
    real = day.forge.changed_paths

    async def changed_paths(pull):
        asked.append(pull.key.number)
        return await real(pull)

    day.forge.changed_paths = changed_paths
    picky = day.forge.open("shop", files={".preview.yaml": SPEC + "trigger: {paths: ['src/**']}\n"})
    await day.settle()
    assert set(asked) == {picky.number}
    assert picky not in day.platform.alive
    day.forge.push(picky, {"src/web.py": ""})
    await day.settle()
    assert picky in day.platform.alive


async def test_whether_a_pull_request_is_wanted_waits_until_its_files_can_be_read(day):
    async def changed_paths(pull):
        raise Unavailable("502")

    day.forge.changed_paths = changed_paths
    key = day.forge.open("shop", files={".preview.yaml": SPEC + "trigger: {paths: ['src/**']}\n"})
    await day.settle()
    assert day.platform.alive == {}
    del day.forge.changed_paths
    day.forge.push(key, {"src/web.py": ""})
    await day.settle()
    assert day.platform.alive.keys() == {key}


AFTER = {".preview.yaml": SPEC + "trigger: {after: [build, lint]}\n"}
GREEN = {"build": CheckStatus.SUCCESS, "lint": CheckStatus.SUCCESS}


async def test_a_deploy_waits_for_the_checks_that_the_spec_names_and_says_so(day):
    key = day.forge.open("shop", files=AFTER)
    await day.settle()
    assert day.platform.alive == {}
    assert day.forge.sticky(key).splitlines()[1] == (
        "### ⏳ Preview no preview: it waits for the checks \\`build\\`, \\`lint\\`"
    )
    head = day.forge.pulls[key].head
    day.forge.others[head] = {"build": CheckStatus.FAILURE, "lint": CheckStatus.IN_PROGRESS}
    await day.forge.comment(key, "ada", "/preview redeploy")
    await day.settle()
    assert day.platform.alive == {}
    assert "the check \\`build\\` failed" in day.forge.sticky(key)
    day.forge.others[head] = GREEN
    await day.settle()
    assert day.platform.alive[key].revision == head


async def test_what_runs_is_left_as_it_is_while_the_new_head_waits(day):
    key = day.forge.open("shop", files=AFTER)
    first = day.forge.pulls[key].head
    day.forge.others[first] = GREEN
    await day.settle()
    second = day.forge.push(key, {"a": "b"})
    day.forge.others[second] = {"build": CheckStatus.SUCCESS}
    await day.settle()
    assert day.platform.alive[key].revision == first
    waits = f"`{second[:7]}` is not deployed yet: it waits for the check \\`lint\\`. What runs is left as it is."
    assert waits in day.forge.sticky(key)
    day.forge.others[second] = GREEN
    await day.settle()
    assert day.platform.alive[key].revision == second
    assert "not deployed yet" not in day.forge.sticky(key)


async def test_checks_of_others_are_asked_for_only_until_the_head_runs(day):
    await day.open()
    asked = []
    real = day.forge.other_checks

    async def other_checks(pull, names):
        asked.append((pull.key, tuple(names)))
        return await real(pull, names)

    day.forge.other_checks = other_checks
    key = day.forge.open("shop", files=AFTER)
    day.forge.others[day.forge.pulls[key].head] = GREEN
    await day.settle()
    assert set(asked) == {(key, ("build", "lint"))}
    asked.clear()
    await day.settle()
    day.forge.close(key)
    await day.settle()
    assert asked == []


async def test_checks_that_cannot_be_read_are_not_taken_for_passed(day):
    async def other_checks(pull, names):
        raise Refused("GitHub does not let us")

    day.forge.other_checks = other_checks
    key = day.forge.open("shop", files=AFTER)
    await day.settle()
    assert day.platform.alive == {}
    assert "could not be read: GitHub does not let us" in day.forge.sticky(key)


async def test_a_forge_without_checks_of_others_does_not_wait_for_them(day):
    day.forge.others = None
    key = day.forge.open("shop", files=AFTER)
    await day.settle()
    assert day.platform.alive == {}
    assert "`trigger.after`: nobody but us reports checks here" in day.forge.sticky(key)
    assert day.forge.checks[key]["mayfly/spec"].status is CheckStatus.FAILURE


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        pytest.param({}, {}, id="no spec at all"),
        pytest.param({".preview.yaml": SPEC + "trigger: {drafts: false}\n"}, {"draft": True}, id="a draft"),
        pytest.param({".preview.yaml": SPEC + "trigger: {paths: [src/**]}\n"}, {}, id="nothing of it"),
        pytest.param(FILES, {"from_fork": True}, id="a fork where none gets one"),
    ],
)
async def test_where_nobody_asked_for_a_preview_nothing_is_said_until_somebody_does(day, files, changes):
    key = day.forge.open("shop", files=files, **changes)
    await day.settle()
    assert day.forge.entries == {}
    assert day.forge.checks == {}
    assert day.controller.holds[key].because
    await day.forge.comment(key, "ada", "/preview up")
    await day.settle()
    assert "### ⏳ Preview no preview: " in day.forge.sticky(key) or ".preview.yaml cannot be used" in day.forge.sticky(
        key
    )


async def test_an_old_branch_is_left_in_peace(day):
    day.forge.open("shop", files=FILES)
    day.later(days=4)
    await day.settle()
    assert day.platform.alive == {}
    assert day.forge.entries == {}


async def test_what_was_said_before_is_not_left_standing_when_it_is_not_so_any_more():
    day = Day(Rules(max_alive=0))
    key = await day.open()
    assert "all 0 places for previews are taken" in day.forge.sticky(key)
    day.forge.push(key, {".preview.yaml": SPEC + "trigger: {drafts: false}\n"})
    day.forge.edit(key, draft=True)
    await day.settle()
    assert "drafts get no preview" in day.forge.sticky(key)
