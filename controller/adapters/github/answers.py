"""What an answer of GitHub's says, in our words. Pure.

2xx, 304               | fine
301, 302, 307, 308     | it has moved: a person says where to
401                    | our credentials are not taken
403                    | we may not; the permission that it takes, where GitHub says it
404, 410               | it is not there
422                    | what was asked for is not valid; a commit that there is not is not, either
other 4xx              | GitHub's own words
5xx and anything else  | later

403 and 429 that are limits are told apart before: see `pace`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from json import JSONDecodeError, loads

from pydantic import JsonValue

from controller.adapters.github.wire import Answer
from controller.errors import MayflyError, Refused, Unavailable

LONGEST_WAIT = timedelta(hours=1)
"""Whatever an answer says: GitHub counts by the hour."""
LONGEST_WORDS = 300
"""Characters of GitHub's own."""
_PERMISSIONS = re.compile(r"[a-z_]+=[a-z]+([,;] ?[a-z_]+=[a-z]+)*")


class NotAccepted(Refused):
    """401: our credentials."""


class NotThere(Refused):
    """404, or 410: it is not there, or we may not know that it is."""


class NotValid(Refused):
    """422: in GitHub's own words."""


def is_fine(answer: Answer) -> bool:
    return 200 <= answer.status < 300 or answer.status == 304


def error(answer: Answer, what: str, now: datetime) -> MayflyError:
    """`what` was asked for: `GET acme/shop/pulls`."""
    said, place = words(answer), what.partition(" ")[2]
    match answer.status:
        case 301 | 302 | 303 | 307 | 308:
            return Refused(f"GitHub says that {place} has moved: name it as it is called now")
        case 401:
            return NotAccepted(f"GitHub does not accept our credentials: {said}")
        case 403:
            return Refused(f"GitHub does not let us {what}: {said}{_permission(answer)}")
        case 404 | 410:
            return NotThere(f"GitHub has no {place}, or we may not see it: {said}")
        case 422:
            return NotValid(f"GitHub refuses {what}: {said}")
        case status if 400 <= status < 500:
            return Refused(f"GitHub refuses {what}: {said}")
        case status:
            return Unavailable(f"GitHub does not work ({status}) for {what}: {said}", retry_after(answer, now))


def words(answer: Answer) -> str:
    """GitHub's message and what it finds wrong with each field, on one line."""
    said = _object(answer.body)
    message = said.get("message")
    errors = said.get("errors")
    parts = [message if isinstance(message, str) and message else f"HTTP {answer.status}"]
    parts += [_field(entry) for entry in errors] if isinstance(errors, list) else []
    return " ".join("; ".join(parts).split())[:LONGEST_WORDS]


def retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """Seconds or a date (RFC 9110, 10.2.3), between 1 second and an hour; None where it says nothing we understand."""
    text = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return capped(timedelta(seconds=int(text)))
    try:
        return capped(parsedate_to_datetime(text) - now)
    except (TypeError, ValueError, OverflowError):
        return None


def capped(wait: timedelta) -> timedelta:
    return min(max(wait, timedelta(seconds=1)), LONGEST_WAIT)


def _object(body: bytes) -> Mapping[str, JsonValue]:
    try:
        said: JsonValue = loads(body)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _field(entry: JsonValue) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    parts = (entry.get("field"), entry.get("code"), entry.get("message"))
    return " ".join(str(part) for part in parts if part)


def _permission(answer: Answer) -> str:
    needed = answer.headers.get("X-Accepted-GitHub-Permissions", "")
    return f" (it takes the permission {needed})" if _PERMISSIONS.fullmatch(needed) else ""
