"""One sticky comment, one answer to each command, whatever happens on the way."""

import pytest

from controller.adapters.github.thread import Thread
from controller.common.nouns import PreviewKey
from controller.common.words import Mood, Reply
from controller.errors import Refused, Unavailable
from tests.adapters.github.speaking import REPO, key_of

pytestmark = pytest.mark.processes

PINNED = Reply("pinned until Friday")
STRANGER = "eve"


@pytest.fixture
def thread(world):
    return Thread(world.client(), world.app)


def bodies(pull):
    return [comment.body for comment in pull.comments]


def sticky(pull, body):
    return f"<!-- mayfly {REPO}#{pull.number} -->\n{body}"


def answer(to, body):
    return f"<!-- mayfly answer {to} -->\n{body}"


def written(world):
    """Requests that changed something."""
    return sum(count for (method, _), count in world.github.requests.items() if method != "GET")


async def test_the_sticky_comment_is_made_and_then_edited(thread, pull):
    await thread.say(key_of(pull), "starting")
    await thread.say(key_of(pull), "ready 🎉 é")
    assert bodies(pull) == [sticky(pull, "ready 🎉 é")]


async def test_the_reports_own_marker_is_not_doubled(thread, pull):
    await thread.say(key_of(pull), sticky(pull, "ready"))
    assert bodies(pull) == [sticky(pull, "ready")]


async def test_each_topic_is_a_comment_that_is_found_again(world, thread, pull):
    for who in (thread, thread, Thread(world.client(), world.app)):
        await who.say(key_of(pull), "ready")
        await who.say(key_of(pull), "live", "deploy-production")
    ours = f"<!-- mayfly {REPO}#{pull.number} deploy-production -->\nlive"
    assert bodies(pull) == [sticky(pull, "ready"), ours]


async def test_nothing_is_written_where_it_stands_already(world, thread, pull):
    await thread.say(key_of(pull), "ready")
    before = written(world)
    await thread.say(key_of(pull), "ready")
    await Thread(world.client(), world.app).say(key_of(pull), "ready")
    assert written(world) == before


async def test_it_is_found_among_what_others_wrote(world, pull):
    stranger = world.github.user(STRANGER)
    pull.comment(sticky(pull, "all is well, trust me"), by=stranger)
    for number in range(101):
        pull.comment(f"me too {number}", by=stranger)
    await Thread(world.client(), world.app).say(key_of(pull), "starting")
    await Thread(world.client(), world.app).say(key_of(pull), "ready")
    assert [one.body for one in pull.comments if one.author == "mayfly[bot]"] == [sticky(pull, "ready")]
    assert pull.comments[0].body == sticky(pull, "all is well, trust me")


async def test_one_that_a_person_deleted_is_made_anew(thread, pull):
    for body in ("starting", "ready", "ready again"):
        await thread.say(key_of(pull), body)
    [ours] = pull.comments
    pull.delete_comment(ours.id)
    await thread.say(key_of(pull), "ready again")
    assert bodies(pull) == [sticky(pull, "ready again")]


async def test_one_that_a_person_edited_says_our_words_again(world, thread, pull):
    await thread.say(key_of(pull), "ready")
    await thread.say(key_of(pull), "ready")
    pull.edit_comment(pull.comments[0].id, "the preview is evil")
    await thread.say(key_of(pull), "ready")
    assert bodies(pull) == [sticky(pull, "ready")]


async def test_of_two_the_oldest_stays(world, pull):
    bot = world.github.state.person("mayfly[bot]", "Bot")
    first = pull.comment(sticky(pull, "one"), by=bot)
    pull.comment(sticky(pull, "two"), by=bot)
    pull.comment(answer("12", "an answer is no sticky comment"), by=bot)
    await Thread(world.client(), world.app).say(key_of(pull), "ready")
    assert [(one.id == first, one.body) for one in pull.comments] == [
        (True, sticky(pull, "ready")),
        (False, answer("12", "an answer is no sticky comment")),
    ]


