"""What of a message's headers is passed on, both ways (RFC 9110 §7.6)."""

import re
from collections.abc import Iterable

from controller.access.model import SESSION_COOKIE, SESSION_COOKIE_TLS
from controller.common.nouns import PreviewKey

Raw = list[tuple[bytes, bytes]]
"""Header fields as ASGI has them: names in lower case, in order, repeated ones apart."""

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OURS_UP = frozenset({b"expect", b"forwarded", b"host", b"x-real-ip"})
_OURS_DOWN = frozenset({b"x-mayfly-preview", b"x-robots-tag"})
_SESSION = re.compile(rf"(?:^|;)[ \t]*(?:{SESSION_COOKIE_TLS}|{SESSION_COOKIE})[ \t]*=[^;]*".encode(), re.IGNORECASE)
_COOKIE_DOMAIN = re.compile(rb";\s*domain\s*=\s*\.?([^;]*)", re.IGNORECASE)
_SMOKE = b"mayfly-smoke/"


def one(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The value of a field that stands there once; empty otherwise."""
    values = [value for field, value in headers if field == name]
    return values[0].decode("latin-1") if len(values) == 1 else ""


def has_body(headers: Raw) -> bool:
    """Whether a request carries content (RFC 9112 §6.3)."""
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)


def by_person(headers: Raw) -> bool:
    """Not by our own checks, which say who they are."""
    return not any(name == b"user-agent" and _SMOKE in value for name, value in headers)


def upwards(headers: Raw, *, scheme: str, host: str, client: str) -> list[tuple[str, str]]:
    """To the application: who asks is what we saw, not what the request claims. The dashboard's own session is none of
    its business, should a browser ever send it."""
    kept = [
        (_text(name), _text(value))
        for name, value in _without_session(_end_to_end(headers))
        if name not in _OURS_UP and not name.startswith((b"x-forwarded-", b"sec-websocket-"))
    ]
    forwarded = [("x-forwarded-for", client), ("x-forwarded-proto", scheme), ("x-forwarded-host", host)]
    return [("host", host), *kept, *forwarded]


def downwards(headers: Iterable[tuple[bytes, bytes]], *, key: PreviewKey, name: str) -> Raw:
    """To the person. A cookie for any domain but the preview's own `name` stays on this host."""
    kept = [
        (field, _own_cookie(value, name) if field == b"set-cookie" else value)
        for field, value in _end_to_end([(field.lower(), value) for field, value in headers])
        if field not in _OURS_DOWN
    ]
    return kept + marks(key)


def marks(key: PreviewKey) -> Raw:
    """On every response of a preview: whose it is, and that search engines should stay away."""
    return [(b"x-mayfly-preview", str(key).encode()), (b"x-robots-tag", b"noindex, nofollow")]


def _end_to_end(headers: Raw) -> Raw:
    """Without what concerns one connection; content in chunks has no other length (RFC 9112 §6.3)."""
    dropped = {
        option.strip().lower() for name, value in headers if name == b"connection" for option in value.split(b",")
    }
    if any(name == b"transfer-encoding" for name, _ in headers):
        dropped.add(b"content-length")
    return [(name, value) for name, value in headers if name not in _HOP_BY_HOP and name not in dropped]


def _without_session(headers: Raw) -> Raw:
    """A cookie of ours among others leaves them as they were; alone, the field goes too."""
    kept: Raw = []
    for name, value in headers:
        left = _SESSION.sub(b"", value).strip(b"; \t") if name == b"cookie" and _SESSION.search(value) else value
        if left or name != b"cookie":
            kept.append((name, left))
    return kept


def _own_cookie(cookie: bytes, name: str) -> bytes:
    return _COOKIE_DOMAIN.sub(lambda match: match[0] if match[1].strip().lower() == name.encode() else b"", cookie)


def _text(value: bytes) -> str:
    """aiohttp writes UTF-8; what is none is taken for Latin-1, as the RFC once had it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
