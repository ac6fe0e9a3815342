import pytest

from controller.deploys.desk import Taken
from controller.deploys.model import Probed, Verb, Verdict
from smoke.model import Outcome
from tests.deploys.day import NAME, Day, Died, Life


@pytest.fixture
def day():
    return Day()


async def good_then_bad(day):
    day.push()
    await day.settle()
    bad = day.push(change="1")
    day.targets.ground.outcomes[bad] = [Outcome.FAILED]
    return bad


async def test_a_push_is_made_rolled_out_checked_and_verified(day):
    day.push()

    record = await day.settle()

    assert (record.live, record.releases[0].verdict) == (1, Verdict.VERIFIED)
    assert day.targets.running == {NAME: 1}


async def test_a_bad_one_is_rolled_back_and_not_tried_again(day):
    await good_then_bad(day)

    record = await day.settle()

    assert [one.verdict for one in record.releases] == [Verdict.VERIFIED, Verdict.REJECTED]
    assert day.targets.applied == [1, 2, 1]
    assert record.rollback is not None
    assert record.rollback.restored


async def test_it_is_told_on_the_commit_and_to_those_on_call_once(day):
    bad = await good_then_bad(day)
    await day.settle()
    said = dict(day.forge.statuses["shop", bad])
    pages = day.pages()

    await day.settle()

    assert said["mayfly/production"].state == "failure"
    assert day.forge.statuses["shop", bad] == said
    assert len(pages) == len(set(pages)) == len(day.pages())
    assert any("rolled back" in page for page in pages)


async def test_a_fix_is_deployed_after_a_rollback(day):
    await good_then_bad(day)
    await day.settle()
    day.push(change="2")

    record = await day.settle()

    assert (record.live, record.running.verdict) == (3, Verdict.VERIFIED)


async def test_a_release_and_its_evidence_are_kept_in_history(day):
    await good_then_bad(day)
    await day.settle()

    deeds = day.journal.kept_deeds

    assert deeds[NAME, 2].verdict is Verdict.REJECTED
    assert deeds[NAME, 2].restored_at is not None
    assert "status 500" in day.record.releases[1].evidence
    assert [number for number, _ in await day.desk.runs(NAME)] == [1, 2, 2, 1]


async def test_a_forge_that_is_down_deploys_nothing_and_stops_no_rollback(day):
    await good_then_bad(day)
    await day.deployer.round()
    day.forge.down = True

    record = await day.settle()

    assert (record.live, record.releases[1].verdict) == (1, Verdict.REJECTED)


async def test_secrets_are_in_the_release_by_digest_only():
    day = Day(secrets={"API_KEY": "SHOP_KEY"}, env={"COLOUR": "blue"})
    day.targets.ground.secrets["API_KEY"] = "s3cret"
    day.push()

    record = await day.settle()

    assert record.releases[0].secrets.keys() == {"API_KEY"}
    assert "s3cret" not in repr(record)
    assert record.live == 1


async def test_a_secret_that_is_not_set_is_named(day):
    day = Day(secrets={"API_KEY": "NOT_SET"})
    day.push()

    await day.settle(3)

    assert "NOT_SET" in (await day.desk.target(NAME)).problem


async def test_probes_that_fail_while_it_soaks_roll_back():
    day = Day(soak="10m")
    await good_then_bad(day)
    day.targets.ground.outcomes.clear()
    await day.settle(3)
    day.now = day.now.replace(hour=13)
    await day.settle(60)
    day.push(change="2")
    await day.settle(2)
    day.probed = Probed(9, 20, worst="checkout: status 500")

    record = await day.settle(5)

    assert record.rollback is not None
    assert "checkout: status 500" in record.rollback.because


async def test_what_the_forge_learns_late_of_a_merge_is_told_where_it_was_asked_for(day):
    revision = day.push()
    key = day.forge.open("shop")
    await day.deployer.round()
    before = day.record.releases[0].pull
    day.forge.merges["shop", revision] = key

    record = await day.settle()

    assert (before, record.releases[0].pull) == (None, key)
    assert "is verified" in day.forge.sticky(key, "deploy-production")


