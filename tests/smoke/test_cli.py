import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from smoke.__main__ import main
from smoke.handover import decode
from smoke.junit import read
from smoke.model import Outcome, SuiteRun
from tests.smoke.conftest import App
from tests.smoke.examples import outcomes
from tests.smoke.test_command import STUBBORN, gone, pids

pytestmark = pytest.mark.processes


async def smoke(*words: object, **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "smoke", *map(str, words)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200", **environment},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def write(folder: Path, text: str, name: str = "checks.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("checks", "code", "words"),
    [
        pytest.param("[{name: a, http: {path: /}}]", 0, "smoke: passed", id="passed"),
        pytest.param("[{name: '[b]a', http: {path: /status/500}}]", 1, "the status is 500", id="failed"),
        pytest.param("[{name: a, http: {path: '/{x}'}}]", 3, "there is no value for `{x}`", id="broken"),
        pytest.param("[{name: a, http: {path: /flaky}, retries: 1}]", 0, "flaky", id="flaky"),
        pytest.param(
            "[{name: a, http: {path: /status/500}}, {name: b, after: [a], tcp: {port: 1}}]", 1, "skipped", id="skipped"
        ),
        pytest.param("[]", 3, "smoke: broken", id="nothing"),
    ],
)
async def test_a_run_has_a_table_and_an_exit_code(checks: str, code: int, words: str, app: App, tmp_path: Path):
    app.flaky_left = 1
    found, out, err = await smoke("run", write(tmp_path, f"checks: {checks}"), "--url", app.url)
    assert (found, err) == (code, "")
    assert words in out


