"""The loop with many pull requests: what is slow, broken or killed in one leaves the others alone."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.common import errands
from controller.common.errands import AT_ONCE
from controller.common.nouns import Phase, PreviewKey
from controller.errors import Unavailable
from controller.previews.model import Rules
from tests.fakes.platform import FakePlatform, Killed
from tests.previews.test_reconcile import FILES, Day


@pytest.fixture
def day():
    return Day(Rules(max_alive=50, max_removals=50))


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(errands, "PATIENCE", timedelta(milliseconds=5))


class Slow:
    """One of a world's methods, which for one pull request goes on until it is let go."""

    def __init__(self, world, method, key, error=None):
        self.let_go = asyncio.Event()
        self._begun = asyncio.Event()
        self._whole = getattr(world, method)
        self._key, self._error = key, error
        setattr(world, method, self._call)

    async def _call(self, about, *rest, **named):
        if getattr(about, "key", about) == self._key:
            self._begun.set()
            await self.let_go.wait()
            if self._error:
                raise self._error
        return await self._whole(about, *rest, **named)


async def open_many(day, count):
    keys = [day.forge.open("shop", f"branch-{n}", FILES) for n in range(count)]
    await day.settle(1)
    return keys


async def test_a_slow_comment_keeps_only_its_own_pull_request_waiting(day, impatient):
    one, two = await open_many(day, 2)
    slow = Slow(day.forge, "say", one)
    await day.settle()
    assert day.forge.sticky(one) == ""
    assert "all 2 checks passed" in day.forge.sticky(two)
    slow.let_go.set()
    assert await day.controller.bell.answer(5) == {one}
    await day.settle()
    assert "all 2 checks passed" in day.forge.sticky(one)


async def test_a_push_while_the_last_one_is_told_is_not_forgotten(day, impatient):
    [key] = await open_many(day, 1)
    slow = Slow(day.forge, "say", key, Unavailable("the forge does not answer"))
    await day.settle(1)
    day.forge.push(key)
    day.later(seconds=5)
    await day.controller.round({key})
    slow.let_go.set()
    assert await day.controller.bell.answer(5) == {key}
    await day.controller.round({key})
    assert day.platform.deployed[-1] == (key, day.forge.pulls[key].head)


async def test_a_forge_that_fails_slowly_is_left_in_peace_until_the_next_round(day, impatient):
    key = await day.open()
    slow = Slow(day.forge, "say", key, Unavailable("the forge does not answer"))
    await day.desk.command(key, "pin", "ada")
    assert await day.controller.bell.answer(5) == {key}
    await day.controller.round({key})
    assert key in day.controller._errands
    slow.let_go.set()
    while key in day.controller._errands:
        await asyncio.sleep(0)
    assert await day.controller.bell.answer(0) is None


async def test_a_slow_answer_keeps_nobody_waiting(day, impatient):
    one, two = await open_many(day, 2)
    slow = Slow(day.forge, "answer", one)
    for key in (one, two):
        await day.forge.comment(key, "ada", "/preview pin")
    await day.settle()
    assert all("**Pinned** by ada" in day.forge.sticky(key) for key in (one, two))
    assert (len(day.forge.answers(one)), len(day.forge.answers(two))) == (0, 1)
    slow.let_go.set()
    await day.controller.bell.answer(5)
    await day.settle()
    assert len(day.forge.answers(one)) == 1


async def test_a_slow_start_keeps_only_itself_waiting_and_its_place(impatient):
    day = Day(Rules(max_alive=2))
    one, two, three = (day.forge.open("shop", f"branch-{n}", FILES) for n in range(3))
    slow = Slow(day.platform, "deploy", one)
    await day.settle()
    assert list(day.platform.alive) == [two]
    assert "all 2 places for previews are taken" in day.forge.sticky(three)
    slow.let_go.set()
    assert await day.controller.bell.answer(5) == {one}
    await day.settle()
    assert sorted(day.platform.alive) == [one, two]


