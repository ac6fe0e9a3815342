from dataclasses import replace
from datetime import timedelta

import pytest

from controller.common.spec import Undo
from controller.deploys.changes import changed
from controller.deploys.model import (
    Making,
    MakingState,
    Probed,
    Rollback,
    RolloutState,
    Rules,
    Stop,
    Verb,
    Verdict,
    Wishes,
)
from controller.deploys.plan import next_step
from controller.deploys.steps import (
    Apply,
    Dismiss,
    Halt,
    Make,
    Observe,
    Reject,
    Resume,
    RollBack,
    Settle,
    Smoke,
    Verify,
    Wait,
)
from smoke.model import Outcome
from tests.deploys.examples import (
    a_commit,
    a_decision,
    a_good,
    a_record,
    a_release,
    case_of,
    with_rollback,
)
from tests.examples import NOON

PASSED, FAILED, BROKEN = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN
PENDING, VERIFIED, REJECTED = Verdict.PENDING, Verdict.VERIFIED, Verdict.REJECTED
SOON = NOON + timedelta(minutes=2)
TESTED = a_record(a_good(1), a_release(2, PENDING))
BACK = Rollback(2, 1, "its checks failed", "mayfly", NOON)
RESTORING = a_record(a_good(1), a_release(2, REJECTED), live=1, rollback=BACK)
ASKED = Wishes(rollback=a_decision(Verb.ROLLBACK))


@pytest.mark.parametrize(
    ("case", "step"),
    [
        pytest.param(case_of(a_record(), head=1), Make, id="a first commit is made"),
        pytest.param(case_of(a_record(a_good(1)), head=2), Make, id="a push is made"),
        pytest.param(case_of(a_record(a_good(1))), Wait, id="what is verified is left alone"),
        pytest.param(case_of(a_record(a_good(1)), head=2, rules=Rules(auto=False)), Wait, id="not by itself"),
        pytest.param(case_of(a_record(a_good(1), a_release(2, PENDING), live=1)), Apply, id="what is made"),
        pytest.param(
            case_of(a_record(a_good(1), a_release(2, PENDING), live=1), made=[1]),
            Wait,
            id="what is not made yet",
        ),
        pytest.param(case_of(TESTED), Smoke, id="what is rolled out is checked"),
        pytest.param(case_of(TESTED, rollout=RolloutState.PROGRESSING), Wait, id="what is being rolled out is not"),
        pytest.param(case_of(TESTED, None), Wait, id="one run at a time"),
        pytest.param(case_of(TESTED, PASSED), Verify, id="a pass verifies"),
        pytest.param(case_of(TESTED, FAILED), Smoke, id="one failure is below the threshold"),
        pytest.param(case_of(TESTED, FAILED, FAILED), RollBack, id="as many as the threshold roll back"),
        pytest.param(case_of(TESTED, FAILED, PASSED), Verify, id="a pass after a failure verifies, where one is asked"),
        pytest.param(case_of(TESTED, PASSED, rules=Rules(passes=2)), Smoke, id="as many passes as are asked"),
        pytest.param(
            case_of(TESTED, PASSED, FAILED, PASSED, rules=Rules(passes=2)), Smoke, id="they are one after the other"
        ),
        pytest.param(
            case_of(TESTED, FAILED, PASSED, FAILED, rules=Rules(passes=2)),
            RollBack,
            id="failures count though passes lie between",
        ),
        pytest.param(case_of(TESTED, *[BROKEN] * 5), Smoke, id="broken checks never roll back"),
        pytest.param(case_of(TESTED, BROKEN, FAILED, BROKEN, FAILED), RollBack, id="failures between broken ones do"),
        pytest.param(case_of(TESTED, rollout=RolloutState.FAILED), RollBack, id="a rollout that failed"),
        pytest.param(
            case_of(TESTED, rollout=RolloutState.PROGRESSING, rules=Rules(progress_deadline=timedelta(minutes=1))),
            RollBack,
            id="a rollout past its deadline",
        ),
        pytest.param(case_of(a_record(a_release(1, PENDING)), FAILED, FAILED), Halt, id="nothing to go back to"),
        pytest.param(case_of(TESTED, FAILED, FAILED, migrated=[2]), Halt, id="a migration is in the way"),
        pytest.param(case_of(TESTED, FAILED, FAILED, migrated=[1]), RollBack, id="an earlier migration is not"),
        pytest.param(case_of(a_record(a_good(1), a_release(2, REJECTED), live=1)), Wait, id="rejected for good"),
        pytest.param(
            case_of(a_record(a_good(1), a_release(2, REJECTED), live=1), head=3), Make, id="a new commit comes"
        ),
        pytest.param(case_of(RESTORING), Smoke, id="what was restored is checked again"),
        pytest.param(case_of(RESTORING, PASSED), Settle, id="and it works"),
        pytest.param(case_of(RESTORING, head=3), Smoke, id="a push waits until a rollback has ended"),
        pytest.param(case_of(a_record(a_good(1), stop=Stop("why", NOON)), head=2), Wait, id="stopped is stopped"),
        pytest.param(
            case_of(a_record(a_good(1), stop=Stop("why", NOON)), wishes=Wishes(released=a_decision(Verb.RELEASE))),
            Resume,
            id="until a person lets it go on",
        ),
        pytest.param(
            case_of(
                a_record(a_good(1), stop=Stop("why", NOON)),
                wishes=Wishes(released=a_decision(Verb.RELEASE, minutes=-1)),
            ),
            Wait,
            id="that was said before is about something else",
        ),
        pytest.param(
            case_of(a_record(a_good(1)), head=2, wishes=Wishes(held=a_decision(Verb.HOLD))), Wait, id="held is held"
        ),
        pytest.param(
            case_of(TESTED, PASSED, wishes=Wishes(held=a_decision(Verb.HOLD))), Verify, id="what is held is verified"
        ),
        pytest.param(
            case_of(TESTED, FAILED, FAILED, wishes=Wishes(held=a_decision(Verb.HOLD))), Wait, id="and not rolled back"
        ),
        pytest.param(case_of(a_record(a_good(1), a_good(2)), wishes=ASKED), RollBack, id="a person rolls back"),
        pytest.param(
            case_of(a_record(a_good(1), a_good(2)), wishes=replace(ASKED, held=a_decision(Verb.HOLD))),
            RollBack,
            id="held or not",
        ),
        pytest.param(case_of(a_record(a_good(2)), wishes=ASKED), Dismiss, id="to nothing"),
        pytest.param(case_of(a_record(), wishes=ASKED), Dismiss, id="from nothing"),
        pytest.param(case_of(RESTORING, wishes=ASKED), Dismiss, id="while another one does"),
    ],
)
def test_the_next_step(case, step):
    assert type(next_step(case, SOON)) is step


