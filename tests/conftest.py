"""What the tests of several rooms share."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.adapters.local.cluster import find_binaries
from controller.adapters.local.server import EmbeddedPostgres
from controller.errors import Refused


@pytest.fixture(scope="session")
def postgres_binaries() -> Path:
    try:
        return find_binaries()
    except Refused as error:
        pytest.skip(error.reason)


@pytest.fixture(scope="session")
def postgres(postgres_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for all tests of a worker; each of them uses names of its own, or drops what it made."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.remove())