async def test_tests_of_a_command_are_in_the_table(app: App, tmp_path: Path):
    cases = "<testsuite><testcase name='a' file='t.py' line='3'><failure message='1 != 2'/></testcase></testsuite>"
    write(tmp_path, cases, "made.xml")
    text = "checks: [{name: tests, command: {run: 'cp made.xml {junit}'}}]"
    arguments = ("--url", app.url, "--workdir", tmp_path, "--junit", tmp_path / "out.xml", "--output", tmp_path / "o")
    code, out, _ = await smoke("run", write(tmp_path, text), *arguments)
    assert code == 1
    assert "t.py:3 a: 1 != 2" in out
    assert [case.name for case in read((tmp_path / "out.xml").read_bytes())] == ["smoke › tests", "smoke › tests › a"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["run", "nothing.yaml", "--url", "http://x"], "nothing.yaml cannot be read", id="no file"),
        pytest.param(["run", "bad.yaml", "--url", "http://x"], "Did you mean `http`?", id="a mistake in it"),
        pytest.param(["run", "good.yaml", "--url", "x"], "is not a URL", id="no URL"),
        pytest.param(["run", "good.yaml", "--url", "http://x", "--only", "b"], "no check is called 'b'", id="no check"),
        pytest.param(["run", "good.yaml", "--url", "http://x", "--var", "b"], "is not NAME=VALUE", id="no variable"),
        pytest.param(["run", "good.yaml", "--url", "http://x", "--var", "B-=1"], "not the name of a var", id="no name"),
        pytest.param(
            ["run", "good.yaml", "--url", "http://127.0.0.1:1", "--json", "no/folder/x", "--quiet"],
            "cannot be written",
            id="no place for the result",
        ),
    ],
)
def test_what_makes_no_sense_is_explained(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    write(tmp_path, "checks: [{name: a, htp: {}}]", "bad.yaml")
    write(tmp_path, "checks: [{name: a, http: {path: /}}]", "good.yaml")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_variables_that_are_none_are_explained(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MAYFLY_VARS", text)
    assert main(["run", str(write(tmp_path, "")), "--url", "http://x"]) == 2
    assert "$MAYFLY_VARS is not" in capsys.readouterr().err


def test_the_kinds_are_listed(capsys: pytest.CaptureFixture[str]):
    assert main(["kinds"]) == 0
    assert "journey   Requests that build on each other" in capsys.readouterr().out


async def test_the_result_as_json_and_junit(app: App, tmp_path: Path):
    text = json.dumps(
        {"checks": [{"name": "a", "http": {"path": "/echo?{secret}", "expect": {"body": "?letmein-abc"}}}]}
    )
    arguments = ("--url", app.url, "--revision", "abc", "--suite", "e2e", "--var", "secret=letmein-{sha}")
    files = ("--json", tmp_path / "out.json", "--junit", tmp_path / "out.xml", "--untrusted")
    code, out, err = await smoke("run", write(tmp_path, text, "c.json"), *arguments[:-1], "secret=letmein-abc", *files)
    assert (code, out, err) == (0, "", "")
    run = SuiteRun.from_json((tmp_path / "out.json").read_bytes())
    assert (run.suite, run.revision, run.outcome) == ("e2e", "abc", Outcome.PASSED)
    assert ElementTree.parse(tmp_path / "out.xml").getroot().tag == "testsuites"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.json", "out.json", "out.xml"]


async def test_variables_from_the_environment_do_not_reach_commands_as_they_came(app: App, tmp_path: Path):
    text = "checks: [{name: a, command: {run: [python3, -c, 'import os; assert \"MAYFLY_VARS\" not in os.environ']}}]"
    code, out, _ = await smoke("run", write(tmp_path, text), "--url", app.url, MAYFLY_VARS='{"api_token": "letmein"}')
    assert code == 0, out


async def test_a_variable_has_an_environment_variable_of_its_own(app: App, tmp_path: Path):
    program = "import os; assert os.environ['API_KEY'] == 'letmein'; assert 'MAYFLY_VAR_API_KEY' not in os.environ"
    text = json.dumps({"checks": [{"name": "a", "command": {"run": ["python3", "-c", program]}}]})
    known = {"MAYFLY_VARS": '{"api_key": "old"}', "MAYFLY_VAR_API_KEY": "letmein"}
    code, out, _ = await smoke("run", write(tmp_path, text), "--url", app.url, **known)
    assert code == 0, out


@pytest.mark.parametrize(("status", "outcome"), [(200, Outcome.PASSED), (500, Outcome.FAILED)])
async def test_a_result_that_was_handed_over_is_a_success_whatever_it_says(
    status: int, outcome: Outcome, app: App, tmp_path: Path
):
    file = write(tmp_path, f"checks: [{{name: a, http: {{path: /status/{status}}}}}]")
    code, out, err = await smoke("run", file, "--url", app.url, "--hand-over")
    assert (code, err) == (0, "")
    assert all(line.startswith("mayfly-hand-over ") for line in out.splitlines()[1:])
    found = decode(out)
    assert found is not None
    assert found.run.outcome is outcome


async def test_a_result_that_cannot_be_handed_over_is_none(app: App, tmp_path: Path):
    code, out, err = await smoke("run", tmp_path / "gone.yaml", "--url", app.url, "--hand-over")
    assert (code, out) == (2, "")
    assert "gone.yaml cannot be read" in err


async def test_when_the_time_is_up_what_is_known_is_said(app: App, tmp_path: Path):
    write(tmp_path, STUBBORN, "it.py")
    commands = (
        f"{{name: stuck, command: {{run: {sys.executable} it.py}}}}, {{name: later, after: [stuck], tcp: {{port: 1}}}}"
    )
    file = write(tmp_path, f"checks: [{{name: bad, http: {{path: /status/500}}}}, {commands}]")
    until = (datetime.now(UTC) + timedelta(seconds=6)).isoformat()
    code, out, err = await smoke(
        *("run", file, "--url", app.url, "--workdir", tmp_path, "--until", until, "--hand-over")
    )
    assert (code, err) == (0, "")
    found = decode(out)
    assert found is not None
    assert outcomes(found.run.results) == {"bad": ["failed"], "stuck": ["broken"], "later": ["broken"]}
    assert found.run.results[1].attempts[0].message == "it had not ended when the time for all checks was up"
    assert found.run.error.startswith("the checks took longer than ")
    await gone(await pids(tmp_path))


async def test_checks_that_are_done_in_time_are_as_they_are(app: App, tmp_path: Path):
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    code, out, _ = await smoke(
        "run", write(tmp_path, "checks: [{name: a, http: {path: /}}]"), "--url", app.url, "--until", until
    )
    assert code == 0
    assert "smoke: passed" in out


@pytest.mark.parametrize("text", ["tomorrow", "2026-03-02T12:00:00"])
def test_a_time_that_is_none_is_explained(text: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["run", "x.yaml", "--url", "http://x", "--until", text])
    assert "--until" in capsys.readouterr().err


async def test_only_some(app: App, tmp_path: Path):
    checks = "{name: a, http: {path: /}}, {name: b, tcp: {port: 1}}, {name: c, after: [a], http: {path: /}}"
    text = f"checks: [{checks}]"
    code, out, _ = await smoke("run", write(tmp_path, text), "--url", app.url, "--only", "c")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["a", "c"]


async def test_told_to_stop_it_takes_its_children_along(app: App, tmp_path: Path):
    write(tmp_path, STUBBORN, "it.py")
    file = write(tmp_path, f"checks: [{{name: a, command: {{run: {sys.executable} it.py}}}}]")
    words = (sys.executable, "-m", "smoke", "run", str(file), "--url", app.url, "--workdir", str(tmp_path), "--quiet")
    process = await asyncio.create_subprocess_exec(*words)
    async with asyncio.timeout(60):
        children = await pids(tmp_path)
        process.terminate()
        assert await process.wait() == 128 + signal.SIGTERM
    await gone(children)
