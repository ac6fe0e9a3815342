import os

import pytest

from tests.cluster.world import ClusterWorld
from tests.contracts import platform as contract


@pytest.fixture
def image():
    """Skips where there is no cluster to run on."""
    for name, what in (("KUBECONFIG", "a cluster"), ("MAYFLY_TEST_IMAGE", "an image that its nodes have")):
        if not os.environ.get(name):
            pytest.skip(f"needs {what} in {name}")
    return os.environ["MAYFLY_TEST_IMAGE"]


@pytest.fixture
def patience(monkeypatch):
    """Real pods take longer than processes."""
    monkeypatch.setattr(contract, "SOON", 240.0)


@pytest.fixture(params=["namespace", "server"])
async def world(request, image, patience, tmp_path):
    if request.param == "server" and not os.environ.get("MAYFLY_TEST_DATABASES_URL"):
        pytest.skip("needs a PostgreSQL that the cluster and this machine reach in MAYFLY_TEST_DATABASES_URL")
    world = ClusterWorld(tmp_path, image, request.param)
    await world.open()
    yield world
    await world.end()
