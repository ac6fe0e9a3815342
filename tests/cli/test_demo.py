"""The demo: its story, played for real, and what it says of a step that does not hold.

`tests/scenarios/test_github_story.py` plays it on GitHub.
"""

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from controller.cli.demo import _played
from controller.cli.proof import Unmet, until
from controller.cli.story import Step
from tests.traces import processes_in


def said(step: Step) -> tuple[bool, str]:
    console = Console(file=io.StringIO(), width=120, highlight=False)
    stage = SimpleNamespace(serves=False, log=Path("/nowhere"))
    held = _played(console, stage, 4, step)  # type: ignore[arg-type] -- all that it looks at
    assert isinstance(console.file, io.StringIO)
    return held, console.file.getvalue()


def test_a_step_that_holds_says_what_was_seen_and_how_long_it_took():
    held, text = said(Step("it is the shop", lambda: "[ok] 200"))
    assert held
    assert re.fullmatch(r"✓ 4\. it is the shop  0\.0 s\n     \[ok\] 200\n", text)


def test_a_step_that_does_not_hold_says_what_was_expected_and_what_was_seen():
    def play() -> str:
        raise Unmet("smoke passed", "shop#1: failed")

    held, text = said(Step("its checks pass", play))
    assert not held
    assert "✗ 4. its checks pass" in text
    assert "expected: smoke passed\nseen: shop#1: failed\n" in text


def test_what_is_waited_for_is_told_with_its_deadline():
    with pytest.raises(Unmet) as unmet:
        until("the preview is ready", 0, lambda: "starting")
    assert (unmet.value.expected, unmet.value.seen) == ("the preview is ready, within 0 s", "starting")


def demo(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "controller", "demo", *words],
        env=os.environ | {"TMPDIR": str(tmp_path), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def short_path():
    """A folder near the root, as a person's temporary folder is."""
    with tempfile.TemporaryDirectory(prefix="mf-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []


@pytest.mark.processes
@pytest.mark.postgres
@pytest.mark.browser
@pytest.mark.timeout(400)
def test_the_story_holds_and_leaves_nothing_behind(short_path: Path):
    with demo(short_path, "--once") as playing:
        text, _ = playing.communicate(timeout=380)
    assert playing.returncode == 0, text
    assert re.findall(r"^✓ (\d+)\. ", text, re.MULTILINE) == [str(number) for number in range(1, 15)]
    assert processes_in(short_path) == []


@pytest.mark.processes
@pytest.mark.postgres
@pytest.mark.browser
@pytest.mark.timeout(400)
def test_what_stays_for_clicking_goes_with_ctrl_c(short_path: Path):
    with demo(short_path, "--keep", "1", "--listen", "127.0.0.1:0") as playing:
        assert playing.stdout is not None
        text = ""
        while "Ctrl-C ends it all" not in text and (line := playing.stdout.readline()):
            text += line
        assert "http://pr-3-shop.localhost:" in text
        playing.send_signal(signal.SIGINT)
        playing.communicate(timeout=120)
    assert playing.returncode == 0, text
    assert processes_in(short_path) == []


@pytest.mark.processes
@pytest.mark.timeout(200)
def test_an_interrupted_demo_cleans_up(short_path: Path):
    with demo(short_path, "--once") as playing:
        assert playing.stdout is not None
        playing.stdout.readline()  # the first step has held: Mayfly serves
        time.sleep(0.5)
        playing.send_signal(signal.SIGINT)
        playing.communicate(timeout=180)
    assert playing.returncode == 130
    assert processes_in(short_path) == []