async def test_what_another_tool_deploys_is_known_though_its_branch_has_gone_on():
    day = Day(watch={"workloads": ["deployment/web"]})
    deployed = day.push()
    day.push(change="1")
    day.targets.ground.deployed[NAME] = deployed

    record = await day.settle()

    assert [(one.revision, one.verdict) for one in record.releases] == [(deployed, Verdict.VERIFIED)]


class TestPeople:
    async def test_a_rollback_is_accepted_done_and_said_with_who_and_why(self, day):
        day.push()
        await day.settle()
        day.push(change="1")
        await day.settle()

        answer = await day.ask(Verb.ROLLBACK, because="prices are wrong")
        record = await day.settle()

        assert answer.taken is Taken.ACCEPTED
        assert record.live == 1
        assert record.rollback is not None
        assert (record.rollback.actor, record.rollback.because) == ("ada", "ada: prices are wrong")

    async def test_the_same_key_asks_once(self, day):
        for change in "abc":
            day.push(change=change)
            await day.settle()

        for _ in range(2):
            await day.ask(Verb.ROLLBACK, key="k1")
            await day.settle()

        assert day.record.live == 2

    async def test_a_second_one_meanwhile_is_a_conflict_that_says_who(self, day):
        for change in "abc":
            day.push(change=change)
            await day.settle()
        day.targets.ground.rollout_takes = day.targets.ground.rollout_takes.resolution * 60_000_000
        await day.ask(Verb.ROLLBACK, because="prices are wrong")
        await day.deployer.round()

        answer = await day.ask(Verb.ROLLBACK)

        assert answer.taken is Taken.CONFLICT
        assert "ada is rolling back to #2" in answer.text

    @pytest.mark.parametrize(
        ("known", "words"),
        [
            ({"to": 9}, "there is #1"),
            ({"to": 2}, "there is #1"),
            ({"because": " "}, "say why"),
        ],
    )
    async def test_what_cannot_be_done_says_what_can(self, day, known, words):
        for change in "ab":
            day.push(change=change)
            await day.settle()

        answer = await day.ask(Verb.ROLLBACK, **known)

        assert answer.taken is Taken.REFUSED
        assert words in answer.text

    async def test_a_held_target_deploys_nothing_until_it_is_released(self, day):
        day.push()
        await day.settle()
        await day.ask(Verb.HOLD, because="the sale")
        day.push(change="1")
        await day.settle()
        held = await day.desk.target(NAME)

        await day.ask(Verb.RELEASE)
        await day.settle()

        assert (held.state, held.seen.record.live) == ("held", 1)
        assert "the sale" in held.headline
        assert day.record.live == 2


async def the_whole_day(day, life_ends_at=None):
    """A good release, a bad one, a good one again, and a person's rollback; whoever dies is followed by another."""
    life = Life(life_ends_at)
    day.begin(life)
    bad = ""
    for number, change in enumerate(("good", "bad", "good again")):
        revision = day.push(change=change)
        if number == 1:
            bad = revision
            day.targets.ground.outcomes[bad] = [Outcome.FAILED]
        await _survive(day)
    await day.ask(Verb.ROLLBACK, key="k1")
    await _survive(day)
    return life.calls


async def _survive(day):
    for _ in range(4):
        try:
            await day.deployer.round()
        except Died:
            day.begin()
        day.now += day.now.resolution * 10_000_000


async def rollbacks(day):
    """In the timeline: the releases that were bad."""
    return [one.release for one in await day.journal.target_timeline(NAME) if one.kind == "rollback"]


async def test_killed_at_any_call_it_ends_as_if_it_had_not_been():
    undisturbed = Day()
    calls = await the_whole_day(undisturbed)
    assert undisturbed.targets.applied == [1, 2, 1, 3, 1]

    for at in range(1, calls + 1):
        day = Day()
        await the_whole_day(day, at)

        assert day.targets.applied == [1, 2, 1, 3, 1], f"killed at call {at}"
        assert [one.verdict for one in day.record.releases] == [one.verdict for one in undisturbed.record.releases]
        assert day.forge.statuses == undisturbed.forge.statuses, f"killed at call {at}"
        assert day.pages() == undisturbed.pages(), f"killed at call {at}"
        assert day.journal.kept_deeds.keys() == undisturbed.journal.kept_deeds.keys()
        assert await rollbacks(day) == [2, 3], f"killed at call {at}"
        assert day.lives == 3, "one began the test, one the day, one went on"
