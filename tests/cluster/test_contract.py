import pytest

from tests.contracts.platform import PlatformContract

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


class TestOnACluster(PlatformContract):
    """The same promises, kept by real pods."""
