"""What a request needs, by its method and path. What is new needs a token: nothing is open by mistake.

    /healthz, /readyz                       nothing: a load balancer asks
    /webhooks/…                             nothing: what comes there is signed
    /login, /logout, /static/…              nothing
    /status, and below                      nothing where the status page is public
    /api/v1/agent/…                         agent
    /api/v1/tokens…, /api/v1/audit          admin
    GET, HEAD, OPTIONS                      read; nothing where everybody may read
    everything else                         operate

`/metrics` is read as all else: Prometheus sends a token (`authorization.credentials_file`). A rule for loopback would
open it to everybody behind a proxy on the same machine.
"""

from dataclasses import dataclass

from controller.access.model import Scope

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
PROBED = frozenset({"/healthz", "/readyz"})
_AGENT = "/api/v1/agent"
_ADMIN = ("/api/v1/tokens", "/api/v1/audit")
_WEBHOOKS = "/webhooks"


@dataclass(frozen=True, slots=True)
class Openness:
    """What the policy lets everybody see. `everything`: no tokens are asked for at all."""

    everything: bool = True
    reading: bool = False
    status: bool = False


def needed(method: str, path: str, openness: Openness) -> Scope | None:
    """The scope, or None for what is open to everybody."""
    if path in PROBED or path in {"/login", "/logout"} or _below(path, _WEBHOOKS) or _below(path, "/static"):
        return None
    if _below(path, _AGENT):
        return Scope.AGENT
    if any(_below(path, of_admins) for of_admins in _ADMIN):
        return Scope.ADMIN
    if method not in SAFE:
        return Scope.OPERATE
    if openness.reading or (openness.status and _below(path, "/status")):
        return None
    return Scope.READ


def is_metered(path: str) -> bool:
    """Whether it counts against a rate. A probe that is refused ends the pod; a forge knocks as often as it must, and
    its door has bounds of its own."""
    return path not in PROBED and not _below(path, _WEBHOOKS)


def is_audited(method: str, path: str, status: int) -> bool:
    """Whether this answer is written down. A webhook only rings, an agent's samples are no deed, and what is refused as
    too much is not written, or whoever floods us would fill History."""
    if method in SAFE or status == 429 or _below(path, _WEBHOOKS):
        return False
    return status >= 400 or not _below(path, _AGENT)


def _below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")
