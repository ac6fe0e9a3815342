"""What is said is said once, and what was worked out is not worked out again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.common.words import Words
from controller.errors import Unavailable
from controller.previews.look import FAREWELL, farewell
from controller.previews.model import Case, Ending
from controller.previews.say import Speaker
from tests.examples import KEY, NOON, a_preview, a_pull
from tests.fakes.forge import FakeForge
from tests.fakes.history import FakeHistory


class Stand:
    """A speaker whose words are the hold, and what it made of them."""

    def __init__(self):
        self.forge, self.history = FakeForge(), FakeHistory()
        self.made = []
        self.time = NOON
        self.key = self.forge.open(KEY.repo)
        self.speaker = Speaker(self.forge, self.history, self.words, lambda: self.time)

    def words(self, case, hold):
        self.made.append(hold)
        return Words(comment=f"{case.preview and case.preview.phase} {hold}")

    async def said(self):
        return (await self.history.said()).get(self.key, {})

    async def tell(self, case, hold=""):
        """Whether there was anything to tell."""
        if not self.speaker.has_news(case, hold, await self.said()):
            return False
        return await self.speaker.say(case, hold, await self.said())


@pytest.fixture
def stand():
    return Stand()


def a_case(stand, **changes):
    return Case(stand.key, a_pull(), replace(a_preview(), **changes))


async def test_nothing_is_said_twice_and_equal_cases_are_not_put_into_words_again(stand):
    assert await stand.tell(a_case(stand))
    stand.made.clear()
    assert not await stand.tell(a_case(stand))
    assert stand.made == []


@pytest.mark.parametrize(
    ("changes", "hold"),
    [
        pytest.param({"reason": "it crashed"}, "", id="another case"),
        pytest.param({}, "no free place", id="another hold"),
    ],
)
async def test_what_changed_is_put_into_words(stand, changes, hold):
    await stand.tell(a_case(stand))
    stand.made.clear()
    await stand.tell(a_case(stand, **changes), hold)
    assert stand.made[0] == hold


async def test_what_another_controller_said_since_is_said_over(stand):
    await stand.tell(a_case(stand))
    await stand.forge.say(stand.key, "old words")
    await stand.history.remember_said(stand.key, {"comment": "of the old words"})
    assert await stand.tell(a_case(stand))
    assert stand.forge.sticky(stand.key) == "ready "


async def test_what_could_not_be_said_is_tried_again(stand):
    stand.forge.down = True
    assert not await stand.tell(a_case(stand))
    stand.forge.down = False
    assert await stand.tell(a_case(stand))


async def test_old_words_that_come_true_again_are_said_over_new_ones_that_may_have_been_heard(stand):
    await stand.tell(a_case(stand), "old")
    say = stand.forge.say

    async def loses_its_answer(key, body):
        await say(key, body)
        raise Unavailable("the line was cut")

    stand.forge.say = loses_its_answer
    assert not await stand.tell(a_case(stand), "new")
    stand.forge.say = say
    assert await stand.tell(a_case(stand), "old")
    assert [body.split()[-1] for body in stand.forge.spoken] == ["old", "new", "old"]
    assert not await stand.tell(a_case(stand), "old")


async def test_what_was_refused_is_tried_again_with_other_words_or_after_an_hour(stand):
    stand.forge.mute = True
    assert not await stand.tell(a_case(stand))
    stand.forge.mute = False
    assert not await stand.tell(a_case(stand))
    stand.time += timedelta(hours=1)
    assert await stand.tell(a_case(stand))
    stand.forge.mute = True
    assert not await stand.tell(a_case(stand), "held")
    stand.forge.mute = False
    assert await stand.tell(a_case(stand), "held for another reason")


async def test_a_forge_that_names_a_time_is_left_alone_until_then_and_hears_only_the_newest(stand):
    stand.forge.patience = timedelta(minutes=5)
    assert not await stand.tell(a_case(stand), "one")
    assert stand.speaker.waiting_since() == NOON
    stand.forge.patience = None
    stand.time += timedelta(minutes=4, seconds=59)
    assert not await stand.tell(a_case(stand), "two")
    stand.time += timedelta(seconds=1)
    assert await stand.tell(a_case(stand), "three")
    assert stand.forge.sticky(stand.key) == "ready three"
    assert stand.forge.spoken == ["ready three"]
    assert stand.speaker.waiting_since() is None


async def test_words_that_need_not_be_said_any_more_wait_for_nothing(stand):
    await stand.tell(a_case(stand), "as before")
    stand.forge.mute = True
    assert not await stand.tell(a_case(stand), "a moment of doubt")
    stand.forge.mute, stand.forge.down = False, True
    assert not await stand.tell(a_case(stand), "another")
    assert stand.speaker.waiting_since() == NOON
    stand.forge.down = False
    assert await stand.tell(a_case(stand), "as before")
    assert stand.speaker.waiting_since() is None


async def test_last_words_that_are_refused_for_a_day_are_let_go(stand):
    ending = Ending(stand.key, "closed", NOON)
    case = Case(stand.key, a_pull(is_open=False), ending=ending)
    stand.forge.mute = True
    await stand.tell(case)
    stand.time += timedelta(hours=23, minutes=59)
    await stand.tell(case)
    assert FAREWELL not in await stand.said()
    stand.time += timedelta(hours=1)
    await stand.tell(case)
    assert (await stand.said())[FAREWELL] == farewell(ending)


async def test_the_last_words_are_remembered_once_all_is_said(stand):
    ending = Ending(stand.key, "closed", NOON)
    case = Case(stand.key, a_pull(is_open=False), ending=ending)
    stand.forge.down = True
    await stand.tell(case)
    assert FAREWELL not in await stand.said()
    stand.forge.down = False
    await stand.tell(case)
    assert (await stand.said())[FAREWELL] == farewell(ending)
    assert not await stand.tell(case)


async def test_the_forgotten_are_put_into_words_again(stand):
    await stand.tell(a_case(stand))
    stand.made.clear()
    stand.speaker.forget_all_but(set())
    await stand.tell(a_case(stand))
    assert stand.made == [""]
