from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.local.world import LocalWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[LocalWorld]:
    world = LocalWorld(tmp_path)
    await world.platform.open()
    yield world
    await world.close()
