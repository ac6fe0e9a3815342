"""The platform contract on the fake cluster, with a server for all previews and with one for each."""

import pytest

from tests.contracts.platform import PlatformContract

pytestmark = pytest.mark.processes


class TestKubernetes(PlatformContract):
    """The promises of the embedded platform, kept by namespaces."""
