"""`mayfly token`, and how every other command shows its token. On a real History in the home; no server."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Mayfly, Stub

STATUS = {"previews": []}


def made(mayfly: Mayfly, *words: str) -> dict[str, str]:
    result = mayfly("token", "create", "--name", "ci", "--scope", "operate", "--json", *words)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_token_is_printed_alone_and_once(home: Path, mayfly: Mayfly):
    result = mayfly("token", "create", "--name", "ci", "--scope", "operate", "--expires", "90d")
    assert result.exit_code == 0
    assert result.stdout.startswith("mayfly_")
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr.startswith("Keep it: it is shown this once. It is ci's, may read and operate, and expires on ")
    listed = mayfly("token", "list").stdout
    assert "ci" in listed
    assert result.stdout.strip().split("_", 2)[2] not in listed
    assert result.stdout.strip().encode() not in (home / "history.sqlite3").read_bytes()


def test_one_that_is_revoked_is_listed_as_that(home: Path, mayfly: Mayfly):
    token = made(mayfly)
    assert mayfly("token", "revoke", token["id"]).stdout == "Revoked: within 5 s it is worth nothing anywhere.\n"
    (kept,) = json.loads(mayfly("token", "list", "--json").stdout)["tokens"]
    assert kept["id"] == token["id"]
    assert kept["revoked_at"]
    assert "revoked" in mayfly("token", "list").stdout
    again = mayfly("token", "revoke", token["id"])
    assert (again.exit_code, "revoked before" in again.stderr) == (2, True)


def test_before_there_are_any_one_is_told_how_to_make_one(home: Path, mayfly: Mayfly):
    assert mayfly("token", "list").stderr == (
        "There are no tokens: `mayfly token create --name me --scope admin` makes one.\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "ci", "--scope", "root"], "--scope: 'root' is none; there are `read`, `operate`, `admin`, `agent`"),
        (["--name", " ", "--scope", "read"], "--name"),
        (["--name", "ci", "--scope", "read", "--expires", "soon"], "--expires"),
        (["--name", "ci", "--scope", "read", "--expires", "0s"], "--expires"),
    ],
)
def test_what_is_no_token_is_told_before_anything_is_made(home: Path, mayfly: Mayfly, words: list[str], said: str):
    result = mayfly("token", "create", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(said)
    assert not (home / "history.sqlite3").exists()


def test_a_command_sends_the_token_of_the_environment(stub: Stub, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch):
    stub.says("GET /api/v1/previews", STATUS)
    mayfly("ls")
    monkeypatch.setenv("MAYFLY_TOKEN", "mayfly_mine")
    mayfly("ls")
    assert stub.tokens == {None, "Bearer mayfly_mine"}


@pytest.mark.parametrize(
    ("token", "said"), [("", "wants a token: put yours into MAYFLY_TOKEN"), ("x", "in MAYFLY_TOKEN is not known here")]
)
def test_who_is_not_let_in_is_told_what_to_do(
    stub: Stub, mayfly: Mayfly, monkeypatch: pytest.MonkeyPatch, token: str, said: str
):
    monkeypatch.setenv("MAYFLY_TOKEN", token)
    stub.says("GET /api/v1/previews", {"title": "Unauthorized", "detail": "no"}, status=401)
    result = mayfly("ls")
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_who_has_too_little_scope_is_told_which_is_needed(stub: Stub, mayfly: Mayfly):
    detail = "this needs the scope `operate`, and your token has `read`"
    stub.says("GET /api/v1/previews", {"title": "Forbidden", "detail": detail}, status=403)
    result = mayfly("ls")
    assert (result.exit_code, result.stderr) == (2, f"{detail}\n")
