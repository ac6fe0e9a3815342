from dataclasses import replace
from datetime import timedelta

import pytest

from controller.common.notices import Severity, Status
from controller.probes.judge import SEVERITY, Case, Deed, Step, about_to, judge, silent_after
from controller.probes.model import Alarm, Counts, Health
from controller.probes.words import notice
from tests.probes.examples import HOUR, MINUTE, NOON, SECOND, a_probe, a_sample

FAST, SLOW, TICKET, FAILING, SILENT = (
    Alarm.FAST_BURN,
    Alarm.SLOW_BURN,
    Alarm.TICKET_BURN,
    Alarm.FAILING,
    Alarm.SILENT,
)
TOLD = Health(NOON - HOUR, NOON - HOUR, "it burns")
DAYS = timedelta(days=3)
FINE = {5 * MINUTE: (0, 10), 30 * MINUTE: (0, 60), HOUR: (0, 120), 6 * HOUR: (0, 720), DAYS: (0, 8640)}
"""Failed and all, by window, at 30 s."""
BURNS = FINE | {5 * MINUTE: (5, 10), 30 * MINUTE: (5, 60), HOUR: (5, 120), 6 * HOUR: (5, 720), DAYS: (5, 8640)}
SLOWLY = FINE | {30 * MINUTE: (1, 60), HOUR: (1, 120), 6 * HOUR: (5, 720), DAYS: (9, 8640)}
SPARSELY = FINE | {6 * HOUR: (1, 720), DAYS: (9, 8640)}
RULE = {"rule": "3 of 5"}


def a_case(windows=FINE, healths=(), alerts=None, **said):
    counts = {window: Counts(total, failed) for window, (failed, total) in windows.items()}
    probe = a_probe(alerts=alerts or {}, **said.pop("probe", {}))
    return Case(probe, counts.__getitem__, healths=dict(healths), silent=said.pop("silent", False), **said)


def steps(case, now=NOON):
    return [(step.deed, step.alarm) for step in judge(case, now)]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(a_case(), [], id="all is well"),
        pytest.param(a_case(BURNS), [(Deed.BEGIN, FAST)], id="a burn begins, the gravest only"),
        pytest.param(a_case(SLOWLY), [(Deed.BEGIN, SLOW)], id="a slow burn"),
        pytest.param(a_case(SPARSELY), [(Deed.BEGIN, TICKET)], id="a burn for a ticket"),
        pytest.param(a_case(BURNS, {FAST: Health(NOON)}), [(Deed.TELL, FAST)], id="begun, nobody was told"),
        pytest.param(a_case(FINE, {FAST: Health(NOON)}), [(Deed.TELL, FAST)], id="over before anybody was told"),
        pytest.param(a_case(BURNS, {FAST: TOLD}), [], id="it goes on"),
        pytest.param(a_case(BURNS, {SLOW: TOLD}), [], id="one page is enough"),
        pytest.param(a_case(BURNS, {TICKET: TOLD}), [(Deed.BEGIN, FAST)], id="a ticket becomes a page"),
        pytest.param(a_case(SPARSELY, {FAST: TOLD}), [(Deed.END, FAST)], id="a page that is over: the ticket is not"),
        pytest.param(a_case(FINE, {FAST: TOLD}), [(Deed.END, FAST)], id="its short window is quiet"),
        pytest.param(
            a_case(BURNS | {5 * MINUTE: (0, 0)}, {FAST: TOLD}), [], id="no data is not good: nothing is resolved"
        ),
        pytest.param(
            a_case(BURNS, {FAST: replace(TOLD, told_at=NOON - 4 * HOUR)}), [(Deed.REMIND, FAST)], id="a reminder"
        ),
        pytest.param(
            a_case(BURNS, {FAST: replace(TOLD, told_at=NOON - 4 * HOUR + SECOND)}), [], id="a second before it"
        ),
        pytest.param(a_case(BURNS, muted=True), [], id="muted: nothing begins"),
        pytest.param(a_case(FINE, {FAST: TOLD}, muted=True), [], id="muted: nothing ends"),
        pytest.param(a_case(BURNS, waits_for="database"), [], id="its parent alerts"),
        pytest.param(a_case(FINE, {FAST: TOLD}, waits_for="database"), [(Deed.END, FAST)], id="it ends all the same"),
        pytest.param(a_case(BURNS, alerts={"burn": False}), [], id="nobody asked"),
        pytest.param(a_case(BURNS, probe={"objective": None}), [], id="nothing was promised"),
        pytest.param(a_case(BURNS, alerts={"failures": 6}), [], id="fewer than the floor"),
        pytest.param(a_case(BURNS, alerts={"failures": 5}), [(Deed.BEGIN, FAST)], id="as many as the floor"),
        pytest.param(a_case(silent=True), [(Deed.BEGIN, SILENT)], id="silence"),
        pytest.param(a_case(silent=None), [], id="not heard of yet"),
        pytest.param(a_case(healths={SILENT: TOLD}), [(Deed.END, SILENT)], id="heard of again"),
        pytest.param(a_case(healths={SILENT: TOLD}, silent=None), [], id="a restart is not heard of again"),
        pytest.param(
            a_case(alerts=RULE, latest=(False, True, False, True, False)), [(Deed.BEGIN, FAILING)], id="3 of 5"
        ),
        pytest.param(a_case(alerts=RULE, latest=(False, True, False, True, True)), [], id="2 of 5"),
        pytest.param(a_case(alerts=RULE, latest=(False, False, False)), [(Deed.BEGIN, FAILING)], id="3 of 3"),
        pytest.param(a_case(alerts=RULE, latest=(False, False)), [], id="2 of 2"),
        pytest.param(
            a_case(BURNS, {FAILING: TOLD}, RULE, latest=(False,) * 5), [], id="a burn that is told of already"
        ),
        pytest.param(a_case(healths={FAILING: TOLD}, alerts=RULE, latest=(False, True, True)), [], id="two passed"),
        pytest.param(
            a_case(healths={FAILING: TOLD}, alerts=RULE, latest=(False, True, True, True)),
            [(Deed.END, FAILING)],
            id="three passed one after the other",
        ),
        pytest.param(a_case(healths={FAILING: TOLD}, latest=(True,)), [(Deed.END, FAILING)], id="a rule that is gone"),
        pytest.param(
            a_case(healths={FAST: TOLD}, probe={"objective": None}), [(Deed.END, FAST)], id="an objective that is gone"
        ),
    ],
)
def test_the_next_step(case, expected):
    assert steps(case) == expected


