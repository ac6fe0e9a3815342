"""What all alerts do. A subclass provides `alerts`, and `beside`: the same ones, as another controller has them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.probes.model import Alarm, Health, Incident, Silence
from controller.probes.ports import Alerts

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
BURNS = Health(NOON, NOON + HOUR, "20 times the allowed rate", "production #7 (abc1234)")


def an_incident(began: datetime = NOON, ended: datetime | None = None, probe: str = "cart") -> Incident:
    return Incident(probe, Alarm.FAST_BURN, began, ended, "20 times the allowed rate", "production #7 (abc1234)")


def a_silence(name: str = "1", begins: datetime = NOON, ends: datetime = NOON + HOUR) -> Silence:
    return Silence(name, "cart", begins, ends, "ada", "we move")


class AlertsContract:
    async def test_new_ones_say_nothing(self, alerts: Alerts) -> None:
        assert await alerts.healths() == {}
        assert (await alerts.incidents(NOON), await alerts.silences(NOON)) == ((), ())

    async def test_each_alarm_of_a_probe_stands_for_itself(self, alerts: Alerts, beside: Alerts) -> None:
        await alerts.keep_health("cart", Alarm.FAST_BURN, Health(NOON))
        await alerts.keep_health("cart", Alarm.SILENT, Health(NOON))
        await beside.keep_health("cart", Alarm.FAST_BURN, BURNS)
        await alerts.keep_health("checkout", Alarm.FAST_BURN, BURNS)
        assert await alerts.healths() == {
            ("cart", Alarm.FAST_BURN): BURNS,
            ("cart", Alarm.SILENT): Health(NOON),
            ("checkout", Alarm.FAST_BURN): BURNS,
        }

    async def test_one_that_is_as_at_first_is_not_kept(self, alerts: Alerts) -> None:
        for health in (Health(), BURNS, Health()):
            await alerts.keep_health("cart", Alarm.FAST_BURN, health)
        assert await alerts.healths() == {}

    async def test_an_incident_begins_and_ends_once(self, alerts: Alerts, beside: Alerts) -> None:
        await alerts.open_incident(an_incident())
        await beside.open_incident(replace(an_incident(), because="told again"))
        assert await alerts.incidents(NOON + 9 * HOUR) == (an_incident(),)
        for ended in (NOON + HOUR, NOON + 2 * HOUR):
            await alerts.close_incident("cart", Alarm.FAST_BURN, NOON, ended)
        await beside.open_incident(an_incident())
        assert await alerts.incidents(NOON) == (an_incident(ended=NOON + HOUR),)

    @pytest.mark.parametrize(
        ("probe", "alarm", "began"),
        [
            pytest.param("checkout", Alarm.FAST_BURN, NOON, id="another probe"),
            pytest.param("cart", Alarm.SILENT, NOON, id="another alarm"),
            pytest.param("cart", Alarm.FAST_BURN, NOON + HOUR, id="another beginning"),
        ],
    )
    async def test_another_incident_stays_open(self, alerts: Alerts, probe: str, alarm: Alarm, began: datetime) -> None:
        await alerts.open_incident(an_incident())
        await alerts.close_incident(probe, alarm, began, NOON + 2 * HOUR)
        assert await alerts.incidents(NOON) == (an_incident(),)

    async def test_incidents_are_those_that_went_on_since_oldest_first(self, alerts: Alerts) -> None:
        over, lately = an_incident(NOON, NOON + HOUR), an_incident(NOON + HOUR, NOON + 2 * HOUR)
        for incident in (lately, over, an_incident(NOON - HOUR)):
            await alerts.open_incident(incident)
        assert await alerts.incidents(NOON + HOUR) == (an_incident(NOON - HOUR), over, lately)
        assert await alerts.incidents(NOON + HOUR + timedelta(microseconds=1)) == (an_incident(NOON - HOUR), lately)

    async def test_silences_are_those_that_are_not_over(self, alerts: Alerts) -> None:
        to_come = a_silence("2", NOON + HOUR, NOON + 2 * HOUR)
        await alerts.silence(to_come)
        await alerts.silence(a_silence())
        assert await alerts.silences(NOON + HOUR - timedelta(microseconds=1)) == (a_silence(), to_come)
        assert await alerts.silences(NOON + HOUR) == (to_come,)

    async def test_a_silence_stands_in_place_of_the_one_before(self, alerts: Alerts, beside: Alerts) -> None:
        await alerts.silence(a_silence())
        await beside.silence(a_silence(ends=NOON))
        assert await alerts.silences(NOON) == ()

    @pytest.mark.parametrize(
        "word",
        [pytest.param("a\0b", id="NUL"), pytest.param("a\ud800b", id="half"), pytest.param("🛒" * 9999, id="long")],
    )
    async def test_words_of_any_sort_stop_nothing(self, alerts: Alerts, word: str) -> None:
        await alerts.keep_health(word, Alarm.SILENT, Health(NOON, because=word, suspect=word))
        await alerts.open_incident(replace(an_incident(probe=word), because=word))
        await alerts.close_incident(word, Alarm.FAST_BURN, NOON, NOON + HOUR)
        await alerts.silence(replace(a_silence(word), because=word))
        await alerts.silence(replace(a_silence(word), because=word))
        assert len(await alerts.healths()) == len(await alerts.silences(NOON)) == 1
        assert [incident.ended for incident in await alerts.incidents(NOON)] == [NOON + HOUR]
