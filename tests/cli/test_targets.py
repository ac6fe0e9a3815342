"""The commands about targets. Only a socket on loopback is needed."""

import json

import pytest

from tests.cli.conftest import Mayfly, Stub
from tests.cli.targets import releases_json, target_json
from tests.deploys.examples import BAD, GOOD, a_case, a_rollback, a_stop, restored

HERE = "/api/v1/targets/production"
BAD_ONE = a_case(GOOD, BAD, live=6, rollback=restored())


@pytest.fixture
def shop(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Production, where #7 was rolled back to #6."""
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setattr("controller.cli.targets.EVERY", 0.01)
    stub.says("GET /api/v1/targets", {"targets": [target_json(BAD_ONE)]})
    stub.says(f"GET {HERE}", target_json(BAD_ONE))
    stub.says(f"GET {HERE}/releases", {"releases": releases_json(BAD_ONE)})
    stub.says("GET /api/v1/previews", {"previews": []})
    for verb in ("rollback", "hold", "release", "redeploy"):
        stub.says(f"POST {HERE}/{verb}", {"target": "production", "answer": f"{verb} is begun"}, 202)
    return stub


def test_targets_are_listed(shop: Stub, mayfly: Mayfly):
    result = mayfly("targets")
    assert result.exit_code == 0
    header, row = result.stdout.splitlines()[:2]
    assert header.split() == ["target", "state", "release", "since", "what"]
    assert row.split()[:3] == ["production", "restored", "#6"]
    assert "https://shop.example.com" in result.stdout


def test_without_targets_it_says_what_to_do(stub: Stub, mayfly: Mayfly):
    stub.says("GET /api/v1/targets", {"targets": []})
    result = mayfly("targets")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("The policy names no `targets`")


def test_releases_are_newest_first_with_what_became_of_them(shop: Stub, mayfly: Mayfly):
    lines = mayfly("releases", "production").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("#")] == ["#7", "#6"]
    assert any("was rolled back to #6" in line for line in lines)
    assert any(line.startswith("#6 live") for line in lines)


@pytest.mark.parametrize("command", ["targets", "releases"])
def test_as_json_it_is_what_the_api_says(shop: Stub, mayfly: Mayfly, command: str):
    words = [command] if command == "targets" else [command, "production"]
    expected = {"targets": [target_json(BAD_ONE)]} if command == "targets" else {"releases": releases_json(BAD_ONE)}
    assert json.loads(mayfly(*words, "--json").stdout) == expected


def test_nobodys_commit_colours_a_terminal(stub: Stub, mayfly: Mayfly):
    told = target_json(BAD_ONE) | {"headline": "\x1b[31m[red]x[/]\x07"}
    stub.says("GET /api/v1/targets", {"targets": [told]})
    assert " [31m[red]x[/] " in mayfly("targets").stdout


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["rollback", "--to", "5", "--force"], {"to": 5, "force": True}),
        (["rollback"], {"to": None, "force": False}),
        (["redeploy", "--to", "7"], {"to": 7}),
        (["hold"], {}),
        (["release"], {}),
    ],
)
def test_it_is_asked_for_with_who_and_why(shop: Stub, mayfly: Mayfly, words: list[str], body: dict[str, object]):
    result = mayfly(words[0], "production", *words[1:], "--reason", "prices are wrong")
    assert (result.exit_code, result.stdout) == (0, f"{words[0]} is begun.\n")
    assert shop.told == [{"reason": "prices are wrong", "actor": "ada"} | body]


@pytest.mark.parametrize("verb", ["rollback", "hold", "release", "redeploy"])
def test_without_a_reason_nothing_is_asked(shop: Stub, mayfly: Mayfly, verb: str):
    assert mayfly(verb, "production").exit_code == 2
    assert shop.told == []


@pytest.mark.parametrize(("status", "code"), [(404, 2), (409, 1), (422, 1), (503, 3)])
def test_what_is_not_taken_says_why_and_what_can_be_asked(shop: Stub, mayfly: Mayfly, status: int, code: int):
    shop.says(f"POST {HERE}/hold", {"title": "No", "detail": "there is #1 (abc1234)"}, status)
    result = mayfly("hold", "production", "--reason", "x")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "there is #1 (abc1234)\n")


def going(shop: Stub, *cases: dict[str, object]) -> None:
    """The target, looked at again and again after it was asked."""
    shop.says(f"GET {HERE}", target_json())
    shop.later[f"GET {HERE}"] = [json.dumps(case) for case in cases]


def test_waiting_ends_well_where_it_was_restored(shop: Stub, mayfly: Mayfly):
    under_way = a_case(GOOD, BAD, live=6, rollback=a_rollback(order=4), order=4)
    done = a_case(GOOD, BAD, live=6, rollback=restored(order=4), order=4)
    going(shop, target_json(), target_json(under_way), target_json(done))

    result = mayfly("rollback", "production", "--reason", "x", "--wait")

    assert (result.exit_code, result.stdout) == (0, "#6 works again.\n")
    assert "  rolling back from #7" in result.stderr


def test_waiting_ends_with_1_and_what_can_be_said_where_it_was_not(shop: Stub, mayfly: Mayfly):
    stop = a_stop("#6 fails too", commands=('mayfly release production --reason "…"',))
    going(shop, target_json(a_case(GOOD, BAD, live=6, rollback=restored(order=4, restored=False), order=4, stop=stop)))

    result = mayfly("rollback", "production", "--reason", "x", "--wait")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Stopped: #6 fails too\nYou can say:\n  mayfly release production" in result.stderr


def test_waiting_as_json_tells_how_it_ended(shop: Stub, mayfly: Mayfly):
    going(shop, target_json(a_case(GOOD, BAD, live=6, rollback=restored(order=4), order=4)))
    told = json.loads(mayfly("rollback", "production", "--reason", "x", "--wait", "--json").stdout)
    assert (told["held"], told["text"], told["target"]["state"]) == (True, "#6 works again", "restored")


def test_a_redeploy_that_was_not_carried_out_ends_with_1(shop: Stub, mayfly: Mayfly):
    going(shop, target_json(order=4))
    result = mayfly("redeploy", "production", "--reason", "x", "--wait")
    assert result.exit_code == 1
    assert "It was not carried out any more" in result.stderr


def test_the_log_of_a_target_is_printed_where_no_preview_has_its_name(shop: Stub, mayfly: Mayfly):
    shop.says(f"GET {HERE}/logs?lines=2&follow=false&service=web", "one\ntwo\n")
    assert mayfly("logs", "production", "web", "-n", "2").stdout == "one\ntwo\n"


def test_what_is_neither_a_preview_nor_a_target_is_told_as_before(shop: Stub, mayfly: Mayfly):
    result = mayfly("logs", "prod")
    assert result.exit_code == 2
    assert result.stderr.startswith("there is no preview `prod`.")
