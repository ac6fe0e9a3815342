"""The demo's story on a real cluster: real pushes, pods, databases, checks, and nothing left at the end."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.mark.parametrize("forge", ["git", "fake-github"])
def test_the_whole_story_is_played_on_a_cluster(image, forge):
    options = ["--once", "--forge", forge, "--platform", "kubernetes", "--image", image]
    words = [sys.executable, "-m", "controller", "demo", *options]
    played = subprocess.run(words, capture_output=True, text=True, timeout=800, check=False)
    assert played.returncode == 0, played.stdout + played.stderr
    assert "14. everything stops" in played.stdout