async def test_two_controllers_end_with_one(world, pull):
    first, second = (Thread(world.client(), world.app) for _ in range(2))
    bot = world.github.state.person("mayfly[bot]", "Bot")
    await first.say(key_of(pull), "by the first")
    pull.comment(sticky(pull, "by the second"), by=bot)
    await first.say(key_of(pull), "by the first")
    await second.say(key_of(pull), "by the second")
    assert bodies(pull) == [sticky(pull, "by the second")]


async def test_what_another_controller_wrote_since_is_found(world, thread, pull):
    bot = world.github.state.person("mayfly[bot]", "Bot")
    gone = pull.comment(sticky(pull, "ready"), by=bot)
    await thread.say(key_of(pull), "ready")
    pull.delete_comment(gone)
    pull.comment(sticky(pull, "by another"), by=bot)
    await thread.say(key_of(pull), "asleep")
    assert bodies(pull) == [sticky(pull, "asleep")]


async def test_each_pull_request_has_its_own(world, thread):
    one, other = world.pull("one"), world.pull("other")
    await thread.say(key_of(one), "ready")
    await thread.say(key_of(other), "asleep")
    assert (bodies(one), bodies(other)) == ([sticky(one, "ready")], [sticky(other, "asleep")])


async def test_a_token_speaks_under_its_persons_name(world, pull):
    robin = world.github.state.person("robin")
    pull.comment("/preview pin", by=robin)
    thread = Thread(world.client(world.person), world.person)
    await thread.say(key_of(pull), "starting")
    await thread.say(key_of(pull), "ready")
    assert bodies(pull) == ["/preview pin", sticky(pull, "ready")]


async def test_a_closed_pull_request_hears_its_end(thread, pull):
    pull.close()
    await thread.say(key_of(pull), "removed")
    assert bodies(pull) == [sticky(pull, "removed")]


async def test_a_locked_one_says_what_to_do(thread, pull):
    pull.lock()
    with pytest.raises(Refused, match=rf"the conversation of {REPO}#{pull.number} is locked: unlock it"):
        await thread.say(key_of(pull), "ready")
    pull.unlock()
    await thread.say(key_of(pull), "ready")
    assert bodies(pull) == [sticky(pull, "ready")]


@pytest.mark.parametrize("deed", ["say", "answer"])
async def test_where_there_is_no_pull_request_it_is_refused(thread, deed):
    nowhere = PreviewKey(REPO, 4711)
    with pytest.raises(Refused, match=f"there is no pull request 4711 in {REPO}"):
        await (thread.say(nowhere, "ready") if deed == "say" else thread.answer(nowhere, "delivery:1", PINNED))


@pytest.mark.parametrize("letter", ["x", "🎉"])
async def test_a_comment_as_long_as_github_takes_is_said_and_one_longer_refused(world, thread, pull, letter):
    room = 65_536 - len(sticky(pull, ""))
    await thread.say(key_of(pull), letter * room)
    assert bodies(pull) == [sticky(pull, letter * room)]
    asked = world.github.requests.total()
    with pytest.raises(Refused, match="a comment has at most 65,536 characters; this one has 65,537"):
        await thread.say(key_of(pull), letter * (room + 1))
    assert world.github.requests.total() == asked


async def test_halves_of_characters_and_nul_are_left_out(thread, pull):
    await thread.say(key_of(pull), "a\ud83cb\x00c")
    assert bodies(pull) == [sticky(pull, "a?bc")]


@pytest.mark.parametrize(
    ("mood", "reaction", "says"),
    [(Mood.DONE, "+1", False), (Mood.TOLD, "eyes", True), (Mood.REFUSED, "confused", True)],
)
async def test_a_command_is_answered_by_a_reaction_and_where_needed_by_words(thread, pull, mood, reaction, says):
    command = pull.comment("/preview pin")
    for _ in range(2):
        await thread.answer(key_of(pull), str(command), Reply("because", mood))
    assert pull.reactions(command) == [("mayfly[bot]", reaction)]
    assert bodies(pull)[1:] == ([answer(command, "because")] if says else [])


