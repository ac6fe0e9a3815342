"""Addresses that previews may connect to, as rules of a NetworkPolicy. Pure.

Clouds hand out credentials to whoever asks a certain address; it is cut out of every block that has it.
"""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from controller.adapters.kubernetes.shapes import Obj
from controller.settings import Egress

Network = IPv4Network | IPv6Network

METADATA: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # link-local: AWS, Azure, Google, OpenStack and most others
            "100.100.100.200/32",  # Alibaba
            "168.63.129.16/32",  # Azure's host agent
            "192.0.0.192/32",  # Oracle
            "fd00:ec2::254/128",  # AWS
            "fd20:ce::254/128",  # Google
            "fe80::/10",  # link-local
        ),
    )
)
ANYWHERE = ("0.0.0.0/0", "::/0")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Where the addresses of Services are (RFC 1918, 6598, 4193)."""
_NODE_CACHE = "169.254.20.10/32"
"""Where NodeLocal DNSCache listens on every node; no metadata is served there."""


def dns() -> list[Obj]:
    """Blocks beside the cluster's pods that its DNS may answer at."""
    return [*filter(None, map(_block, _PRIVATE)), {"cidr": _NODE_CACHE}]


def egress(allowed: Sequence[Egress], database_port: int | None, database_at: Collection[str]) -> list[Obj]:
    """Rules for what the policy allows, and for a database in these blocks."""
    rules = [_rule([rule.cidr], rule.ports) for rule in allowed]
    if database_port is not None:
        rules.append(_rule(database_at, [database_port]))
    return [rule for rule in rules if rule["to"]]


def _rule(cidrs: Collection[str], ports: Sequence[int]) -> Obj:
    """To nowhere where only metadata is at those addresses; the rule must then be left out, as an empty `to` means
    everywhere."""
    to = [{"ipBlock": block} for cidr in cidrs if (block := _block(cidr))]
    return {"to": to} | ({"ports": [{"protocol": "TCP", "port": port} for port in ports]} if ports else {})


def _block(cidr: str) -> Obj | None:
    network = ip_network(cidr, strict=False)
    alike = [other for other in METADATA if other.version == network.version]
    if any(_within(network, other) for other in alike):
        return None
    but = [str(other) for other in alike if _within(other, network)]
    return {"cidr": str(network)} | ({"except": but} if but else {})


def _within(inner: Network, outer: Network) -> bool:
    first, last = inner.network_address, inner.broadcast_address
    return first in outer and last in outer