async def test_what_cannot_be_done_is_told_however_late_that_turns_out(day, impatient):
    key = day.forge.open("shop", files=FILES)
    slow = Slow(day.platform, "deploy", key, Unavailable("the quota is exceeded"))
    await day.settle(3)
    slow.let_go.set()
    await day.controller.bell.answer(5)
    assert "no preview: the quota is exceeded" in day.forge.sticky(key)


async def test_a_bug_in_one_stops_no_other(day):
    keys = await open_many(day, 4)
    whole = day.forge.say

    async def say(key, body):
        if key == keys[0]:
            raise KeyError("a bug")
        await whole(key, body)

    day.forge.say = say
    for _ in range(5):
        with pytest.raises(KeyError):
            await day.settle(1)
    assert all("all 2 checks passed" in day.forge.sticky(key) for key in keys[1:])


async def test_a_look_at_many_takes_the_list_and_reads_by_number_what_is_not_in_it(day):
    keys = await open_many(day, 30)
    await day.settle()
    day.forge.close(keys[0])
    whole = day.forge.pull

    async def pull(key):
        if day.forge.pulls[key].is_open:
            raise Unavailable("too many requests")
        return await whole(key)

    day.forge.pull = pull
    for key in keys[1:]:
        day.forge.push(key)
    day.later(seconds=5)
    await day.controller.round(set(keys))
    assert day.platform.removed == [keys[0]]
    assert day.platform.deployed[-29:] == [(key, day.forge.pulls[key].head) for key in keys[1:]]


async def test_a_list_that_cannot_be_read_leaves_reading_by_number(day):
    keys = await open_many(day, 30)

    async def open_pulls(repo):
        raise Unavailable("too many requests")

    day.forge.open_pulls = open_pulls
    for _ in range(4):
        await day.controller.round(set(keys))
    assert all("all 2 checks passed" in day.forge.sticky(key) for key in keys)


class Watched(FakePlatform):
    """Sees what goes on at a time. Each action takes a while; `dead`: the controller that asks is no more."""

    def __init__(self, now, machine=None):
        super().__init__(now, machine)
        self.begun, self.under_way, self.most = [], [], 0

    async def watch(self, name, key, action):
        assert key not in self.under_way
        self.begun.append((name, key))
        self.under_way.append(key)
        self.most = max(self.most, len(self.under_way))
        for _ in range(key.number % 5 + 1):
            await asyncio.sleep(0)
        await action
        self.under_way.remove(key)

    async def deploy(self, order):
        await self.watch("deploy", order.key, super().deploy(order))

    async def run_checks(self, key, *rest):
        await self.watch("checks", key, super().run_checks(key, *rest))

    async def remove(self, key, uid):
        await self.watch("remove", key, super().remove(key, uid))


async def test_many_are_worked_on_at_once_but_never_twice_on_one(day):
    day.platform = Watched(day.now)
    day.restart()
    keys = await open_many(day, 30)
    await day.settle()
    assert day.platform.most == AT_ONCE
    assert len(day.platform.begun) == len(set(day.platform.begun)) + len(keys)  # two suites, once each
    assert all("all 2 checks passed" in day.forge.sticky(key) for key in keys)


async def test_removals_begin_first(day):
    day.platform = Watched(day.now)
    day.restart()
    old = await open_many(day, 3)
    await day.settle()
    for key in old:
        day.forge.close(key)
    new = [day.forge.open("shop", f"later-{n}", FILES) for n in range(3)]
    day.platform.begun.clear()
    await day.settle(1)
    assert day.platform.begun == [("remove", key) for key in old] + [("deploy", key) for key in new]


class Mortal(FakePlatform):
    """Whoever was killed does nothing more, whatever else was under way."""

    dead = False

    async def previews(self):
        if self.dead:
            raise Killed
        return await super().previews()

    def _acting(self):
        if self.dead:
            raise Killed
        self.dead = self.killed_after == 0
        return super()._acting()


