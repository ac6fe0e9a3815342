"""The command as a whole: help, versions, exit codes, what it loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli.schema import policy_schema, spec_schema
from tests.cli.conftest import Mayfly, Stub

COMMANDS = (
    "init",
    "serve",
    "demo",
    "ls",
    "show",
    "logs",
    "open",
    "run",
    "approve-removals",
    "check",
    "schema",
    "doctor",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_exit_codes(mayfly: Mayfly, command: str):
    result = mayfly(command, "--help")
    assert result.exit_code == 0
    assert "Exit codes: 0 it holds; 1 it failed; 2 the command or a file is wrong; 3 not known" in result.stdout


def test_the_version_is_told(mayfly: Mayfly):
    assert mayfly("--version").stdout.startswith("mayfly 0.")


def test_an_unknown_command_is_answered_with_the_nearest(mayfly: Mayfly):
    result = mayfly("shwo")
    assert result.exit_code == 2
    assert "No such command 'shwo'. Did you mean" in result.stderr
    assert "'show'" in result.stderr


def test_the_published_schema_is_current():
    published = Path(__file__).parents[2] / "docs" / "preview.schema.json"
    assert published.read_text() == spec_schema(), "make it anew: mayfly schema > docs/preview.schema.json"


def test_the_schema_describes_its_keys(mayfly: Mayfly):
    schema = json.loads(mayfly("schema").stdout)
    assert schema["required"] == ["services"]
    assert "Path that answers below 400" in schema["$defs"]["ServiceSpec"]["properties"]["health"]["description"]


def test_the_policy_has_a_schema_too(mayfly: Mayfly):
    assert mayfly("schema", "--policy").stdout == policy_schema()
    assert "HOST:PORT" in json.loads(policy_schema())["properties"]["listen"]["description"]


@pytest.mark.processes
@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        pytest.param(
            ["--help"], {"pydantic", "fastapi", "sqlalchemy", "httpx", "yaml", "controller.settings"}, id="help"
        ),
        pytest.param(["ls"], {"fastapi", "sqlalchemy", "httpx", "aiohttp", "psycopg", "uvicorn"}, id="ls"),
    ],
)
def test_a_command_loads_only_what_it_needs(tmp_path: Path, words: list[str], unneeded: set[str]):
    program = (
        "import sys, atexit; atexit.register(lambda: print(*sys.modules))\n"
        f"from controller.cli.main import app; app({words!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "MAYFLY_HOME"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "controller.cli.main" in loaded
    assert not loaded & unneeded


@pytest.mark.parametrize("listen", ["8080", "here:http", "x:99999"])
def test_a_listen_that_is_no_address_is_explained(home: Path, mayfly: Mayfly, listen: str):
    result = mayfly("serve", "--listen", listen)
    assert result.exit_code == 2
    assert result.stderr == f"--listen: '{listen}' is not HOST:PORT, like `127.0.0.1:8080`\n"


def test_a_platform_that_is_none_is_explained(home: Path, mayfly: Mayfly):
    result = mayfly("serve", "--platform", "nomad")
    assert result.exit_code == 2
    assert result.stderr == "--platform: 'nomad' is not `local` or `kubernetes`\n"


def test_doctor_finds_what_runs(stub: Stub, mayfly: Mayfly):
    result = mayfly("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert findings["controller"]["state"] == "ok"
    assert findings["git"]["state"] == "ok"
    assert findings["home"]["state"] == "ok"
    assert result.exit_code == 0


def test_doctor_says_how_to_get_what_is_missing(mayfly: Mayfly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = mayfly("doctor")
    assert result.exit_code == 1
    assert "not found on PATH" in result.stdout
    assert "apt install git" in result.stdout


def test_doctor_tells_a_policy_that_cannot_be_read(home: Path, mayfly: Mayfly):
    (home / "mayfly.yaml").write_text("listen: nowhere\n")
    result = mayfly("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert "line 1, column 9" in findings["home"]["seen"]
    assert result.exit_code == 1


def test_doctor_tells_another_program_on_the_port(stub: Stub, mayfly: Mayfly):
    stub.says("GET /api/v1/status", "hello")
    findings = json.loads(mayfly("doctor", "--json").stdout)["findings"]
    seen = next(finding for finding in findings if finding["what"] == "controller")
    assert seen["state"] == "absent"
    assert "another program has the port" in seen["advice"]
