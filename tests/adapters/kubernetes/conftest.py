from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.adapters.kubernetes.api import Api
from tests.adapters.kubernetes.served import BOTH, api_on, namespace_in
from tests.adapters.kubernetes.world import KubernetesWorld


@pytest.fixture(params=["server", "namespace"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[KubernetesWorld]:
    """One with a PostgreSQL for all previews, and one where each has its own."""
    async with KubernetesWorld(tmp_path, request.param) as world:
        yield world


@pytest.fixture(params=BOTH)
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    async with api_on(request.param, tmp_path) as api:
        yield api


@pytest.fixture
async def namespace(api: Api) -> AsyncIterator[str]:
    async with namespace_in(api) as namespace:
        yield namespace
