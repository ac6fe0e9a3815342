"""The commands that ask a running controller. Only a socket on loopback is needed."""

import json
from pathlib import Path

import pytest

from tests.cli.cards import EXAMPLES, card_json
from tests.cli.conftest import FORGE, Mayfly, Stub
from tests.fakes.desk import FAILED

EVENT = {"at": "2026-03-01T12:00:00Z", "kind": "push", "text": "pushed abc1234", "actor": "ada", "revision": ""}


@pytest.fixture
def shop(stub: Stub) -> Stub:
    """shop#7 `few-left` is ready, shop#8 failed."""
    cards = [card_json(number=7, branch="few-left"), card_json(FAILED, number=8, branch="broken")]
    stub.says("GET /api/v1/previews", {"previews": cards})
    for card in cards:
        path = f"GET /api/v1/previews/{card['repo']}/{card['number']}"
        stub.says(path, card)
        stub.says(f"{path}/timeline?limit=15", {"events": [EVENT]})
    return stub


def test_ls_lists_previews(shop: Stub, mayfly: Mayfly):
    result = mayfly("ls")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["preview", "branch", "state", "age", "what"]
    rows = [line.split()[:3] for line in lines[1:] if line.startswith("shop#")]
    assert rows == [["shop#7", "few-left", "ready"], ["shop#8", "broken", "failed"]]
    assert "http://pr-7-shop.localhost:8080" in result.stdout


def test_ls_cuts_no_name_on_a_narrow_terminal(shop: Stub, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "60")
    words = mayfly("ls").stdout.split()
    assert {"shop#7", "few-left", "ready", "shop#8", "failed"} <= set(words)


def test_ls_as_json_is_what_the_api_says(shop: Stub, mayfly: Mayfly):
    seen = json.loads(mayfly("ls", "--json").stdout)["previews"]
    assert [card["number"] for card in seen] == [7, 8]
    assert seen[0]["preview"]["database"] == card_json()["preview"]["database"]  # type: ignore[index]


def test_ls_of_nothing_says_what_to_do_and_keeps_stdout_empty(stub: Stub, mayfly: Mayfly):
    stub.says("GET /api/v1/previews", {"previews": []})
    result = mayfly("ls")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No pull request is open: `git push preview my-branch` opens one.\n"


def test_ls_tells_that_removals_wait(shop: Stub, mayfly: Mayfly):
    shop.says("GET /api/v1/status", {"version": "1", "alarm": "9 previews would be removed at once", "forge": FORGE})
    assert mayfly("ls").stderr == ("9 previews would be removed at once\n`mayfly approve-removals` lets it go on.\n")


def test_nobodys_branch_colours_a_terminal(stub: Stub, mayfly: Mayfly):
    stub.says("GET /api/v1/previews", {"previews": [card_json(branch="\x1b[31m[red]x[/]\x07")]})
    assert " [31m[red]x[/] " in mayfly("ls").stdout


@pytest.mark.parametrize("key", ["8", "broken", "shop#8"])
def test_show_tells_why_it_failed(shop: Stub, mayfly: Mayfly, key: str):
    result = mayfly("show", key)
    assert result.exit_code == 0
    preview = EXAMPLES[FAILED].preview
    assert preview is not None
    assert preview.reason in result.stdout
    assert "pushed abc1234" in result.stdout


def test_show_as_json_has_the_timeline(shop: Stub, mayfly: Mayfly):
    assert json.loads(mayfly("show", "7", "--json").stdout)["timeline"] == [EVENT]


def test_logs_are_printed_as_they_are(shop: Stub, mayfly: Mayfly):
    shop.says("GET /api/v1/previews/shop/7/logs?lines=2&follow=false&service=web", "[one]\ntwo\n")
    assert mayfly("logs", "few-left", "web", "-n", "2").stdout == "[one]\ntwo\n"


def test_logs_are_followed_until_the_other_side_ends(shop: Stub, mayfly: Mayfly):
    shop.says("GET /api/v1/previews/shop/7/logs?lines=200&follow=true", "one\ntwo\n")
    assert mayfly("logs", "-f", "7").stdout == "one\ntwo\n"


def test_a_service_that_is_not_there_is_explained_by_the_controller(shop: Stub, mayfly: Mayfly):
    path = "GET /api/v1/previews/shop/7/logs?lines=200&follow=false&service=wbe"
    shop.says(path, {"title": "Not Found", "detail": "shop#7 has no service `wbe`; it has `web`"}, 404)
    result = mayfly("logs", "7", "wbe")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "shop#7 has no service `wbe`; it has `web`\n"


