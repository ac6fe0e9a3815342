"""Commands in containers beside us. Here a container is the wrapper under `sh`, as a process."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from smoke.collect import WRAPPER, Beside, dismiss, report_path
from smoke.handover import decode
from smoke.model import CheckResult, Outcome
from smoke.spec import CommandCheck
from smoke.target import Target
from tests.smoke.conftest import App
from tests.smoke.examples import checks_of, outcomes, run_all, run_one
from tests.smoke.test_cli import smoke, write
from tests.smoke.test_command import BAD, GOOD, SKIP, WRITES, alive, gone, pids, report

pytestmark = pytest.mark.processes

PYTHON = sys.executable
Start = Callable[..., object]


@pytest.fixture
def beside(tmp_path: Path) -> Beside:
    for name in ("output", "work", "shared", "app"):
        (tmp_path / name).mkdir()
    known = {"sha": "abc", "database_url": "postgresql://a:hunter2@b/c"}
    return Beside("http://127.0.0.1:9", known, tmp_path / "work", tmp_path / "output", shared=tmp_path / "shared")


@asynccontextmanager
async def container(
    shared: Path, folder: Path, *command: str, junit: str = "", shell: tuple[str, ...] = ("sh",), number: int = 1
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(*shell, "-c", WRAPPER, "sh", str(shared), str(number), junit, *command), cwd=folder
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def collect(beside: Beside, check: str, *command: str, **options: object) -> CheckResult:
    """The result of the one check, whose container runs the command."""
    app = beside.shared.parent / "app"
    checks = checks_of("checks:\n  - name: it\n" + "\n".join(f"    {line}" for line in check.splitlines()))
    junit = report_path(checks[0].command or CommandCheck(run=("x",)), str(beside.shared), 1)
    async with container(beside.shared, app, *command, junit=junit, **options) as process:
        result = await run_one(check, beside)
        dismiss(beside.shared)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    return result


@pytest.mark.parametrize(
    ("written", "code", "outcome", "words"),
    [
        pytest.param(report(GOOD), 0, Outcome.PASSED, "1 tests passed", id="all passed"),
        pytest.param(report(GOOD + BAD), 1, Outcome.FAILED, "1 of 2 tests failed; b: 1 != 2", id="one failed"),
        pytest.param(report(GOOD), 3, Outcome.FAILED, "exited with 3, though every test passed", id="it failed itself"),
        pytest.param(report(SKIP), 0, Outcome.BROKEN, "no test that ran", id="all skipped"),
        pytest.param("<html", 0, Outcome.BROKEN, "cannot be read", id="not XML"),
    ],
)
async def test_it_is_judged_as_one_that_runs_here(
    written: str, code: int, outcome: Outcome, words: str, beside: Beside
):
    for said, place in (("'a {junit}'", str(beside.shared / "1" / "junit.xml")), ("a, junit: r.xml", "r.xml")):
        shutil.rmtree(beside.shared)
        beside.shared.mkdir()
        command = (PYTHON, "-c", WRITES, place, written, str(code))
        result = await collect(beside, f"command: {{image: e2e, run: {said}}}", *command)
        assert words in result.attempts[0].message
        assert result.outcome is outcome


async def test_its_output_and_its_folder_are_its_own(beside: Beside):
    case = (
        f"<testcase name='b' file='{beside.shared.parent}/app/tests/t.py' line='3'><failure message='no'/></testcase>"
    )
    printed = "import sys; print('\\x1b[31mred\\x1b[0m'); print('err', file=sys.stderr)"
    text = f"{printed}; open('r.xml', 'w').write({report(case)!r})"
    result = await collect(beside, "command: {image: e2e, run: x, junit: r.xml}", PYTHON, "-c", text)
    assert sorted(result.attempts[0].details.split()) == ["err", "red"]
    assert (result.cases[0].file, result.cases[0].line) == ("tests/t.py", 3)


@pytest.mark.parametrize("shell", [("sh",), ("bash", "--posix"), ("busybox", "sh")], ids=lambda words: words[0])
async def test_any_shell_will_do(shell: tuple[str, ...], beside: Beside):
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    text = "[ -e once ] && echo $1 || { echo no; touch once; kill -9 $$; }"
    check = "command: {image: e2e, run: x}\nretries: 1"
    result = await collect(beside, check, "sh", "-c", text, "sh", "a  b", shell=shell)
    assert [attempt.message for attempt in result.attempts] == ["it was ended by signal 9", "it exited with 0"]
    assert result.attempts[1].details == "a b"


@pytest.mark.parametrize(
    ("command", "outcome", "words"),
    [
        pytest.param(["true"], Outcome.PASSED, "it exited with 0", id="fine"),
        pytest.param(["sh", "-c", "exit 7"], Outcome.FAILED, "it exited with 7", id="not fine"),
        pytest.param(["sh", "-c", "kill -9 $$"], Outcome.FAILED, "it was ended by signal 9", id="killed"),
        pytest.param(["no-such-command"], Outcome.BROKEN, "'x' cannot be run in `e2e`", id="not there"),
    ],
)
async def test_a_container_and_how_its_command_ended(command: list[str], outcome: Outcome, words: str, beside: Beside):
    result = await collect(beside, "command: {image: e2e, run: x}", *command)
    assert (result.outcome, result.attempts[0].message) == (outcome, words)


async def test_words_reach_the_command_as_they_are(beside: Beside):
    words = ["a b", "$(touch x)", "`touch y`", "; touch z", "'\"\\", "-n", "*", "ü\n"]
    result = await collect(
        beside,
        "command: {image: e2e, run: x}",
        PYTHON,
        "-c",
        "import sys, json; print(json.dumps(sys.argv[1:]))",
        *words,
    )
    assert json.loads(result.attempts[0].details) == words
    assert not list((beside.shared.parent / "app").iterdir())


async def test_a_report_of_an_earlier_attempt_does_not_count(beside: Beside):
    app = beside.shared.parent / "app"
    (app / "r.xml").write_text(report(GOOD))
    result = await collect(beside, "command: {image: e2e, run: x, junit: r.xml}", "true")
    assert result.attempts[0].message == "it wrote no JUnit file"


async def test_it_is_tried_again_and_every_attempt_is_its_own(beside: Beside):
    app = beside.shared.parent / "app"
    text = "[ -e once ] && echo second || { echo first; touch once; exit 1; }"
    result = await collect(beside, "command: {image: e2e, run: x}\nretries: 1", "sh", "-c", text)
    assert [attempt.details for attempt in result.attempts] == ["first", "second"]
    assert result.flaky
    assert (app / "once").exists()


async def test_at_the_time_limit_it_is_ended_and_can_be_tried_again(beside: Beside):
    text = "[ -e pids ] && exit 0; echo $$ > pids; echo waiting; exec sleep 300"
    result = await collect(beside, "command: {image: e2e, run: x}\nretries: 1\ntimeout: 3s", "sh", "-c", text)
    assert [attempt.message for attempt in result.attempts] == ["it did not end within 3 s", "it exited with 0"]
    assert result.attempts[0].details == "waiting"
    await gone(await pids(beside.shared.parent / "app"))


async def test_it_begins_only_after_the_checks_before_it(beside: Beside):
    text = """
