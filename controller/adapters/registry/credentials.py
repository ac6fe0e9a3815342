"""Names and passwords for registries, as pull secrets have them. Pure.

A place is a registry (`ghcr.io`), a part of one (`ghcr.io/acme`) or many (`*.azurecr.io`): what the kubelet takes,
https://kubernetes.io/docs/concepts/containers/images/#config-json.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

from controller.common.images import HUB, Reference
from controller.errors import Refused

Login: TypeAlias = tuple[str, str]
"""Name and password."""
_HUBS = {HUB, f"index.{HUB}", f"registry-1.{HUB}"}


def credentials_from(dockerconfigjson: bytes) -> dict[str, Login]:
    """By place. Raises Refused where it is no `.dockerconfigjson`; its reason never has anything secret in it."""
    try:
        auths = json.loads(dockerconfigjson)["auths"]
        return {_place(key): login for key, entry in auths.items() if (login := _login(key, entry))}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Refused("the pull secret is no `.dockerconfigjson` with `auths`") from None


def _login(place: str, entry: Mapping[str, object]) -> Login | None:
    name, password = entry.get("username"), entry.get("password")
    if isinstance(name, str) and isinstance(password, str) and name:
        return name, password
    auth = entry.get("auth")
    if not isinstance(auth, str) or not auth:
        return None
    try:
        name, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise Refused(f"the pull secret's `auth` for {place} is not NAME:PASSWORD in base64")
    return str(name), str(password).rstrip("\0")


def _place(key: str) -> str:
    """`https://index.docker.io/v1/` is how Docker's own login writes its Hub."""
    host, _, path = key.partition("://")[2 if "://" in key else 0].partition("/")
    host, path = host.lower(), path.strip("/")
    if host in _HUBS:
        return HUB if path in {"", "v1", "v2"} else f"{HUB}/{path}"
    return f"{host}/{path}" if path not in {"", "v1", "v2"} else host


def login_for(reference: Reference, credentials: Mapping[str, Login]) -> Login | None:
    """That of the longest place the image is in; one without a `*` before one with."""
    fitting = [place for place in credentials if _fits(reference.name.split("/"), place.split("/"))]
    best = max(fitting, key=lambda place: (len(place.split("/")), "*" not in place), default=None)
    return credentials[best] if best is not None else None


def _fits(name: list[str], place: list[str]) -> bool:
    """A `*` stands for part of one label of the host, never for a dot."""
    labels, pattern = name[0].split("."), place[0].split(".")
    if len(labels) != len(pattern) or not all(map(fnmatchcase, labels, pattern)):
        return False
    return name[1 : len(place)] == place[1:]
