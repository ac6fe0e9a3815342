import asyncio
from datetime import timedelta

import pytest

from controller.common.notices import Status
from controller.errors import Unavailable
from controller.probes.around import Around
from controller.probes.model import Alarm, Counts, Health, Incident, Silence, Suspect
from controller.probes.watch import Watch
from controller.settings import Probing
from smoke.model import Outcome
from tests.fakes.alerts import FakeAlerts
from tests.fakes.samples import FakeSamples
from tests.probes.examples import HOUR, MINUTE, NOON, SECOND, a_probe, a_sample

FAILED, PASSED, BROKEN = Outcome.FAILED, Outcome.PASSED, Outcome.BROKEN
RELEASE = Suspect("production", 7, "abc1234" * 5, NOON - MINUTE)


class World:
    """A watch with a clock of ours. `dies_at` is the effect at which the controller is killed, once."""

    def __init__(self, *probes, **probing):
        self.now = NOON
        self.samples, self.alerts = FakeSamples(), FakeAlerts()
        self.posted = {}
        self.accused = []
        self.suspects = None
        self.deployed = True
        self.dies_at = ""
        self.probes = probes or (a_probe(),)
        self.probing = Probing.model_validate(probing)
        self.watch = self.a_watch()

    def a_watch(self):
        link, there = lambda name: f"/probes/{name}", lambda target: self.deployed
        around = Around(self.post, link, self.suspect, self.accuse, is_there=there, clock=lambda: self.now)
        return Watch(self.probes, self.probing, self.samples, Mortal(self), around)

    async def post(self, notices):
        self.die("post")
        for notice in notices:
            self.posted.setdefault(notice.id, notice)
        self.die("posted")

    async def suspect(self, target, at):
        return self.suspects

    async def accuse(self, suspect, because, alert):
        self.die("accuse")
        self.accused.append((suspect.release, alert))

    def die(self, where):
        if self.dies_at == where:
            self.dies_at = ""
            raise Killed

    async def takes(self, *outcomes, every=30 * SECOND, probe="shop"):
        """Samples one after the other, each judged."""
        for outcome in outcomes:
            self.now += every
            self.watch.take(a_sample(self.now, outcome, probe))
            await self.watch.look()

    async def restarts(self):
        """What was taken is kept: the watch writes it every second."""
        await self.watch._keeper.flush()
        self.watch = self.a_watch()
        await self.watch.load()

    def told(self):
        return [(notice.labels["probe"], notice.labels["alarm"], notice.status) for notice in self.posted.values()]


class Killed(BaseException):
    """SIGKILL: nothing is cleaned up."""


class Mortal:
    """The alerts, in a controller that dies before or after a write."""

    def __init__(self, world):
        self._world = world

    def __getattr__(self, name):
        method = getattr(self._world.alerts, name)
        if name not in {"keep_health", "open_incident", "close_incident"}:
            return method

        async def mortal(*args):
            self._world.die(name)
            await method(*args)
            self._world.die(f"{name} done")

        return mortal


FIRING = ("shop", "fast-burn", Status.FIRING)
RESOLVED = ("shop", "fast-burn", Status.RESOLVED)


async def test_a_burn_is_told_once_and_its_end_once():
    world = World()
    await world.takes(*[PASSED] * 20, *[FAILED] * 30)
    assert world.told() == [FIRING]
    await world.takes(*[PASSED] * 9)
    assert world.told() == [FIRING]
    await world.takes(*[PASSED] * 100)
    assert world.told() == [FIRING, RESOLVED], "slower burns count nothing that was told already"
    [incident] = world.alerts.kept_incidents.values()
    assert incident.ended is not None
    assert world.alerts.kept_healths == {}


async def test_two_failures_are_fewer_than_the_floor():
    world = World()
    await world.takes(*[PASSED] * 20, FAILED, FAILED, PASSED)
    assert world.told() == []
    await world.takes(FAILED)
    assert world.told() == [FIRING]


async def test_broken_samples_alert_nobody_until_nothing_was_known_for_too_long():
    world = World()
    await world.takes(PASSED, *[BROKEN] * 9)
    assert world.told() == []
    await world.takes(BROKEN)
    assert world.told() == [("shop", "silent", Status.FIRING)]
    await world.takes(PASSED)
    assert world.told()[1:] == [("shop", "silent", Status.RESOLVED)]


async def test_a_reminder_comes_after_as_long_as_the_policy_says():
    world = World(a_probe(alerts={"remind": "10m"}))
    await world.takes(*[FAILED] * 3)
    await world.takes(*[FAILED] * 40)
    assert [notice.title for notice in world.posted.values()] == [
        "shop burns its error budget fast",
        "shop still burns its error budget fast, since 10 min",
        "shop still burns its error budget fast, since 20 min",
    ]


