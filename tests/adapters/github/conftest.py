from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.adapters.github.forge import GitHubForge
from tests.adapters.github.world import Place, a_place


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with a_place(tmp_path) as place:
        yield place


@pytest.fixture
async def forge(place: Place) -> AsyncIterator[GitHubForge]:
    """Believes nothing for longer than it takes to say it."""
    async with place.forge() as forge:
        yield forge
