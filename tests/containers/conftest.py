"""An engine, the image and a PostgreSQL for all tests of the session; skipped with the reason where they cannot be."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from tests.containers import engine as engines
from tests.containers import images, running


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of this run share."""
    mine = tmp_path_factory.getbasetemp()
    return (mine if worker_id == "master" else mine.parent) / "docker"


@pytest.fixture(scope="session")
def engine(common: Path) -> Iterator[docker.DockerClient]:
    try:
        with engines.engine(common) as (client, url), pytest.MonkeyPatch.context() as patch:
            patch.setattr(testcontainers_config, "ryuk_disabled", True)  # its image would have to come from a registry
            if url:
                patch.setenv("DOCKER_HOST", url)
            yield client
    except engines.NoEngine as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient, common: Path) -> str:
    """The project's own, with PostgreSQL's programs."""
    with engines.held(common / "building"):
        try:
            base = images.base(engine)
        except images.NoImage as reason:
            pytest.skip(str(reason))
        return images.build(engine, base, "kubernetes,embedded")


@pytest.fixture(scope="session")
def postgres(image: str) -> Iterator[DockerContainer]:
    with running.postgres(image) as container:
        yield container


@pytest.fixture(scope="session")
def mayfly(image: str, postgres: DockerContainer) -> Iterator[DockerContainer]:
    """A controller with its History on that PostgreSQL."""
    with running.mayfly(image, running.history_url(postgres)) as container:
        yield container