def test_a_rollback_goes_to_the_last_verified_release():
    superseded = replace(a_good(3), verdict=PENDING)
    record = a_record(a_good(1), a_good(2), a_release(3, REJECTED), superseded)
    record = replace(record, releases=(*record.releases[:3], a_release(4, PENDING)), live=4)

    step = next_step(case_of(record, FAILED, FAILED), SOON)

    assert isinstance(step, RollBack)
    assert (step.rollback.bad, step.rollback.to) == (4, 2)
    assert step.rollback.because == "its checks failed 2 times: smoke failed: home page"
    assert "home page: status 500" in step.evidence


def test_rolling_back_twice_goes_further_back():
    record = a_record(a_good(1), a_good(2), a_good(3))
    first = next_step(case_of(record, wishes=ASKED), SOON)
    record = changed(record, first, 10, SOON)
    settled = next_step(case_of(record, PASSED), SOON)
    record = changed(record, settled, 10, SOON)

    again = next_step(case_of(record, wishes=Wishes(rollback=a_decision(Verb.ROLLBACK, minutes=5))), SOON)

    assert isinstance(settled, Settle)
    assert isinstance(again, RollBack)
    assert (again.rollback.bad, again.rollback.to) == (2, 1)


def test_the_same_decision_is_carried_out_once():
    record = a_record(a_good(1), a_good(2), a_good(3))
    record = changed(record, next_step(case_of(record, wishes=ASKED), SOON), 10, SOON)
    record = changed(record, next_step(case_of(record, PASSED, wishes=ASKED), SOON), 10, SOON)

    assert record.live == 2
    assert isinstance(next_step(case_of(record, wishes=ASKED), SOON), Wait)


def test_what_does_not_work_after_a_rollback_stops_and_never_loops():
    step = next_step(case_of(RESTORING, FAILED, FAILED), SOON)
    assert isinstance(step, Settle)
    stopped = changed(RESTORING, step, 10, SOON)

    assert not step.restored
    assert stopped.stop is not None
    assert stopped.stop.commands == (
        'mayfly redeploy production --reason "…"',
        'mayfly release production --reason "…"',
    )
    assert isinstance(next_step(case_of(stopped, FAILED, FAILED, head=3), SOON), Wait)


