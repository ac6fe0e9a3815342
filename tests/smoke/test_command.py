import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from smoke.model import Outcome
from smoke.runner import run
from smoke.target import Target
from tests.smoke.examples import checks_of, run_one

pytestmark = pytest.mark.processes

PYTHON = sys.executable


@pytest.fixture
def here(tmp_path: Path) -> Target:
    (tmp_path / "output").mkdir()
    (tmp_path / "work").mkdir()
    variables = {"sha": "abc", "database_url": "postgresql://a:hunter2@b/c"}
    return Target("http://127.0.0.1:9", variables, tmp_path / "work", tmp_path / "output")


def script(here: Target, text: str) -> str:
    (here.workdir / "it.py").write_text(text)
    return f"{PYTHON} it.py"


def report(cases: str) -> str:
    return f"<testsuite>{cases}</testsuite>"


WRITES = "import sys; open(sys.argv[1], 'w').write(sys.argv[2]); sys.exit(int(sys.argv[3]))"
GOOD = "<testcase name='a'/>"
BAD = "<testcase name='b'><failure message='1 != 2'/></testcase>"
SKIP = "<testcase name='c'><skipped message='not today'/></testcase>"


@pytest.mark.parametrize(
    ("written", "code", "outcome", "words"),
    [
        pytest.param(report(GOOD), 0, Outcome.PASSED, "1 tests passed", id="all passed"),
        pytest.param(report(GOOD + BAD), 1, Outcome.FAILED, "1 of 2 tests failed; b: 1 != 2", id="one failed"),
        pytest.param(report(BAD), 0, Outcome.FAILED, "1 of 1 tests failed", id="one failed and it hides it"),
        pytest.param(report(GOOD), 3, Outcome.FAILED, "exited with 3, though every test passed", id="it failed itself"),
        pytest.param(report(""), 0, Outcome.BROKEN, "no test that ran", id="no tests"),
        pytest.param(report(SKIP), 0, Outcome.BROKEN, "no test that ran", id="all skipped"),
        pytest.param("<html", 0, Outcome.BROKEN, "cannot be read", id="not XML"),
    ],
)
async def test_the_exit_code_and_the_tests(written: str, code: int, outcome: Outcome, words: str, here: Target):
    command = script(here, WRITES)
    for junit, place in (("report.xml", "report.xml"), ("", "{junit}")):
        named = f", junit: {junit}" if junit else ""
        text = f'command: {{run: ["{PYTHON}", it.py, "{place}", "{written}", "{code}"]{named}}}'
        result = await run_one(text, here)
        assert words in result.attempts[0].message
        assert result.outcome is outcome
    assert command


async def test_cases_carry_their_own_attempts(here: Target):
    script(here, WRITES)
    flaky = "<testcase name='a'><flakyFailure message='once'/></testcase>"
    text = f'command: {{run: ["{PYTHON}", it.py, "{{junit}}", "{report(flaky)}", "0"]}}'
    result = await run_one(text, here)
    assert result.flaky
    assert [attempt.message for attempt in result.cases[0].attempts] == ["once", ""]


async def test_a_report_of_an_earlier_attempt_does_not_count(here: Target):
    (here.workdir / "report.xml").write_text(report(GOOD))
    result = await run_one("command: {run: 'true', junit: report.xml}", here)
    assert result.attempts[0].message == "it wrote no JUnit file"
    assert result.outcome is Outcome.BROKEN


@pytest.mark.parametrize("junit", ["link/report.xml", "link.xml", "folder"])
async def test_a_report_elsewhere_is_neither_removed_nor_read(junit: str, here: Target, tmp_path: Path):
    outside = tmp_path / "report.xml"
    outside.write_text(report(GOOD))
    (here.workdir / "link").symlink_to(tmp_path)
    (here.workdir / "link.xml").symlink_to(outside)
    (here.workdir / "folder").mkdir()
    result = await run_one(f"command: {{run: 'true', junit: {junit}}}", here)
    assert result.outcome is Outcome.BROKEN
    assert outside.exists()


async def test_the_last_lines_are_kept_without_colours_and_secrets(here: Target):
    run_it = script(here, "import os\nprint('x' * 200_000)\nprint('\\x1b[31mred\\x1b[0m', os.environ['DATABASE_URL'])")
    result = await run_one(f"command: {{run: {run_it}}}", here)
    details = result.attempts[0].details
    assert details.endswith("red •••")
    assert len(details) < 20_000


async def test_the_environment_is_its_own(here: Target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORGE_TOKEN", "not for you")
    run_it = script(here, "import os\nprint(sorted(os.environ), os.environ['A'], os.environ['URL'])")
    result = await run_one(f"command: {{run: {run_it}, env: {{A: '<{{sha}}>'}}}}", here)
    assert "FORGE_TOKEN" not in result.attempts[0].details
    assert "<abc> http://127.0.0.1:9" in result.attempts[0].details


@pytest.mark.parametrize(
    ("run_it", "words"),
    [
        ("no-such-command", "cannot be run: no such file"),
        ("./folder", "permission denied"),
        ("a '{missing}'", "no value"),
    ],
)
async def test_a_command_that_cannot_be_run_is_broken(run_it: str, words: str, here: Target):
    (here.workdir / "folder").mkdir()
    result = await run_one(f'command: {{run: "{run_it}"}}', here)
    assert words in result.attempts[0].message
    assert result.outcome is Outcome.BROKEN


async def test_a_variable_never_becomes_a_second_word(here: Target):
    run_it = script(here, "import sys\nprint(sys.argv[1:])")
    result = await run_one(f'command: {{run: "{run_it} {{branch}}"}}', replace(here, variables={"branch": "a b; $(c)"}))
    assert result.attempts[0].details == "['a b; $(c)']"


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "300"])
open("pids", "w").write(f"{os.getpid()} {child.pid}")
time.sleep(300)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def pids(folder: Path) -> list[int]:
    for _ in range(200):
        if (folder / "pids").exists() and (text := (folder / "pids").read_text()):
            return [int(word) for word in text.split()]
        await asyncio.sleep(0.05)
    raise AssertionError("it did not start")


async def gone(found: list[int]) -> None:
    """Killed is not yet gone: the system takes a moment."""
    for _ in range(200):
        if not any(alive(pid) for pid in found):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"still there: {[pid for pid in found if alive(pid)]}")


async def test_at_the_time_limit_the_whole_group_is_gone(here: Target):
    run_it = script(here, STUBBORN)
    result = await run_one(f"command: {{run: {run_it}}}\ntimeout: 2s", here)
    assert result.attempts[0].message == "it did not end within 2 s"
    assert result.outcome is Outcome.FAILED
    await gone(await pids(here.workdir))


async def test_a_cancelled_run_leaves_no_process(here: Target):
    task = asyncio.create_task(
        run(checks_of(f"checks: [{{name: a, command: {{run: {script(here, STUBBORN)}}}}}]"), here)
    )
    found = await pids(here.workdir)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(found)


async def test_what_it_leaves_running_is_ended_and_not_waited_for(here: Target):
    run_it = script(here, "import subprocess\nopen('pids', 'w').write(str(subprocess.Popen(['sleep', '300']).pid))")
    began = time.monotonic()
    result = await run_one(f"command: {{run: {run_it}}}", here)
    assert result.outcome is Outcome.PASSED
    assert time.monotonic() - began < 60
    await gone(await pids(here.workdir))


async def test_one_that_is_killed_says_by_what(here: Target):
    result = await run_one(f"command: {{run: {script(here, 'import os; os.kill(os.getpid(), 9)')}}}", here)
    assert result.attempts[0].message == "it was ended by signal 9"
