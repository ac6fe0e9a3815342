import pytest

from tests.contracts.platform import PlatformContract


@pytest.mark.processes
class TestLocalPlatform(PlatformContract):
    pass
