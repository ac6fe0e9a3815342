"""What a registry wants to know of us: `WWW-Authenticate` read, and what a token server answers. Pure.

https://distribution.github.io/distribution/spec/auth/token/ and RFC 9110, 11.6.1.
"""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from controller.adapters.registry.credentials import Login

_PIECE = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z]\w*)')
DEFAULT_LIFE = timedelta(seconds=60)
"""Of a token that does not say; so says the protocol."""
LONGEST_LIFE = timedelta(hours=1)
LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Who hands out tokens; an empty `realm` stands for Basic, which has no tokens."""

    realm: str
    service: str = ""
    scope: str = ""


def challenge(headers: Iterable[str]) -> Challenge | None:
    """Bearer before Basic, None where there is neither."""
    schemes: dict[str, dict[str, str]] = {}
    values: dict[str, str] = {}
    for name, quoted, plain, scheme in (found for header in headers for found in _PIECE.findall(header)):
        if scheme:
            values = schemes.setdefault(scheme.lower(), {})
        else:
            values.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
    bearer = schemes.get("bearer", {})
    if realm := bearer.get("realm"):
        return Challenge(realm, bearer.get("service", ""), bearer.get("scope", ""))
    return Challenge("") if "basic" in schemes else None


def token(body: bytes) -> tuple[str, timedelta]:
    """A token, and for how long it is good. Raises ValueError where the answer has none."""
    answer = json.loads(body)
    found = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
    if not isinstance(found, str) or not re.fullmatch(r"[\x21-\x7e]+", found):
        raise ValueError("no token in it")
    seconds = answer.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return found, DEFAULT_LIFE
    return found, timedelta(seconds=min(seconds, LONGEST_LIFE.total_seconds()))


def basic(login: Login) -> str:
    return f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Seconds or a date (RFC 9110, 10.2.3); None where it says nothing that can be read."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return min(timedelta(seconds=int(text.strip()[:9])), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta()), LONGEST_WAIT)