@pytest.mark.parametrize("cut", range(0, 36, 5))
async def test_killed_in_the_middle_of_many_it_converges_to_the_same_end(day, cut):
    day.platform = Mortal(day.now)
    day.restart()

    async def live():
        day.later(seconds=5)
        for _ in range(8):
            try:
                await day.controller.round()
            except Killed:
                day.platform.dead = False
                day.restart()

    day.platform.killed_after = cut
    keys = [day.forge.open("shop", f"branch-{n}", FILES) for n in range(6)]
    await live()
    for key in keys:
        day.forge.push(key)
    await live()
    assert all("all 2 checks passed" in day.forge.sticky(key) for key in keys)
    assert sorted(day.platform.deployed) == sorted(set(day.platform.deployed))
    assert len(day.platform.deployed) == 12
    for key in keys:
        day.forge.close(key)
    await live()
    assert sorted(day.platform.removed) == keys
    assert all("removed: the pull request was closed" in day.forge.sticky(key) for key in keys)
    assert day.platform.killed_after is None


async def test_a_loop_that_ends_ends_what_it_began(day, impatient):
    [key] = await open_many(day, 1)
    slow = Slow(day.forge, "say", key)
    loop = asyncio.create_task(day.controller.run())
    await slow._begun.wait()
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    slow.let_go.set()
    await asyncio.sleep(0)
    assert day.forge.sticky(key) == ""


async def test_a_slow_timeline_keeps_nobody_waiting_and_is_written_in_the_end(day, impatient):
    slow = Slow(day.history, "timeline", PreviewKey("shop", 1))
    one, two = await open_many(day, 2)
    await day.settle()
    assert all("all 2 checks passed" in day.forge.sticky(key) for key in (one, two))
    assert "smoke passed" in [event.text for event in day.history.events[two]]
    slow.let_go.set()
    assert await day.controller.bell.answer(5) == {one}
    await day.settle()
    assert "smoke passed" in [event.text for event in day.history.events[one]]


async def test_one_that_leads_again_does_not_tell_what_another_has_told(day):
    [key] = await open_many(day, 1)
    await day.settle()
    first, broken = day.controller, day.forge.push(key)
    day.platform.breaks[broken] = "start web: it exited with status 3"
    await first.close()
    day.restart()
    await day.settle()
    loop = asyncio.create_task(first.run())
    while first.cases[key].preview.phase is not Phase.FAILED:
        await asyncio.sleep(0)
    loop.cancel()
    await asyncio.wait([loop])
    told = [event.text for event in await day.history.timeline(key)]
    assert told.count("failed: start web: it exited with status 3") == 1


async def test_equal_specs_are_one(day):
    one, two = await open_many(day, 2)
    assert day.controller.cases[one].pull.head != day.controller.cases[two].pull.head
    assert day.controller.cases[one].spec is day.controller.cases[two].spec


async def test_one_that_does_not_lead_shows_all_and_does_nothing(day):
    leading = True
    day.controller._setting = replace(day.controller._setting, leads=lambda: leading)
    [key] = await open_many(day, 1)
    await day.settle()
    before, leading = (list(day.platform.deployed), day.forge.sticky(key), len(day.history.events[key])), False
    day.forge.push(key)
    await day.forge.comment(key, "ada", "/preview pin")
    await day.settle()
    assert (day.platform.deployed, day.forge.sticky(key), len(day.history.events[key])) == before
    assert day.controller.cases[key].pull == day.forge.pulls[key]
    leading = True
    await day.settle()
    assert day.platform.deployed[-1] == (key, day.forge.pulls[key].head)
    assert "**Pinned** by ada" in day.forge.sticky(key)


async def test_who_leads_no_more_ends_what_was_begun(day, impatient):
    leading = True
    day.controller._setting = replace(day.controller._setting, leads=lambda: leading)
    key = day.forge.open("shop", files=FILES)
    slow = Slow(day.platform, "deploy", key)
    await day.settle(1)
    leading = False
    await day.controller.round()
    slow.let_go.set()
    await asyncio.sleep(0)
    assert day.platform.deployed == []
