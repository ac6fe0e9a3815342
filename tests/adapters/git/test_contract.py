import pytest

from tests.contracts.forge import ForgeContract, SourceContract


@pytest.mark.processes
class TestGitForge(ForgeContract, SourceContract):
    pass
