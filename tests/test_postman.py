import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from controller.adapters.notify.webhook import Webhook
from controller.common.notices import Notice, Severity, Status
from controller.errors import Unavailable
from controller.postman import MOST, Mailbox, Postman
from tests.adapters.notify.door import opened
from tests.fakes.outbox import FakeOutbox

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ALL = frozenset(Severity)


def a_notice(name="n1", severity=Severity.PAGE, about="probe:shop", routes=()):
    return Notice(name, NOON, severity, Status.FIRING, about, "shop burns", routes=routes)


class World:
    """Doors by name, each a real server; a clock of ours; an outbox that outlives postmen."""

    def __init__(self, doors, session):
        self.doors = doors
        self.session = session
        self.outbox = FakeOutbox()
        self.now = NOON
        self.outbox.clock = lambda: self.now
        self.postman = self.a_postman()

    def a_postman(self, **severities):
        boxes = [
            Mailbox(Webhook(name, door.url, "", self.session, timeout=0.5), severities.get(name, ALL))
            for name, door in self.doors.items()
        ]
        return Postman(self.outbox, boxes, lambda: self.now)

    async def until(self, holds):
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)

    def told(self):
        return sorted(self.outbox.told_at)


@pytest.fixture
async def world():
    async with AsyncExitStack() as stack:
        doors = {name: await stack.enter_async_context(opened()) for name in ("good", "bad")}
        yield World(doors, await stack.enter_async_context(aiohttp.ClientSession()))


async def test_a_notice_goes_to_every_route_that_takes_it(world):
    postman = world.a_postman(bad=frozenset({Severity.TICKET}))
    await postman.post([a_notice(), a_notice("n2", Severity.TICKET), a_notice("n3", routes=("bad",))])
    assert sorted(world.outbox.waits) == [("n1", "good"), ("n2", "bad"), ("n2", "good")]


async def test_it_is_told_once_whoever_asks_how_often(world):
    for _ in range(3):
        await world.postman.post([a_notice()])
        await world.postman.deliver()
    assert world.doors["good"].keys == ["n1"]
    assert world.told() == [("n1", "bad"), ("n1", "good")]


@pytest.mark.parametrize(
    "trouble", [pytest.param({"status": 500}, id="answers 500"), pytest.param({"hangs": True}, id="hangs")]
)
async def test_one_in_trouble_is_told_later_and_once_and_delays_nobody(world, trouble):
    bad = world.doors["bad"]
    for name, value in trouble.items():
        setattr(bad, name, value)
    await world.postman.post([a_notice()])
    await world.postman.deliver()
    assert world.told() == [("n1", "good")]
    await world.until(lambda: world.outbox.waits["n1", "bad"].attempts == 1)
    assert world.outbox.waits["n1", "bad"].again_at == NOON + timedelta(seconds=2)
    bad.status, bad.hangs = 200, False
    await world.postman.deliver()
    assert len(bad.heard) == 1, "it is not due yet"
    world.now += timedelta(seconds=2)
    await world.postman.deliver()
    await world.postman.deliver()
    assert world.told() == [("n1", "bad"), ("n1", "good")]
    assert (len(bad.heard), len(world.doors["good"].heard)) == (2, 1)


async def test_one_that_nobody_answers_for_is_told_when_it_is_back(world):
    lost = Webhook("lost", "http://127.0.0.1:9/hook", "", world.session)
    await Postman(world.outbox, [Mailbox(lost, ALL)], lambda: world.now).post([a_notice()])
    await Postman(world.outbox, [Mailbox(lost, ALL)], lambda: world.now).deliver()
    assert "cannot be reached" in world.outbox.waits["n1", "lost"].why


async def test_it_waits_longer_each_time_and_an_hour_at_most(world):
    world.doors["bad"].status = 500
    await world.postman.post([a_notice(routes=("bad",))])
    waits = []
    for _ in range(14):
        await world.postman.deliver()
        again = world.outbox.waits["n1", "bad"].again_at
        waits.append(again - world.now)
        world.now = again
    assert [wait.total_seconds() for wait in waits[:4]] == [2, 4, 8, 16]
    assert waits[-1] == MOST


async def test_it_is_given_up_after_three_days_and_at_once_where_it_was_refused(world):
    world.doors["bad"].status = 500
    world.doors["good"].status = 410
    await world.postman.post([a_notice()])
    world.now += timedelta(days=3, seconds=1)
    await world.postman.deliver()
    given_up = {route: outgoing.why for (_, route), (outgoing, _) in world.outbox.given_up.items()}
    assert given_up == {"bad": "it answered 500 said by them", "good": "it answered 410 said by them"}


async def test_a_route_that_is_gone_is_given_up(world):
    await world.outbox.post([a_notice()], ["pager"])
    await world.postman.deliver()
    [(outgoing, _)] = world.outbox.given_up.values()
    assert outgoing.why == "there is no route `pager` any more"


async def test_a_controller_that_is_killed_while_somebody_hangs_tells_it_after_the_restart(world):
    bad = world.doors["bad"]
    bad.hangs = True
    await world.postman.post([a_notice(routes=("bad",))])
    dying = asyncio.create_task(world.postman.run())
    await world.until(lambda: bad.heard)
    dying.cancel()
    await asyncio.wait([dying])
    bad.hangs = False
    await world.a_postman().deliver()
    assert world.told() == [("n1", "bad")]
    assert bad.keys == ["n1", "n1"], "whoever took it before the kill knows it by its key"


async def test_what_was_taken_is_not_sent_again_where_only_writing_that_down_went_wrong(world):
    real = world.outbox.told

    async def down(outgoing, at):
        raise Unavailable("History is down")

    world.outbox.told = down
    await world.postman.post([a_notice(routes=("good",))])
    with pytest.raises(Unavailable):
        await world.postman.deliver()
    world.outbox.told = real
    await world.postman.deliver()
    assert world.doors["good"].keys == ["n1"]
    assert world.told() == [("n1", "good")]
