from datetime import timedelta

import pytest

from controller.errors import Refused
from controller.probes import cards
from controller.probes.around import Around
from controller.probes.frontdesk import FrontDesk
from controller.probes.model import Alarm, Counts, Health, Incident
from controller.probes.soak import Soaked, soak
from controller.probes.watch import Watch
from controller.probes.words import PROBER
from controller.settings import Probing
from smoke.model import Outcome
from tests.fakes.alerts import FakeAlerts
from tests.fakes.samples import FakeSamples
from tests.probes.examples import HOUR, MINUTE, NOON, SECOND, a_probe, a_sample

FAILED, PASSED, BROKEN = Outcome.FAILED, Outcome.PASSED, Outcome.BROKEN
DAY = timedelta(days=1)


class World:
    def __init__(self, *probes, **probing):
        self.now = NOON
        self.samples, self.alerts = FakeSamples(), FakeAlerts()
        self.probes = probes or (a_probe(),)
        around = Around(self.post, clock=lambda: self.now)
        self.watch = Watch(self.probes, Probing.model_validate(probing), self.samples, self.alerts, around)
        self.desk = FrontDesk(self.probes, self.samples, self.alerts, self.watch)

    async def post(self, notices):
        pass

    def sampled(self, *outcomes, probe="shop", until=NOON, **said):
        """The last of them 30 seconds before `until`."""
        ages = range(len(outcomes), 0, -1)
        self.samples.kept += [
            a_sample(until - 30 * SECOND * age, one, probe, **said) for age, one in zip(ages, outcomes, strict=True)
        ]

    def fires(self, alarm, probe="shop"):
        self.alerts.kept_healths[probe, alarm] = Health(NOON - HOUR, NOON - HOUR, "it burns")

    def asked(self):
        """Of which probes History is asked from now on, one for each question."""
        found = []
        for method in ("counts", "days"):
            setattr(self.samples, method, heard(getattr(self.samples, method), found))
        return found

    async def state(self):
        return (await self.desk.probe("shop")).state


def heard(method, found):
    async def hear(*arguments):
        found.append(tuple(arguments[-1]))
        return await method(*arguments)

    return hear


async def test_nothing_is_known_of_one_that_was_never_sampled():
    card = await World().desk.probe("shop")
    assert (card.state, card.headline, card.latest, card.budget) == ("unknown", "not sampled yet", None, None)


async def test_one_that_works_tells_how_well():
    world = World()
    world.sampled(*[FAILED] * 2, *[PASSED] * 9998)
    card = await world.desk.probe("shop")
    assert card.headline == "up · 99.98% of 30 days · p95 20 ms"
    assert card.counts == Counts(10_000, 2)
    assert card.budget == pytest.approx(0.8)
    assert card.latest == world.samples.kept[-1]


@pytest.mark.parametrize(
    ("alarm", "state"),
    [
        (Alarm.FAST_BURN, "burning"),
        (Alarm.TICKET_BURN, "burning"),
        (Alarm.FAILING, "failing"),
        (Alarm.SILENT, "silent"),
    ],
)
async def test_an_alarm_is_the_state(alarm, state):
    world = World()
    world.sampled(PASSED)
    world.fires(alarm)
    assert await world.state() == state


async def test_one_whose_latest_samples_all_failed_is_failing_before_it_alerts():
    world = World()
    world.sampled(*[PASSED] * 20, *[FAILED] * 10)
    assert await world.state() == "failing"
    world.sampled(PASSED)
    assert await world.state() == "up"


async def test_cut_off_ourselves_nothing_is_known_of_any():
    world = World()
    world.sampled(PASSED)
    world.fires(Alarm.SILENT, PROBER)
    assert await world.state() == "cut-off"
    page = await world.desk.status(public=True)
    assert page.cut_off
    assert page.headline == "Of 1 of 1 nothing is known"


async def test_a_silence_is_seen_and_can_be_ended():
    world = World()
    world.sampled(PASSED)
    silence = await world.desk.silence("shop", HOUR, "ada", "a deploy")
    assert await world.state() == "maintenance"
    assert await world.desk.silences() == (silence,)
    assert await world.desk.unsilence(silence.id, "ada")
    assert await world.state() == "up"
    assert not await world.desk.unsilence(silence.id, "ada")


async def test_what_is_not_there_is_refused_and_what_is_there_named():
    desk = World().desk
    for asked in (desk.probe("shp"), desk.samples("shp"), desk.silence("shp", HOUR, "ada", "")):
        with pytest.raises(Refused, match="there is no probe `shp`; there is shop"):
            await asked
    with pytest.raises(Refused, match="longer than nothing"):
        await desk.silence("shop", timedelta(0), "ada", "")


