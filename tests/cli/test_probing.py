"""`mayfly probes` and `mayfly silence`. Only a socket on loopback is needed."""

import json
from datetime import UTC, datetime

import pytest

from controller.api.probe_schemas import ProbeOut, ProbesOut
from controller.probes.cards import headline
from controller.probes.desk import ProbeCard
from controller.probes.model import Alarm, Counts, Health
from tests.cli.conftest import Mayfly, Stub
from tests.probes.examples import a_probe

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVIL = "\x1b[31m[red]3 of 5[/] failed"


def cards() -> dict[str, object]:
    """As the API has them: `shop` burns, `docs` has no objective and was never sampled."""
    shop, docs, counts = a_probe(), a_probe("docs", objective=None), Counts(10_000, 3)
    burns = ((Alarm.FAST_BURN, Health(NOON, NOON, EVIL, "production #7 (abc1234)")),)
    found = [
        ProbeCard(shop, "burning", headline("burning", shop, counts, None), counts=counts, budget=0.7, alarms=burns),
        ProbeCard(docs, "unknown", "not sampled yet"),
    ]
    return ProbesOut(probes=[ProbeOut.of_card(card) for card in found]).model_dump(mode="json")


@pytest.fixture
def shop(stub: Stub) -> Stub:
    stub.says("GET /api/v1/probes", cards())
    return stub


def test_probes_are_a_table(shop: Stub, mayfly: Mayfly):
    result = mayfly("probes")
    assert result.exit_code == 0
    header, first, alarm, second = [line.strip() for line in result.stdout.splitlines()]
    assert header.split() == ["probe", "state", "budget", "left", "what"]
    assert first.split(maxsplit=3) == ["shop", "burning", "70.0%", "99.97% of 30 days, of 99.9% over 30 days"]
    assert alarm == "fast-burn:  [31m[red]3 of 5[/] failed; after production #7 (abc1234)"
    assert second.split(maxsplit=2) == ["docs", "unknown", "not sampled yet"]


def test_probes_as_json_are_what_the_api_says(shop: Stub, mayfly: Mayfly):
    assert json.loads(mayfly("probes", "--json").stdout) == cards()


def test_where_nothing_is_probed_one_is_told_where_to_say_it(stub: Stub, mayfly: Mayfly):
    stub.says("GET /api/v1/probes", {"probes": []})
    result = mayfly("probes")
    assert (result.stdout, result.stderr) == ("", "Nothing is probed: `probes` in mayfly.yaml says what is.\n")


def test_a_silence_is_asked_for_by_whoever_asks(stub: Stub, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOGNAME", "ada")
    stub.says("POST /api/v1/silences", {"id": "s1", "ends": "2026-03-01T14:00:00Z"}, 201)
    result = mayfly("silence", "shop", "--for", "2h", "--reason", "we move")
    assert result.exit_code == 0
    assert stub.told == [{"probe": "shop", "lasts": 7200, "because": "we move", "actor": "ada"}]
    assert result.stdout.startswith("Nobody is told of shop for 2 h, until ")


def test_a_silence_as_json_is_what_the_api_says(stub: Stub, mayfly: Mayfly):
    stub.says("POST /api/v1/silences", {"id": "s1", "ends": "2026-03-01T14:00:00Z"}, 201)
    told = json.loads(mayfly("silence", "shop", "--for", "2h", "--reason", "we move", "--json").stdout)
    assert told == {"id": "s1", "ends": "2026-03-01T14:00:00Z"}


@pytest.mark.parametrize("lasts", ["soon", "0s", "100 ms"])
def test_a_silence_that_is_over_before_it_begins_is_not_asked_for(stub: Stub, mayfly: Mayfly, lasts: str):
    result = mayfly("silence", "shop", "--for", lasts, "--reason", "we move")
    assert (result.exit_code, result.stderr.startswith("--for: "), stub.told) == (2, True, [])


def test_a_silence_needs_a_reason(stub: Stub, mayfly: Mayfly):
    assert mayfly("silence", "shop", "--for", "2h").exit_code == 2
    assert stub.told == []


def test_a_probe_that_is_not_known_is_told_by_the_controller(stub: Stub, mayfly: Mayfly):
    detail = "there is no probe `shpo`; there is shop"
    stub.says("POST /api/v1/silences", {"title": "Not Found", "detail": detail}, 404)
    result = mayfly("silence", "shpo", "--for", "2h", "--reason", "we move")
    assert (result.exit_code, result.stderr) == (2, f"{detail}\n")
