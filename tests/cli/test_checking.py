"""`mayfly check` against a server on loopback."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Mayfly, Stub

pytestmark = pytest.mark.processes


@pytest.fixture
def url(stub: Stub, home: Path) -> str:
    """Of a page that says Welcome, and nothing else."""
    stub.says("GET /", "Welcome")
    return f"http://{(home / 'mayfly.yaml').read_text().split()[1]}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "checks.yaml"


def checks(body: str) -> str:
    return f"checks:\n  - name: the page\n    http: {{path: /, expect: {{body: {body}}}}}\n"


@pytest.mark.parametrize(("body", "code", "outcome"), [("Welcome", 0, "passed"), ("Goodbye", 1, "failed")])
def test_a_check_file_is_run(mayfly: Mayfly, url: str, file: Path, body: str, code: int, outcome: str):
    file.write_text(checks(body))
    result = mayfly("check", file, "--url", url, "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["results"][0]["attempts"][0]["outcome"] == outcome


def test_a_table_tells_a_person(mayfly: Mayfly, url: str, file: Path):
    file.write_text(checks("Welcome"))
    assert "the page" in mayfly("check", file, "--url", url).output


def test_a_suite_of_a_spec_is_run(mayfly: Mayfly, url: str, tmp_path: Path):
    spec = tmp_path / ".preview.yaml"
    indented = checks("Welcome").removeprefix("checks:\n").replace("\n", "\n  ")
    spec.write_text(f"services: {{web: {{command: 'true'}}}}\nchecks:\n  e2e:\n  {indented}\n")
    assert mayfly("check", spec, "--url", url, "--suite", "e2e").exit_code == 0
    result = mayfly("check", spec, "--url", url)
    assert (result.exit_code, result.stderr) == (2, f"{spec} has no suite `smoke`; it has `e2e`\n")


def test_a_mistake_names_file_line_column_and_the_nearest_word(mayfly: Mayfly, file: Path):
    file.write_text("checks:\n  - name: the page\n    htpp: {path: /}\n")
    result = mayfly("check", file, "--url", "http://127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{file}: line 3, column 5: `checks.0.htpp`: unknown key" in result.stderr
    assert "Did you mean `http`?" in result.stderr


def test_a_file_that_is_not_there_is_told(mayfly: Mayfly, file: Path):
    result = mayfly("check", file, "--url", "http://127.0.0.1:1")
    assert (result.exit_code, result.stderr) == (2, f"{file}: there is no such file\n")


def test_a_url_that_is_none_is_told(mayfly: Mayfly, file: Path):
    file.write_text(checks("x"))
    assert mayfly("check", file, "--url", "ftp:/x").exit_code == 2