def test_what_failed_before_a_page_was_over_is_not_told_again():
    asked = []

    def counts(window):
        asked.append(window)
        return Counts(10, 0)

    assert steps(replace(a_case(), counts=counts, told_until=NOON - 2 * MINUTE)) == []
    assert set(asked) == {2 * MINUTE}


def test_a_page_says_what_burns_and_how_fast():
    [step] = judge(a_case(BURNS), NOON)
    assert step.health == Health(NOON, None, "5 of 120 samples failed in 1h, 41.7 times what 99.9% over 30 days allows")


def test_told_whole():
    health = Health(NOON - MINUTE, None, "5 of 120 samples failed in 1h", "production #7 (abc1234)")
    probe = a_probe(title="The shop", target="production", notify=["pager"])
    step = Step(Deed.TELL, FAST, replace(health, told_at=NOON), health)
    told = notice(probe, step, NOON, a_sample(message="it answers: 500"), "http://mayfly/probes/shop")
    assert told.title == "The shop burns its error budget fast"
    assert told.text == (
        "5 of 120 samples failed in 1h.\nIt began after production #7 (abc1234) became live.\n"
        "Latest from here: it answers: 500"
    )
    assert (told.severity, told.status, told.about) == (Severity.PAGE, Status.FIRING, "probe:shop")
    assert told.routes == ("pager",)
    assert told.labels == {
        "probe": "shop",
        "alarm": "fast-burn",
        "target": "production",
        "suspect": "production #7 (abc1234)",
    }


def test_each_notice_of_an_alarm_has_a_name_that_a_restart_does_not_change():
    begun = Health(NOON)
    told = replace(begun, told_at=NOON + MINUTE)
    names = [
        notice(a_probe(), step, now, None, "").id
        for step, now in (
            (Step(Deed.TELL, FAST, told, begun), NOON + MINUTE),
            (Step(Deed.TELL, FAST, replace(told, told_at=NOON + HOUR), begun), NOON + HOUR),
            (Step(Deed.REMIND, FAST, replace(told, told_at=NOON + HOUR), told), NOON + HOUR),
            (Step(Deed.END, FAST, Health(), told), NOON + HOUR),
        )
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_a_probe_that_fails_is_about_to_alert_for_as_long_as_its_alarms_need():
    assert about_to(a_probe(), 2 * MINUTE)
    assert not about_to(a_probe(), 2 * MINUTE + SECOND)
    assert about_to(a_probe(alerts={"rule": "3 of 9"}), 5 * MINUTE)
    assert not about_to(a_probe(objective=None), SECOND), "nothing of it could ever alert"


def test_silence_is_three_intervals_and_five_minutes_at_least():
    assert silent_after(a_probe(every="30s")) == 5 * MINUTE
    assert silent_after(a_probe(every="4m")) == 12 * MINUTE
    assert silent_after(a_probe(alerts={"silent_after": "1m"})) == MINUTE


def test_every_alarm_has_a_severity():
    assert SEVERITY.keys() == set(Alarm)
