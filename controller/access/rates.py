"""How often one client may ask: a moving window of a minute, in memory, by tier.

    read      what changes nothing
    operate   what does
    login     tokens that are not right

One client is one token, or one address without: of IPv6 a /64, which is what one customer is given.
"""

import math
import time
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from controller.settings import Rates


class Tier(StrEnum):
    READ = "read"
    OPERATE = "operate"
    LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after this one. `resets_in`: seconds until there is more."""

    taken: bool
    limit: int
    left: int
    resets_in: int

    def headers(self) -> dict[str, str]:
        """`RateLimit-*` as the IETF's draft 7 has them, and RFC 9110's `Retry-After`."""
        found = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.resets_in),
        }
        return found if self.taken else found | {"Retry-After": str(self.resets_in)}


class Meter:
    def __init__(self, rates: Rates) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._items = {
            Tier.READ: RateLimitItemPerMinute(rates.read),
            Tier.OPERATE: RateLimitItemPerMinute(rates.operate),
            Tier.LOGIN: RateLimitItemPerMinute(rates.login),
        }

    def count(self, tier: Tier, client: str) -> Allowance:
        item = self._items[tier]
        taken = self._limiter.hit(item, tier, client)
        stats = self._limiter.get_window_stats(item, tier, client)
        return Allowance(taken, item.amount, stats.remaining, max(1, math.ceil(stats.reset_time - time.time())))


def client_of(address: str) -> str:
    """The address as one client has it."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return address
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ip_network((known, 64), strict=False))


def is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