checks:
  - {name: first, command: {image: e2e, run: x}}
  - {name: second, after: [first], command: {image: e2e, run: x}}
"""
    app = beside.shared.parent / "app"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(container(beside.shared, app, "false", number=1))
        second = await stack.enter_async_context(container(beside.shared, app, "touch", "second", number=2))
        run = await run_all(text, beside)
        dismiss(beside.shared)
        async with asyncio.timeout(30):
            assert [await first.wait(), await second.wait()] == [0, 0]
    assert outcomes(run.results) == {"first": ["failed"], "second": []}
    assert not (app / "second").exists()


async def test_a_container_that_does_not_start_is_broken(beside: Beside):
    result = await run_one("command: {image: e2e, run: x}\ntimeout: 300ms", beside)
    assert result.attempts[0].message == "its container did not start within 300 ms"
    assert result.outcome is Outcome.BROKEN


@pytest.mark.parametrize("status", ["", "0; rm", "-1", "1000", "passed"])
async def test_a_status_that_is_none_is_broken(status: str, beside: Beside):
    folder = beside.shared / "1"
    folder.mkdir()
    (folder / "1.began").touch()
    (folder / "1.status").write_text(status)
    result = await run_one("command: {image: e2e, run: x}", beside)
    assert result.attempts[0].message == "its container left no exit status"
    assert result.outcome is Outcome.BROKEN


@pytest.mark.parametrize("made", ["link", "pipe"])
async def test_a_container_cannot_have_other_files_read(made: str, beside: Beside, tmp_path: Path):
    (tmp_path / "secret").write_text("hunter2")
    text = f"rm -f {{path}}; {'ln -s ' + str(tmp_path / 'secret') if made == 'link' else 'mkfifo'} {{path}}"
    path = beside.shared / "1" / "1.output"
    result = await collect(beside, "command: {image: e2e, run: x}", "sh", "-c", text.format(path=path))
    assert (result.outcome, result.attempts[0].details) == (Outcome.PASSED, "")


@pytest.mark.parametrize(
    ("check", "words"),
    [
        pytest.param("run: 'psql {database_url}'", "a secret cannot be written into the command", id="in a word"),
        pytest.param("run: x, env: {A: 'a {database_url}'}", "a secret cannot be written into", id="in a variable"),
        pytest.param("run: 'x {branch}'", "there is no value for `{branch}`", id="no value"),
    ],
)
async def test_what_a_manifest_cannot_say_is_broken_and_never_begun(check: str, words: str, beside: Beside):
    result = await run_one(f"command: {{image: e2e, {check}}}", beside)
    assert words in result.attempts[0].message
    assert result.outcome is Outcome.BROKEN
    assert not list(beside.shared.iterdir())


async def test_a_variable_that_is_a_secret_as_a_whole_is_left_to_the_manifest(beside: Beside):
    check = "command: {image: e2e, run: x, env: {A: '{database_url}'}}"
    assert (await collect(beside, check, "true")).outcome is Outcome.PASSED


async def test_without_containers_an_image_is_broken(target: Target):
    result = await run_one("command: {image: 'e2e:1', run: 'true'}", target)
    assert result.attempts[0].message == "it runs in a container of `e2e:1`, and there are no containers here"
    assert result.outcome is Outcome.BROKEN


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
async def test_as_first_process_it_ends_what_an_attempt_left_running(beside: Beside):
    namespace = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh")
    probe = await asyncio.create_subprocess_exec(*namespace, "-c", "exit 0", stderr=asyncio.subprocess.DEVNULL)
    if await probe.wait():
        pytest.skip("this user may not make a PID namespace")
    shutil.copy(shutil.which("sleep") or "", beside.shared.parent / "app" / "straggler")
    text = "[ -e straggling ] || { touch straggling; setsid ./straggler 297 & sleep 0.5; fail=1; }"
    text += "; cat /proc/[0-9]*/comm; exit $fail"
    result = await collect(beside, "command: {image: e2e, run: x}\nretries: 1", "sh", "-c", text, shell=namespace)
    assert [attempt.outcome for attempt in result.attempts] == [Outcome.FAILED, Outcome.PASSED]
    assert ["straggler" in attempt.details for attempt in result.attempts] == [True, False]


async def test_told_to_stop_the_container_ends_at_once(beside: Beside):
    app = beside.shared.parent / "app"
    (beside.shared / "1.turn").write_text("1\n")
    async with container(beside.shared, app, "sh", "-c", "echo $$ > pids; exec sleep 300") as process:
        found = await pids(app)
        assert all(alive(pid) for pid in found)
        process.terminate()
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        await gone(found)


async def test_a_run_is_handed_over_and_the_containers_are_let_go(app: App, beside: Beside, tmp_path: Path):
    text = """
