import pytest

from tests.contracts.forge import ForgeContract


@pytest.mark.processes
class TestGitForge(ForgeContract):
    pass
