from datetime import timedelta

import pytest

from controller.settings.cron import pace
from controller.settings.probing import circle
from tests.probes.examples import a_probe


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        pytest.param({"every": "1h"}, "it burns by its latest 5m", id="too seldom for its objective"),
        pytest.param({"cron": "0 * * * *"}, "`every: 1h` is too long", id="the same, by cron"),
        pytest.param({"objective": "70% over 30 days"}, "never pages", id="an objective that pages nobody"),
        pytest.param({"cron": "* * * * 1-5"}, "days of the week by name", id="days by number"),
        pytest.param({"cron": "61 * * * *"}, "is no cron line", id="no such minute"),
        pytest.param({"cron": "0 0 30 2 *"}, "never comes", id="the 30th of February"),
        pytest.param({"checks": [{"name": "it", "command": {"run": "ls"}}]}, "starts no processes", id="a command"),
        pytest.param({"checks": [{"name": "it", "browser": {}}]}, "starts no processes", id="a browser"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(said, problem):
    with pytest.raises(ValueError, match=problem):
        a_probe(**said)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"every": "1h", "objective": None}, id="seldom, without an objective"),
        pytest.param({"every": "1h", "alerts": {"burn": False}}, id="seldom, and nobody is told of burns"),
        pytest.param({"objective": "70% over 30 days", "alerts": {"rule": "3 of 5"}}, id="a rule pages instead"),
        pytest.param({"cron": "*/5 8-18 * * mon-fri"}, id="in the hours of work"),
        pytest.param({"checks": [{"name": "it", "dns": {"name": "localhost"}}]}, id="a name"),
    ],
)
def test_what_can_work_is_taken(said):
    assert a_probe(**said).name == "shop"


def test_the_pace_of_a_cron_line_is_its_usual_one():
    assert pace("*/5 8-18 * * mon-fri") == timedelta(minutes=5)
    assert pace("0,1 * * * *") == timedelta(minutes=59)


def test_probes_that_wait_for_each_other_in_a_circle_are_found():
    a, b, c = a_probe("a", depends_on=["b"]), a_probe("b", depends_on=["a"]), a_probe("c", depends_on=["a"])
    assert set(circle([a, b, c]).split(" → ")) == {"a", "b"}
    assert circle([a_probe("a", depends_on=["b"]), a_probe("b")]) == ""