def test_checks_that_cannot_run_after_a_rollback_stop_as_well():
    step = next_step(case_of(RESTORING, BROKEN, BROKEN, BROKEN), SOON)

    assert isinstance(step, Settle)
    assert not step.restored


def test_a_rollout_of_a_rollback_that_fails_stops():
    step = next_step(case_of(RESTORING, rollout=RolloutState.FAILED, message="web crashed"), SOON)

    assert isinstance(step, Settle)
    assert step.because == "after the rollback #1 (0000001) did not work: its rollout failed: web crashed"


class TestMigrations:
    def test_one_in_the_way_stops_with_the_command_for_either_way(self):
        step = next_step(case_of(TESTED, FAILED, FAILED, migrated=[2]), SOON)

        assert isinstance(step, Halt)
        assert step.rejects == 2
        assert step.stop.commands == (
            'mayfly rollback production --to 1 --force --reason "…"',
            'mayfly release production --reason "…"',
        )

    def test_one_that_is_marked_safe_is_gone_over(self):
        record = a_record(a_good(1), with_rollback(a_release(2, PENDING), "safe"))

        assert isinstance(next_step(case_of(record, FAILED, FAILED, migrated=[2]), SOON), RollBack)

    def test_one_marked_never_stops_a_person_too(self):
        record = a_record(a_good(1), with_rollback(a_good(2), "never"))

        assert isinstance(next_step(case_of(record, migrated=[2], wishes=ASKED), SOON), Halt)

    def test_a_person_can_force_it(self):
        forced = Wishes(rollback=a_decision(Verb.ROLLBACK, force=True))

        step = next_step(case_of(a_record(a_good(1), a_good(2)), migrated=[2], wishes=forced), SOON)

        assert isinstance(step, RollBack)

    def test_commands_run_newest_first(self):
        undo = Undo(command=("undo",))
        releases = [a_good(1), *(with_rollback(a_good(number), undo) for number in (2, 3))]
        asked = Wishes(rollback=a_decision(Verb.ROLLBACK, to=1))

        step = next_step(case_of(a_record(*releases), migrated=[2, 3], wishes=asked), SOON)

        assert isinstance(step, RollBack)
        assert step.rollback.undo == (3, 2)

    def test_one_that_was_gone_over_before_is_not_in_the_way_again(self):
        releases = a_good(1), a_release(2, REJECTED), a_release(3, REJECTED), a_release(4, PENDING)
        record = a_record(*releases, rollback=Rollback(3, 1, "orders can wait", "ada", NOON, restored=True))

        assert isinstance(next_step(case_of(record, FAILED, FAILED, migrated=[2, 3]), SOON), RollBack)
        assert isinstance(next_step(case_of(record, FAILED, FAILED, migrated=[3, 4]), SOON), Halt)

    @pytest.mark.parametrize(("to", "restored"), [(2, True), (1, False)])
    def test_one_is_in_the_way_where_what_is_older_was_not_seen_to_work_after_it(self, to, restored):
        releases = a_good(1), a_good(2), a_release(3, REJECTED), a_good(4)
        record = a_record(*releases, rollback=Rollback(3, to, "it is wrong", "ada", NOON, restored=restored))
        asked = Wishes(rollback=a_decision(Verb.ROLLBACK, to=1))

        assert isinstance(next_step(case_of(record, migrated=[3], wishes=asked), SOON), Halt)

    def test_a_halted_rollback_of_a_person_is_not_halted_again_every_round(self):
        record = a_record(a_good(1), a_good(2))
        halted = changed(record, next_step(case_of(record, migrated=[2], wishes=ASKED), SOON), 10, SOON)

        assert isinstance(next_step(case_of(halted, migrated=[2], wishes=ASKED), SOON), Wait)

    def test_what_a_forced_rollback_left_there_is_still_in_the_way_of_going_further_back(self):
        forced = Rollback(3, 2, "forced", "ada", NOON, restored=True)
        record = a_record(a_good(1), a_good(2), a_release(3, REJECTED), live=2, rollback=forced)

        assert isinstance(next_step(case_of(record, migrated=[3], wishes=ASKED), SOON), Halt)


