from pathlib import Path

import pytest

from tests.adapters.git.world import GitWorld


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    return GitWorld(tmp_path)
