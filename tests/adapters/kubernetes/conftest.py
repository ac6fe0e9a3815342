from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.kubernetes.world import KubernetesWorld


@pytest.fixture(params=["server", "namespace"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[KubernetesWorld]:
    """One with a PostgreSQL for all previews, and one where each has its own."""
    async with KubernetesWorld(tmp_path, request.param) as world:
        yield world
