"""What the controller makes of what agents bring."""

import pytest

from controller.errors import Refused, Unavailable
from controller.probes import remote
from controller.probes.around import Around
from controller.probes.frontdesk import FrontDesk
from controller.probes.model import Alarm
from controller.probes.watch import Watch
from controller.settings import Probing
from smoke.model import Outcome
from tests.fakes.alerts import FakeAlerts
from tests.fakes.samples import FakeSamples
from tests.probes.examples import HOUR, MINUTE, NOON, SECOND, a_probe, a_sample

FAILED, PASSED = Outcome.FAILED, Outcome.PASSED


class World:
    """A controller that leads, and the probe `shop` at `berlin` and here."""

    def __init__(self, *probes, **probing):
        self.now = NOON
        self.samples, self.posted = FakeSamples(), []
        self.probes = probes or (a_probe(locations=["here", "berlin"]),)
        around = Around(self.post, clock=lambda: self.now)
        self.watch = Watch(self.probes, Probing.model_validate(probing), self.samples, FakeAlerts(), around)
        self.watch.leads = True
        self.desk = FrontDesk(self.probes, self.samples, FakeAlerts(), self.watch)

    async def post(self, notices):
        self.posted += [(notice.labels["probe"], notice.labels["alarm"]) for notice in notices]

    async def brings(self, *samples, batch="batch-01"):
        return await self.desk.deliver("berlin", batch, samples)

    async def told(self):
        await self.watch.look()
        return self.posted


def found(at=NOON, outcome=PASSED, **said):
    return a_sample(at, outcome, **{"location": "berlin"} | said)


async def test_an_agent_is_told_the_probes_of_its_location():
    world = World(a_probe(locations=["berlin"]), a_probe("blog"), a_probe("both", locations=["here", "berlin"]))
    sent = remote.verified(await world.desk.assignment("berlin", "key"), "key", "berlin", 0, NOON)
    assert [probe.name for probe in sent.probes] == ["shop", "both"]
    assert sent.expires_at == NOON + 24 * HOUR


async def test_nobody_is_the_controller_but_the_controller():
    world = World()
    with pytest.raises(Refused, match="`here` is the controller itself"):
        await world.desk.assignment("here", "key")
    with pytest.raises(Refused, match="an agent says what it found itself"):
        await world.desk.deliver("here", "batch-01", [a_sample()])
    with pytest.raises(Refused, match="an agent says what it found itself"):
        await world.brings(found(location="tokyo"))
    assert not world.samples.kept


async def test_a_batch_counts_once_and_each_agent_names_its_own():
    world = World(a_probe(locations=["tokyo", "berlin"]))
    assert await world.brings(found())
    assert not await world.brings(found())
    assert await world.desk.deliver("tokyo", "batch-01", [found(location="tokyo")])
    assert [sample.location for sample in world.samples.kept] == ["berlin", "tokyo"]


async def test_what_is_not_run_there_or_is_yet_to_come_is_left_out():
    world = World(a_probe(locations=["berlin"]), a_probe("blog"))
    assert await world.brings(found(), found(probe="blog"), found(probe="gone"), found(NOON + HOUR))
    assert world.samples.kept == [found()]


async def test_what_an_agent_found_is_judged():
    world = World(a_probe(locations=["berlin"], alerts={"rule": "3 of 3"}))
    await world.brings(*[found(NOON - 30 * SECOND * age, FAILED) for age in (3, 2, 1)])
    assert await world.told() == [("shop", Alarm.FAILING)]


async def test_what_was_buffered_for_hours_is_counted_and_is_not_how_things_stand():
    world = World(a_probe(locations=["berlin"], alerts={"rule": "3 of 3", "burn": False}))
    await world.brings(found(), batch="batch-01")
    await world.brings(*[found(NOON - 2 * HOUR - MINUTE * age, FAILED) for age in (3, 2, 1)], batch="batch-02")
    assert await world.told() == []
    assert world.watch.latest("shop") == found()
    assert (await world.samples.counts(NOON - 3 * HOUR, NOON + HOUR))["shop"].failed == 3


async def test_maintenance_is_maintenance_everywhere():
    world = World(maintenance=[{"begins": NOON - HOUR, "ends": NOON + HOUR}])
    await world.brings(found(outcome=FAILED))
    assert [sample.excused for sample in world.samples.kept] == [True]


async def test_only_who_leads_takes_them():
    world = World()
    world.watch.leads = False
    with pytest.raises(Unavailable):
        await world.brings(found())
    assert not world.samples.kept


async def test_what_history_does_not_take_is_not_judged_and_comes_again():
    world = World()
    world.samples.down = True
    with pytest.raises(Unavailable):
        await world.brings(found())
    assert world.watch.latest("shop") is None
    world.samples.down = False
    assert await world.brings(found())
    assert world.watch.latest("shop") == found()


async def test_a_silent_agent_pages_only_where_no_other_location_says_anything():
    world = World(a_probe(locations=["here", "berlin"]), a_probe("far", locations=["berlin"]))
    await world.brings(found(), found(probe="far"))
    world.now += 6 * MINUTE
    world.watch.take(a_sample(world.now))
    assert await world.told() == [("far", Alarm.SILENT)]