class TestSoak:
    RULES = Rules(soak=timedelta(minutes=10), soak_failures=2)
    PASSED_AT = NOON + timedelta(seconds=11)

    def test_it_is_verified_once_it_is_over(self):
        case = case_of(TESTED, PASSED, rules=self.RULES)

        assert next_step(case, SOON) == Wait("#2 (0000002) soaks", self.PASSED_AT + timedelta(minutes=10))
        assert isinstance(next_step(case, self.PASSED_AT + timedelta(minutes=10)), Verify)

    @pytest.mark.parametrize(("failed", "step"), [(2, Wait), (3, RollBack)])
    def test_more_failed_samples_than_are_allowed_roll_back(self, failed, step):
        case = case_of(TESTED, PASSED, rules=self.RULES, probed=Probed(failed, 20, worst="checkout: status 500"))

        assert isinstance(next_step(case, SOON), step)

    def test_probes_that_said_nothing_are_no_success(self):
        case = case_of(TESTED, PASSED, rules=self.RULES, probed=Probed(known=False))

        assert isinstance(next_step(case, NOON + timedelta(hours=1)), Wait)

    def test_a_crash_while_it_soaks_rolls_back(self):
        case = case_of(TESTED, PASSED, rules=self.RULES, rollout=RolloutState.FAILED)

        assert isinstance(next_step(case, SOON), RollBack)


class TestBrokenChecks:
    def test_they_are_tried_again_slower_and_slower(self):
        waits = []
        for count in (1, 2, 3, 20):
            case = case_of(TESTED, *[BROKEN] * count, rules=Rules(pause=timedelta(seconds=5)))
            ended = NOON + timedelta(seconds=10 * count + 1)
            step = next_step(case, ended)
            assert isinstance(step, Wait)
            assert step.until is not None
            waits.append(step.until - ended)

        assert [wait.total_seconds() for wait in waits] == [10, 20, 40, 60]

    def test_a_pass_after_them_verifies(self):
        assert isinstance(next_step(case_of(TESTED, BROKEN, BROKEN, BROKEN, PASSED), SOON), Verify)


class TestNewReleases:
    def test_one_that_could_not_be_made_is_rejected_with_its_log(self):
        case = case_of(a_record(a_good(1), a_release(2, PENDING, live_at=None), live=1))
        makings = {2: Making(MakingState.FAILED, "build web failed", "no such file")}
        case = replace(case, seen=replace(case.seen, makings=makings))

        assert next_step(case, SOON) == Reject(2, "it could not be made: build web failed", "no such file")

    def test_another_configuration_of_the_same_commit_is_one(self):
        case = case_of(a_record(a_good(1)))
        assert case.head is not None

        step = next_step(replace(case, head=replace(case.head, env={"COLOUR": "blue"})), SOON)

        assert isinstance(step, Make)
        assert step.because == "the operator changed its configuration"
        assert (step.release.number, dict(step.release.env)) == (2, {"COLOUR": "blue"})

    def test_a_branch_that_goes_back_to_an_earlier_commit_is_deployed(self):
        step = next_step(case_of(a_record(a_good(1), a_good(2)), head=1), SOON)

        assert isinstance(step, Make)
        assert step.release.number == 3

    def test_a_newer_one_supersedes_what_is_tested_and_fails_nothing(self):
        record = a_record(a_good(1), a_release(2, PENDING), a_release(3, PENDING, live_at=None), live=2)

        step = next_step(case_of(record, FAILED), SOON)
        record = changed(record, step, 10, SOON)

        assert step == Apply(3, "0000003 was pushed")
        assert (record.live, record.releases[1].verdict.value) == (3, "superseded")

    def test_what_cannot_be_deployed_says_so(self):
        case = case_of(a_record(a_good(1)), head=2)
        assert case.head is not None

        step = next_step(replace(case, head=replace(case.head, problem="there is no .preview.yaml")), SOON)

        assert step == Wait("0000002 cannot be deployed: there is no .preview.yaml")

    def test_a_forge_that_cannot_be_read_changes_nothing_and_stops_no_verification(self):
        case = replace(case_of(TESTED, PASSED), head=None)

        assert isinstance(next_step(case, SOON), Verify)


