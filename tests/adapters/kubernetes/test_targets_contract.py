"""The contract of targets on the fake cluster, with a server for all databases and with one for each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.adapters.kubernetes.target_world import TargetWorld
from tests.contracts.targets import TargetsContract

pytestmark = pytest.mark.processes


class TestKubernetesTargets(TargetsContract):
    """The promises of the embedded platform, kept by Deployments and Services."""

    @pytest.fixture(params=["server", "namespace"])
    async def world(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[TargetWorld]:
        async with TargetWorld(tmp_path, request.param) as world:
            yield world