checks:
  - {name: page, http: {path: /status/500}}
  - {name: e2e, command: {image: e2e, run: x}}
  - {name: here, command: {run: 'true'}}
"""
    arguments = ("--url", app.url, "--suite", "e2e", "--revision", "abc", "--untrusted", "--hand-over")
    async with container(beside.shared, tmp_path, "sh", "-c", "echo $API_TOKEN", number=2) as process:
        code, out, err = await smoke("run", write(tmp_path, text), *arguments, "--collect", beside.shared)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert (code, err) == (0, "")
    found = decode(out)
    assert found is not None
    assert (found.run.suite, found.run.revision, found.run.outcome) == ("e2e", "abc", Outcome.FAILED)
    assert outcomes(found.run.results) == {"page": ["failed"], "e2e": ["passed"], "here": ["broken"]}
    assert "name an `image` for it" in found.run.results[2].attempts[0].message


async def test_also_where_the_checks_cannot_be_read_the_containers_are_let_go(beside: Beside, tmp_path: Path):
    file = write(tmp_path, "checks: [{name: a, newer: {}}]")
    async with container(beside.shared, tmp_path, "true") as process:
        code, _, err = await smoke("run", file, "--url", "http://x", "--hand-over", "--collect", beside.shared)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert code == 2
    assert "unknown key" in err


async def test_with_a_checkout_commands_run_in_it(app: App, beside: Beside, tmp_path: Path):
    text = "checks: [{name: here, command: {run: 'true'}}]"
    options = ("--hand-over", "--collect", beside.shared, "--workdir", beside.workdir)
    _, out, _ = await smoke("run", write(tmp_path, text), "--url", app.url, *options)
    found = decode(out)
    assert found is not None
    assert found.run.outcome is Outcome.PASSED
