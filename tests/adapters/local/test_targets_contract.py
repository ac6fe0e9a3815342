from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.local.main_world import MainWorld
from tests.contracts.targets import TargetsContract


@pytest.mark.processes
class TestLocalTargets(TargetsContract):
    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[MainWorld]:
        world = MainWorld(tmp_path)
        await world.open()
        yield world
        await world.close()
