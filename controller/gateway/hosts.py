"""Whose request it is, by its Host header.

domain localhost
localhost, localhost:8080, 127.0.0.1, [::1]   the dashboard ("")
10.1.2.3:8080                                 the same: whoever asks by an address (a probe, Prometheus) was not misled
pr-7-web.localhost:8080                       the preview with the label pr-7-web
a.b.localhost, localhost.evil.com, none       nobody's (None): a name that leads here by accident or DNS rebinding
"""

import re
from ipaddress import ip_address
from urllib.parse import quote

from controller.common.nouns import PreviewKey

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(:[0-9]{1,5})?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def site(host: str, domain: str) -> str | None:
    """The host label of a preview; empty for the dashboard; None where the name is not ours."""
    match = _HOST.fullmatch(host.lower())
    if not match:
        return None
    name = match[1]
    if name in {domain, "localhost"} or _is_address(name):
        return ""
    label = name.removesuffix(f".{domain}")
    return label if label != name and _LABEL.fullmatch(label) else None


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def name_of(host: str) -> str:
    """The host without its port, as cookies name it."""
    match = _HOST.fullmatch(host.lower())
    return match[1] if match else ""


def dashboard(scheme: str, host: str, domain: str, key: PreviewKey | None = None) -> str:
    """URL of the dashboard (of a preview's page there), as the person who asked for `host` reaches it."""
    match = _HOST.fullmatch(host.lower())
    root = f"{scheme}://{domain}{match[2] or '' if match else ''}/"
    return f"{root}previews/{quote(key.repo)}/{key.number}" if key else root
