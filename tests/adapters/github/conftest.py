from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.adapters.github.forge import GitHubForge
from tests.adapters.github.speaking import World, a_world
from tests.adapters.github.world import Place, a_place
from tests.fakes.github import Pull


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with a_place(tmp_path) as place:
        yield place


@pytest.fixture
async def forge(place: Place) -> AsyncIterator[GitHubForge]:
    """Believes nothing for longer than it takes to say it."""
    async with place.forge() as forge:
        yield forge


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


@pytest.fixture
def pull(world: World) -> Pull:
    return world.pull()
