from collections.abc import AsyncIterator

import pytest

from tests.probes.shop import Shop, opened


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with opened() as one:
        yield one
