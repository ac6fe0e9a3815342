"""Who may say what: commands in comments, in a small world with permissions."""

from datetime import timedelta

import pytest

from controller.common.words import Mood
from controller.previews.model import Forks, Permission, Rules, Verb
from tests.previews.test_reconcile import Day

APPROVING = Rules(forks=Forks.APPROVE)


async def say(day, key, who, body):
    """What came of it: the mood and the answer; None where nothing was answered."""
    comment = await day.forge.comment(key, who, body)
    await day.settle()
    answer = next((one.body for one in day.forge.entries[key] if one.answers == comment), None)
    return None if answer is None else (day.forge.moods[comment], answer)


async def decided(day, key):
    return [(made.verb, made.actor) for made in (await day.history.decisions()).get(key, ())]


@pytest.mark.parametrize(
    ("permission", "obeyed"),
    [
        pytest.param(Permission.ADMIN, True, id="admin"),
        pytest.param(Permission.WRITE, True, id="write"),
        pytest.param(Permission.READ, False, id="read"),
        pytest.param(Permission.NONE, False, id="none"),
    ],
)
async def test_commands_need_write_permission(permission, obeyed):
    day = Day()
    key = await day.open()
    day.forge.permissions["carol"] = permission
    mood, answer = await say(day, key, "carol", "/preview pin")
    assert await decided(day, key) == ([(Verb.PIN, "carol")] if obeyed else [])
    assert mood is (Mood.DONE if obeyed else Mood.REFUSED)
    assert obeyed or answer == "`/preview pin` needs write permission in this repository."


async def test_a_stranger_is_told_so_once_however_much_they_write():
    day = Day()
    key = await day.open()
    first = await say(day, key, "eve", "/preview down")
    assert first == (Mood.REFUSED, "`/preview down` needs write permission in this repository.")
    for words in ("/preview down", "/preview rediploy", "/preview logs"):
        assert await say(day, key, "eve", words) is None
    assert await say(day, key, "mallory", "/preview nonsense") == (
        Mood.REFUSED,
        "Commands need write permission in this repository.",
    )
    assert len(day.forge.answers(key)) == 2
    assert day.platform.alive.keys() == {key}


async def test_who_may_write_is_answered_every_time():
    day = Day(APPROVING)
    key = await day.open(from_fork=True, author="eve")
    for revision in ("d" * 40, "e" * 40):
        mood, answer = await say(day, key, "ada", f"/preview approve {revision}")
        assert mood is Mood.REFUSED
        assert answer.startswith(f"`{revision[:7]}` is not the head.")


async def test_a_stranger_whose_refusal_was_lost_is_told_when_the_forge_answers_again():
    day = Day()
    key = await day.open()
    day.forge.patience = timedelta(seconds=10)
    assert await say(day, key, "eve", "/preview down") is None
    day.forge.patience = None
    day.later(minutes=1)
    await day.settle()
    assert day.forge.answers(key) == ["`/preview down` needs write permission in this repository."]


async def test_what_counts_is_the_permission_at_the_time_it_is_acted_on():
    day = Day()
    key = await day.open()
    await day.forge.comment(key, "bob", "/preview down")
    day.forge.permissions["bob"] = Permission.READ
    await day.settle()
    assert day.platform.alive.keys() == {key}


async def test_nothing_is_decided_or_answered_while_the_permission_cannot_be_read():
    day = Day()
    key = await day.open()
    real = day.forge.permission

    async def down(repo, person):
        day.forge.down = True
        try:
            return await real(repo, person)
        finally:
            day.forge.down = False

    day.forge.permission = down
    assert await say(day, key, "bob", "/preview pin") is None
    day.forge.permission = real
    await day.settle()
    assert await decided(day, key) == [(Verb.PIN, "bob")]


async def test_the_author_may_what_the_policy_lets_authors():
    day = Day(Rules(author_may=frozenset({Verb.CHECKS})))
    key = await day.open(author="Carol")
    assert (await say(day, key, "carol", "/preview checks"))[0] is Mood.DONE
    assert (await say(day, key, "carol", "/preview down"))[0] is Mood.REFUSED
    assert (await say(day, key, "eve", "/preview checks"))[0] is Mood.REFUSED


async def test_a_comment_with_commands_of_both_sorts_is_answered_whole():
    day = Day(Rules(author_may=frozenset({Verb.CHECKS})))
    key = await day.open(author="carol")
    mood, answer = await say(day, key, "carol", "/preview checks\n/preview pin\n/preview pin")
    assert mood is Mood.REFUSED
    assert answer == "The checks run again.\n\n`/preview pin` needs write permission in this repository."
    assert await decided(day, key) == [(Verb.CHECKS, "carol")]


async def test_a_fork_runs_the_approved_revision_and_no_other():
    day = Day(APPROVING)
    key = await day.open(from_fork=True, author="eve")
    head = day.forge.pulls[key].head
    assert day.platform.alive == {}
    assert f"/preview approve {head}" in day.forge.sticky(key)
    assert (await say(day, key, "eve", f"/preview approve {head}"))[0] is Mood.REFUSED
    assert (await say(day, key, "ada", f"/preview approve {head[:7]}"))[0] is Mood.REFUSED
    assert day.platform.alive == {}

    assert await say(day, key, "ada", f"/preview approve {head}") == (
        Mood.DONE,
        f"`{head[:7]}` may run. The next push asks again.",
    )
    assert day.platform.alive[key].revision == head

    pushed = day.forge.push(key, {"evil.py": "import os"})
    await day.settle()
    assert day.platform.alive[key].revision == head
    assert f"/preview approve {pushed}" in day.forge.sticky(key)
    assert await say(day, key, "ada", f"/preview approve {head}") == (
        Mood.REFUSED,
        f"`{head[:7]}` is not the head. Look at `{pushed[:7]}`, then approve that one.",
    )
    assert day.platform.alive[key].revision == head


async def test_there_is_nothing_to_approve_where_it_is_not_a_fork():
    day = Day(APPROVING)
    key = await day.open()
    head = day.forge.pulls[key].head
    assert await say(day, key, "ada", f"/preview approve {head}") == (
        Mood.REFUSED,
        "It does not come from a fork: there is nothing to approve.",
    )


async def test_the_operator_approves_from_the_dashboard_too():
    day = Day(APPROVING)
    key = await day.open(from_fork=True, author="eve")
    answer = await day.desk.command(key, f"approve {'f' * 40}", "ops")
    assert (answer.accepted, answer.text[:29]) == (False, "`fffffff` is not the head. Lo")
    assert (await day.desk.command(key, f"approve {day.forge.pulls[key].head}", "ops")).accepted
    await day.settle()
    assert day.platform.alive.keys() == {key}


async def test_one_suite_can_be_run_again():
    day = Day()
    key = await day.open()
    before = {job.suite: job.order for job in day.platform.alive[key].jobs}
    assert await say(day, key, "ada", "/preview checks e2e") == (Mood.DONE, "The e2e checks run again.")
    after = {job.suite: job.order for job in day.platform.alive[key].jobs}
    assert after["smoke"] == before["smoke"]
    assert after["e2e"] > before["e2e"]
    assert day.meter.checks == [("smoke", "passed"), ("e2e", "passed"), ("e2e", "passed")]