def test_open_prints_the_url(shop: Stub, mayfly: Mayfly):
    assert mayfly("open", "7", "--print").stdout == f"{card_json()['url']}\n"


def test_open_without_a_key_is_the_dashboard(shop: Stub, mayfly: Mayfly):
    assert mayfly("open", "--print").stdout.startswith("http://localhost:")


def test_run_says_who_asks(shop: Stub, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOGNAME", "ada")
    shop.says("POST /api/v1/previews/shop/7/commands", {"accepted": True, "answer": "It stays."}, 202)
    assert mayfly("run", "few-left", "/preview pin for the demo").stdout == "It stays.\n"
    assert shop.told == [{"command": "/preview pin for the demo", "actor": "ada"}]


def test_a_command_that_is_not_taken_exits_with_1(shop: Stub, mayfly: Mayfly):
    answer = "`/preview pni` is not a command. Did you mean `/preview pin`?"
    shop.says("POST /api/v1/previews/shop/7/commands", {"accepted": False, "answer": answer}, 422)
    result = mayfly("run", "7", "pni")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", answer + "\n")


def test_a_command_that_is_not_taken_is_json_too(shop: Stub, mayfly: Mayfly):
    shop.says("POST /api/v1/previews/shop/7/commands", {"accepted": False, "answer": "no"}, 422)
    result = mayfly("run", "7", "pni", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"accepted": False, "answer": "no"})


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "Nothing waits for approval.\n"), (1, "1 removal may go on.\n"), (9, "9 removals may go on.\n")],
)
def test_removals_are_approved(stub: Stub, mayfly: Mayfly, count: int, text: str):
    stub.says("POST /api/v1/removals/approve", {"approved": count})
    assert mayfly("approve-removals").stdout == text


@pytest.mark.parametrize("command", [["ls"], ["show", "7"], ["logs", "7"], ["open"], ["run", "7", "pin"]])
def test_a_controller_that_is_not_there_exits_with_3(home: Path, mayfly: Mayfly, command: list[str]):
    (home / "mayfly.yaml").write_text("listen: 127.0.0.1:1\n")
    if command == ["open"]:
        assert mayfly(*command, "--print").exit_code == 0
        return
    result = mayfly(*command)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Mayfly is not running: start it with `mayfly serve`\n"


def test_an_unavailable_forge_exits_with_3(stub: Stub, mayfly: Mayfly):
    stub.says("GET /api/v1/previews", {"title": "Service Unavailable", "detail": "the forge cannot be read"}, 503)
    result = mayfly("ls")
    assert (result.exit_code, result.stderr) == (3, "the forge cannot be read\n")


@pytest.mark.parametrize("body", ["<html>hello", '{"previews": 7}', ""])
def test_another_program_on_the_port_is_recognised(stub: Stub, mayfly: Mayfly, body: str):
    stub.says("GET /api/v1/previews", body)
    result = mayfly("ls")
    assert result.exit_code == 3
    assert "does not answer as this Mayfly does: another program, or another version" in result.stderr


def test_a_mistake_in_the_policy_names_the_line_and_the_nearest_word(home: Path, mayfly: Mayfly):
    (home / "mayfly.yaml").write_text("domain: localhost\nlisten_: 127.0.0.1:1\n")
    result = mayfly("ls")
    assert result.exit_code == 2
    assert f"{home / 'mayfly.yaml'}: line 2, column 1: `listen_`: unknown key" in result.stderr
    assert "Did you mean `listen`?" in result.stderr


def test_where_there_is_no_home_init_is_advised(tmp_path: Path, mayfly: Mayfly, home: Path):
    home.rmdir()
    result = mayfly("ls")
    assert result.exit_code == 2
    assert result.stderr == (
        f"there is no `.mayfly` in {tmp_path} or above it: `mayfly init` in a git checkout makes one\n"
    )


def test_a_home_is_found_above_the_folder(shop: Stub, mayfly: Mayfly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    assert mayfly("ls").exit_code == 0


def test_a_home_can_be_named(shop: Stub, mayfly: Mayfly, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir("/")
    assert mayfly("ls", "--home", str(home)).exit_code == 0
    monkeypatch.setenv("MAYFLY_HOME", str(home))
    assert mayfly("ls").exit_code == 0
    assert mayfly("ls", "--home", "/nowhere").stderr == "/nowhere: there is no such folder\n"