async def test_a_second_answer_edits_the_first(thread, pull):
    command, other = pull.comment("/preview pin"), pull.comment("/preview help")
    await thread.answer(key_of(pull), str(command), Reply("pinning"))
    await thread.answer(key_of(pull), str(other), Reply("help"))
    await thread.answer(key_of(pull), str(command), PINNED)
    assert bodies(pull)[2:] == [answer(command, PINNED.body), answer(other, "help")]


@pytest.mark.parametrize(("mood", "says"), [(Mood.DONE, []), (Mood.TOLD, ["because"]), (Mood.REFUSED, ["because"])])
async def test_a_button_bears_no_reaction(thread, pull, mood, says):
    for _ in range(2):
        await thread.answer(key_of(pull), "delivery:72d3162e-cc78", Reply("because", mood))
    assert bodies(pull) == [answer("delivery:72d3162e-cc78", body) for body in says]


@pytest.mark.parametrize(("mood", "count"), [(Mood.DONE, 0), (Mood.TOLD, 1)])
async def test_a_command_that_was_deleted_meanwhile_is_fine(thread, pull, mood, count):
    command = pull.comment("/preview pin")
    pull.delete_comment(command)
    await thread.answer(key_of(pull), str(command), Reply("because", mood))
    assert len(pull.comments) == count


async def test_an_answer_that_is_too_long_is_refused_before_anything_is_done(thread, pull):
    command = pull.comment("/preview logs")
    with pytest.raises(Refused, match="at most 65,536 characters"):
        await thread.answer(key_of(pull), str(command), Reply("x" * 65_536))
    assert pull.reactions(command) == []


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_comment_whose_answer_was_lost_is_there_once(world, pull, method):
    if method == "PATCH":
        await Thread(world.client(), world.app).say(key_of(pull), "starting")
    await world.although_lost(
        lambda client: Thread(client, world.app).say(key_of(pull), "ready"), method=method, path="comments"
    )
    assert bodies(pull) == [sticky(pull, "ready")]


async def test_a_delete_whose_answer_was_lost_is_fine(world, pull):
    bot = world.github.state.person("mayfly[bot]", "Bot")
    for body in ("one", "two", "three"):
        pull.comment(sticky(pull, body), by=bot)
    await world.although_lost(
        lambda client: Thread(client, world.app).say(key_of(pull), "ready"), method="DELETE", path="comments"
    )
    assert bodies(pull) == [sticky(pull, "ready")]


@pytest.mark.parametrize("path", ["reactions", "issues/1/comments"])
async def test_an_answer_whose_answer_was_lost_is_there_once(world, pull, path):
    command = pull.comment("/preview pin")
    await world.although_lost(
        lambda client: Thread(client, world.app).answer(key_of(pull), str(command), PINNED), method="POST", path=path
    )
    assert pull.reactions(command) == [("mayfly[bot]", "eyes")]
    assert bodies(pull)[1:] == [answer(command, PINNED.body)]


async def test_killed_anywhere_it_is_said_once_in_the_end(world):
    async def say(client, pull):
        thread = Thread(client, world.app)
        await thread.say(key_of(pull), "starting")
        await thread.say(key_of(pull), "ready")

    for pull in await world.until_it_is_said(say):
        assert bodies(pull) == [sticky(pull, "ready")]


async def test_killed_anywhere_it_is_answered_once_in_the_end(world):
    async def ask(_, pull):
        pull.comment("/preview pin")

    async def say(client, pull):
        await Thread(client, world.app).answer(key_of(pull), str(pull.comments[0].id), PINNED)

    for pull in await world.until_it_is_said(say, ask):
        command = pull.comments[0].id
        assert pull.reactions(command) == [("mayfly[bot]", "eyes")]
        assert bodies(pull)[1:] == [answer(command, PINNED.body)]


async def test_while_github_is_down_it_is_said_later(world, thread, pull):
    world.github.down()
    with pytest.raises(Unavailable):
        await thread.say(key_of(pull), "ready")
    world.github.up()
    await thread.say(key_of(pull), "ready")
    assert bodies(pull) == [sticky(pull, "ready")]
