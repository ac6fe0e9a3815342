"""Ports for services: free ones, below those that the system gives to connections and to whoever listens on any.

Between our choice and the service's own bind somebody else could be given a port of the system's choice; nobody is
given one of these.
"""

import random
import socket
from collections.abc import Collection

from controller.errors import Unavailable

RANGE = range(20_000, 32_768)
"""Linux gives 32768 to 60999 to connections (net.ipv4.ip_local_port_range), macOS and IANA 49152 and above."""


def is_free(port: int) -> bool:
    """Whether somebody could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(taken: Collection[int]) -> int:
    """One that nobody listens on and that is in none of our books. Raises Unavailable where there is none."""
    for port in random.sample(RANGE, len(RANGE)):
        if port not in taken and is_free(port):
            return port
    raise Unavailable(f"every port from {RANGE[0]} to {RANGE[-1]} is taken")