class TestRedeploy:
    REJECTED = a_record(a_good(1), a_release(2, REJECTED), live=1)

    def test_a_rejected_head_is_deployed_again_once_a_person_says_so(self):
        wanted = a_decision(Verb.REDEPLOY)
        step = next_step(case_of(self.REJECTED, wishes=Wishes(redeploy=wanted)), SOON)

        assert isinstance(step, Make)
        assert (step.release.number, step.release.revision, step.order) == (3, a_commit(2).revision, wanted.order)

    def test_it_is_done_once(self):
        wishes = Wishes(redeploy=a_decision(Verb.REDEPLOY))
        record = changed(self.REJECTED, next_step(case_of(self.REJECTED, wishes=wishes), SOON), 10, SOON)

        assert isinstance(next_step(case_of(record, head=2, wishes=wishes), SOON), Apply)

    def test_an_earlier_release_is_deployed_as_it_was(self):
        blue = replace(a_good(1), env={"COLOUR": "blue"})
        wishes = Wishes(redeploy=a_decision(Verb.REDEPLOY, to=1))

        step = next_step(case_of(a_record(blue, a_good(2)), wishes=wishes), SOON)

        assert isinstance(step, Make)
        assert (step.release.revision, dict(step.release.env)) == (a_commit(1).revision, {"COLOUR": "blue"})

    def test_the_head_that_was_left_for_an_earlier_release_waits_for_a_push(self):
        wishes = Wishes(redeploy=a_decision(Verb.REDEPLOY, to=1))
        record = a_record(a_good(1), a_good(2))
        redeployed = changed(record, next_step(case_of(record, wishes=wishes), SOON), 10, SOON)
        live = replace(changed(redeployed, Apply(3, ""), 10, SOON), live_since=NOON)
        verified = changed(live, Verify(3, ""), 10, SOON)

        assert isinstance(next_step(case_of(verified, head=2, wishes=wishes), SOON), Wait)
        assert isinstance(next_step(case_of(verified, head=4, wishes=wishes), SOON), Make)

    def test_it_lets_a_stopped_target_go_on(self):
        stopped = replace(self.REJECTED, stop=Stop("why", NOON))
        step = next_step(case_of(stopped, wishes=Wishes(redeploy=a_decision(Verb.REDEPLOY))), SOON)

        assert isinstance(step, Make)
        assert changed(stopped, step, 10, SOON).stop is None


class TestWatched:
    RULES = Rules(watched=True)

    def deployed(self, record, number, **known):
        case = case_of(record, head=number, rules=self.RULES, **known)
        return replace(case, seen=replace(case.seen, deployed=a_commit(number).revision))

    def test_what_another_tool_deploys_is_a_good(self):
        record = a_record(a_good(1))
        step = next_step(self.deployed(record, 2), SOON)

        assert isinstance(step, Observe)
        assert changed(record, step, 10, SOON).live == 2

    def test_nothing_is_made_there(self):
        assert isinstance(next_step(case_of(a_record(a_good(1)), head=2, rules=self.RULES), SOON), Wait)

    def test_what_was_rejected_and_comes_back_stops_instead_of_looping(self):
        record = a_record(a_good(1), a_release(2, REJECTED), live=1)

        assert isinstance(next_step(self.deployed(record, 2), SOON), Halt)

    def test_it_is_left_time_to_follow_a_rollback(self):
        assert isinstance(next_step(self.deployed(RESTORING, 2, rollout=RolloutState.PROGRESSING), NOON), Wait)

    def test_without_a_way_back_a_person_is_needed(self):
        rules = Rules(watched=True, may_roll_back=False)

        assert isinstance(next_step(case_of(TESTED, FAILED, FAILED, rules=rules), SOON), Halt)


class TestRecord:
    def test_a_verified_release_lets_the_oldest_go(self):
        record = a_record(*(a_good(number) for number in range(1, 6)), a_release(6, PENDING))

        kept = changed(record, Verify(6, "it works"), 3, SOON)

        assert [one.number for one in kept.releases] == [4, 5, 6]
        assert kept.releases[-1].verdict is VERIFIED

    def test_the_two_latest_verified_ones_are_never_let_go(self):
        record = a_record(a_good(1), *(a_release(number, REJECTED) for number in range(2, 8)), a_release(8, PENDING))

        kept = changed(record, Verify(8, "it works"), 3, SOON)

        assert [one.number for one in kept.releases] == [1, 6, 7, 8]

    def test_the_verified_one_is_kept_warm_while_another_is_tested(self):
        record = a_record(a_good(1), a_release(2, PENDING, live_at=None), live=1)

        applied = changed(record, Apply(2, ""), 10, SOON, warm=True)

        assert (applied.live, applied.warm) == (2, 1)
        assert changed(applied, Verify(2, ""), 10, SOON).warm == 0