async def test_the_status_page_shows_90_days_and_what_happened():
    world = World(a_probe(target="production"), a_probe("secret", public=False))
    world.sampled(*[PASSED] * 10)
    world.sampled(*[PASSED] * 10, until=NOON - DAY)
    world.sampled(*[FAILED] * 5, *[PASSED] * 5, until=NOON - 2 * DAY)
    world.sampled(FAILED, *[PASSED] * 9, until=NOON - 3 * DAY)
    world.sampled(*[BROKEN] * 5, until=NOON - 4 * DAY)
    incident = Incident("shop", Alarm.FAST_BURN, NOON - 2 * DAY, NOON - DAY, "it burned", "production #7 (abc1234)")
    await world.alerts.open_incident(incident)
    await world.alerts.open_incident(Incident("secret", Alarm.SILENT, NOON - HOUR, None, ""))
    page = await world.desk.status(public=True)
    [(card, days)] = page.probes
    assert card.probe.name == "shop"
    assert card.latest is None, "what it was answered is nobody's business"
    assert len(days) == 90
    assert [day.worst for day in days[-5:]] == ["unknown", "degraded", "down", "up", "up"]
    assert days[-1].at == NOON.replace(hour=0)
    assert [(one.probe, one.suspect) for one in page.incidents] == [("shop", "")]
    assert page.headline == "Everything works"
    assert len((await world.desk.status(public=False)).probes) == 2


async def test_the_status_of_one_asks_for_that_one_alone():
    world = World(a_probe(), a_probe("search"), a_probe("secret", public=False))
    world.sampled(*[PASSED] * 10)
    world.sampled(*[FAILED] * 10, probe="search")
    await world.alerts.open_incident(Incident("search", Alarm.FAST_BURN, NOON - HOUR, None, ""))
    asked = world.asked()
    page = await world.desk.status(public=True, name="shop")
    assert [card.counts for card, _ in page.probes] == [Counts(10)]
    assert [days[-1].counts for _, days in page.probes] == [Counts(10)]
    assert page.incidents == ()
    assert asked
    assert set(asked) == {("shop",)}


@pytest.mark.parametrize("name", ["secret", "nobody's"])
async def test_one_that_is_not_to_be_seen_is_not_there(name):
    world = World(a_probe(), a_probe("secret", public=False))
    assert (await world.desk.status(public=True, name=name)).probes == ()


async def test_several_are_told_of_at_once_and_a_stranger_is_refused():
    world = World(a_probe(), a_probe("search"))
    world.sampled(PASSED)
    found = await world.desk.series_of(["shop", "search"], NOON - HOUR, NOON, HOUR)
    assert [(name, [point.counts for point in points]) for name, points in found.items()] == [("shop", [Counts(1)])]
    with pytest.raises(Refused, match="no probe `shp`"):
        await world.desk.series_of(["shop", "shp"], NOON - HOUR, NOON, HOUR)


@pytest.mark.parametrize(
    ("states", "headline"),
    [
        (["up", "up"], "Everything works"),
        (["up", "failing"], "1 of 2 does not work"),
        (["burning", "failing", "silent"], "2 of 3 do not work"),
        (["up", "silent"], "Of 1 of 2 nothing is known"),
        ([], "Nothing is probed"),
    ],
)
def test_a_page_says_it_in_a_line(states, headline):
    assert cards.page_headline(states) == headline


def test_what_failed_once_is_never_all_of_it():
    assert cards.percent(Counts(1_000_000, 1)) == "99.99%"
    assert cards.percent(Counts(1_000_000, 0)) == "100%"


SINCE = NOON - 10 * MINUTE


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        pytest.param([], Soaked(known=False), id="nothing yet is no success"),
        pytest.param([BROKEN], Soaked(known=False), id="what could not be run says nothing"),
        pytest.param([PASSED] * 3, Soaked(total=3), id="all passed"),
        pytest.param(
            [PASSED, FAILED, FAILED],
            Soaked(failed=2, total=3, worst="shop: it answers: the status is 500, expected one below 400"),
            id="some failed",
        ),
        pytest.param([FAILED] * 15 + [PASSED] * 20, Soaked(total=20), id="what was before does not count"),
    ],
)
async def test_a_soak_counts_what_came_since(outcomes, expected):
    world = World(a_probe(target="production"), a_probe("other"))
    world.sampled(*outcomes)
    world.sampled(FAILED, probe="other")
    assert await soak(world.probes, world.samples, "production", SINCE, NOON) == expected


async def test_a_target_without_probes_has_none_that_fail():
    world = World()
    assert await soak(world.probes, world.samples, "production", SINCE, NOON) == Soaked()


async def test_one_probe_that_said_nothing_leaves_a_target_unknown():
    world = World(a_probe(target="production"), a_probe("api", target="production"))
    world.sampled(PASSED)
    assert await soak(world.probes, world.samples, "production", SINCE, NOON) == Soaked(total=1, known=False)