STEPS = ["keep_health", "keep_health done", "open_incident", "open_incident done", "post", "posted", "accuse"]


@pytest.mark.parametrize("death", STEPS)
async def test_a_controller_killed_while_it_tells_of_a_burn_tells_it_once(death):
    world = World(a_probe(target="production"))
    world.suspects = RELEASE
    await world.takes(*[PASSED] * 20, FAILED, FAILED)
    world.dies_at = death
    with pytest.raises(Killed):
        await world.takes(FAILED)
    world.now += 20 * SECOND
    await world.restarts()
    await world.takes(*[FAILED] * 5)
    assert world.told() == [FIRING]
    assert {alert for _, alert in world.accused} == set(world.posted)
    [incident] = world.alerts.kept_incidents.values()
    assert world.alerts.kept_healths["shop", Alarm.FAST_BURN].firing_since == incident.began


@pytest.mark.parametrize("death", ["close_incident", "close_incident done", "post", "posted", "keep_health"])
async def test_a_controller_killed_while_it_tells_that_it_is_over_tells_it_once(death):
    world = World()
    await world.takes(*[FAILED] * 5, *[PASSED] * 9)
    world.dies_at = death
    with pytest.raises(Killed):
        await world.takes(*[PASSED] * 3)
    await world.restarts()
    await world.takes(*[PASSED] * 3)
    assert world.told() == [FIRING, RESOLVED]


async def test_a_restart_knows_what_was_before_it():
    world = World()
    await world.takes(*[PASSED] * 100, FAILED, FAILED)
    await world.restarts()
    assert world.watch._known["shop"].counts(HOUR, world.now) == Counts(102, 2)
    await world.takes(FAILED)
    assert world.told() == [FIRING]


async def test_a_child_says_nothing_while_its_parent_alerts_or_is_about_to():
    world = World(a_probe("database"), a_probe("shop", depends_on=["database"]))
    for _ in range(20):
        await world.takes(FAILED, probe="shop", every=SECOND)
        await world.takes(FAILED, probe="database")
    assert world.told() == [("database", "fast-burn", Status.FIRING)]


async def test_a_child_speaks_when_its_parent_is_well_again_and_it_is_not():
    world = World(a_probe("database"), a_probe("shop", depends_on=["database"]))
    for outcome in [FAILED] * 10 + [PASSED] * 12:
        await world.takes(FAILED, probe="shop", every=SECOND)
        await world.takes(outcome, probe="database")
    assert world.told() == [
        ("database", "fast-burn", Status.FIRING),
        ("database", "fast-burn", Status.RESOLVED),
        ("shop", "fast-burn", Status.FIRING),
    ]


async def test_a_child_does_not_wait_for_ever_for_a_parent_that_cannot_alert():
    world = World(a_probe("database", objective=None), a_probe("shop", depends_on=["database"]))
    for _ in range(5):
        await world.takes(FAILED, probe="database", every=SECOND)
        await world.takes(FAILED, probe="shop")
    assert world.told() == [FIRING]


async def test_maintenance_excuses_and_what_still_burns_at_its_end_fires_then():
    begins, ends = NOON, NOON + 10 * MINUTE
    world = World(maintenance=[{"begins": begins, "ends": ends}])
    await world.takes(*[FAILED] * 19)
    assert world.told() == []
    await world.takes(*[FAILED] * 4)
    assert world.told() == [FIRING]
    await world.watch._keeper.flush()
    assert [one.excused for one in world.samples.kept] == [True] * 19 + [False] * 4


async def test_what_was_never_deployed_pages_nobody_until_it_is():
    world = World(a_probe(target="production"))
    world.deployed = False
    await world.takes(*[FAILED] * 30)
    assert world.told() == []
    world.deployed = True
    await world.takes(*[FAILED] * 4)
    assert world.told() == [FIRING]


async def test_a_silence_is_kept_and_what_still_burns_at_its_end_fires_then():
    world = World()
    await world.alerts.silence(Silence("s", "shop", NOON, NOON + 10 * MINUTE, "ada", "a deploy"))
    await world.watch.alarms.hear(NOON)
    await world.takes(*[FAILED] * 19)
    assert world.told() == []
    await world.takes(FAILED)
    assert world.told() == [FIRING]


async def test_a_release_is_suspected_named_and_accused_once():
    world = World(a_probe(target="production"))
    world.suspects = RELEASE
    await world.takes(*[FAILED] * 10)
    [(alert, told)] = world.posted.items()
    assert "It began after production #7 (abc1234) became live." in told.text
    assert world.accused == [(7, alert)]


