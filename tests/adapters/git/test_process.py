import os
import time

import pytest

from controller.adapters.git.listener import Listener
from controller.adapters.git.process import GitFailed, ask, clean_environment, head, run
from controller.errors import Unavailable

pytestmark = pytest.mark.processes


def sh(script: str, **limits: float | bool) -> bytes:
    return run(["sh", "-c", script], dict(os.environ), **limits)


def test_one_that_hangs_is_stopped_with_everything_it_started():
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"within 0\.3 s"):
        sh("sleep 60 & sleep 60", timeout=0.3)
    assert time.monotonic() - start < 30


def test_one_that_never_stops_talking_is_cut_off():
    assert sh("yes", limit=10) == b"y\ny\ny\ny\ny\n"


def test_one_that_says_exactly_the_limit_is_whole():
    assert sh("printf 0123456789", limit=10) == b"0123456789"


def test_a_failure_carries_its_code_and_its_last_words():
    with pytest.raises(GitFailed, match="no such thing") as caught:
        sh("echo no such thing >&2; exit 3")
    assert caught.value.code == 3


def test_a_warning_is_a_failure_only_where_something_may_be_left_out():
    warns = "echo warning: ignoring a ref >&2; echo done"
    assert sh(warns) == b"done\n"
    with pytest.raises(GitFailed, match="ignoring a ref"):
        sh(warns, strict=True)


def test_a_machine_without_git_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="cannot be run"):
        ask(tmp_path, "version")


def test_too_many_refs_are_unavailable_and_not_cut(tmp_path, monkeypatch):
    monkeypatch.setattr("controller.adapters.git.process.MAX_OUTPUT", 3)
    with pytest.raises(Unavailable, match="more than 3 bytes"):
        ask(tmp_path, "version")
    assert head(tmp_path, "version", limit=3) == b"git"


def test_nothing_of_the_environments_git_is_passed_on(monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    assert "GIT_DIR" not in clean_environment()


async def test_a_bell_that_cannot_be_hung_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="bell"):
        await anext(Listener(tmp_path / "gone").bells())