async def test_a_ticket_names_the_suspect_and_accuses_nobody():
    world = World(a_probe(target="production"))
    world.suspects = RELEASE
    world.watch._known["shop"].fill(NOON - 2 * HOUR, Counts(6000, 6))
    await world.takes(FAILED)
    assert world.told() == [("shop", "ticket-burn", Status.FIRING)]
    assert world.accused == []


async def test_history_that_is_down_delays_an_alert_and_loses_none():
    world = World()
    await world.takes(*[PASSED] * 20, FAILED, FAILED)
    world.alerts.down = True
    with pytest.raises(Unavailable):
        await world.takes(FAILED)
    world.alerts.down = False
    await world.takes(FAILED)
    assert world.told() == [FIRING]


async def test_a_past_page_is_known_after_a_restart():
    world = World()
    ended = NOON - MINUTE
    await world.alerts.open_incident(Incident("shop", Alarm.FAST_BURN, NOON - HOUR, None, "it burned"))
    await world.alerts.close_incident("shop", Alarm.FAST_BURN, NOON - HOUR, ended)
    world.samples.kept += [a_sample(NOON - 20 * MINUTE + second * SECOND, FAILED) for second in range(0, 600, 30)]
    await world.restarts()
    await world.takes(*[PASSED] * 3)
    assert world.told() == []


async def test_an_alarm_of_a_probe_that_the_policy_does_not_name_any_more_is_over():
    world = World()
    await world.alerts.keep_health("gone", Alarm.FAILING, Health(NOON - HOUR, NOON - HOUR))
    await world.alerts.open_incident(Incident("gone", Alarm.FAILING, NOON - HOUR, None, "it failed"))
    await world.restarts()
    assert world.alerts.kept_healths == {}
    assert [incident.ended for incident in world.alerts.kept_incidents.values()] == [NOON]


async def test_the_prober_that_is_cut_off_says_so_once():
    world = World()
    for is_so in (True, True, False, False):
        world.now += MINUTE
        await world.watch.alarms.cut_off(world.now, is_so=is_so)
    assert [(one.title, one.status) for one in world.posted.values()] == [
        ("The prober itself is cut off: nothing is known of any probe", Status.FIRING),
        ("The prober is no longer cut off, after 2 min", Status.RESOLVED),
    ]


class Live:
    """A watch that runs, and waits for what comes of it."""

    def __init__(self, world):
        self.world = world

    async def __aenter__(self):
        self.task = asyncio.create_task(self.world.watch.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.result()

    async def until(self, holds):
        async with asyncio.timeout(20):
            while not holds():
                assert not self.task.done(), self.task
                await asyncio.sleep(0.01)


def live(world):
    """With the time of day."""
    clock = Around(world.post).clock
    world.watch = Watch(world.probes, world.probing, world.samples, world.alerts, Around(world.post, clock=clock))
    return Live(world)


def a_hasty_probe(name, url, **said):
    probe = a_probe(name, url=url, objective=None, alerts={"rule": "2 of 3"}, **said)
    return probe.model_copy(update={"every": timedelta(seconds=0.2)})


async def test_from_a_failure_to_a_page_and_back(shop):
    world = World(a_hasty_probe("shop", shop.url))
    async with live(world) as running:
        await running.until(lambda: len(shop.asked) >= 2)
        assert world.told() == []
        shop.status = 500
        await running.until(lambda: world.told() == [("shop", "failing", Status.FIRING)])
        shop.status = 200
        await running.until(lambda: world.told()[1:] == [("shop", "failing", Status.RESOLVED)])
    kept = {sample.outcome for sample in world.samples.kept}
    assert kept == {PASSED, FAILED}, "what was taken is kept, the last of it when the watch ends"
    assert len(world.samples.kept) == len({sample.at for sample in world.samples.kept})


async def test_cut_off_ourselves_everything_is_one_notice():
    nowhere = "http://127.0.0.1:9"
    world = World(*(a_hasty_probe(f"p{number}", nowhere) for number in range(5)), canaries=[nowhere])
    async with live(world) as running:
        await running.until(lambda: len(world.posted) == 1 and world.watch.is_cut_off)
        await running.until(lambda: len(world.samples.kept) >= 20)
    assert [notice.about for notice in world.posted.values()] == ["prober"]
    assert {(sample.outcome, sample.excused) for sample in world.samples.kept} == {(BROKEN, True)}
    assert world.alerts.kept_healths.keys() == {("(prober)", Alarm.SILENT)}
    assert world.alerts.kept_healths["(prober)", Alarm.SILENT] != Health()
