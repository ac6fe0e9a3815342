"""One POST of JSON, and what its answer means. The URL may be a secret: it is never repeated.

answer                                        what it means
--------------------------------------------  --------------------------------------------
2xx                                           taken
408, 429, 5xx, none within 10 s, no address   Unavailable, with Retry-After where it says so
3xx, any other 4xx, no URL                    Refused: a redirect is not followed
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp

from controller.common.markdown import one_line
from controller.errors import Refused, Unavailable

TIMEOUT = 10.0
"""Seconds in all."""
_SHOWN = 4096
"""Bytes of an answer that are read, to say why."""


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str], timeout: float = TIMEOUT
) -> None:
    """Raises Unavailable or Refused."""
    limit = aiohttp.ClientTimeout(total=timeout)
    sent = {"Content-Type": "application/json", "User-Agent": "mayfly", **headers}
    try:
        async with session.post(url, data=body, headers=sent, allow_redirects=False, timeout=limit) as answer:
            status, said = answer.status, await answer.content.read(_SHOWN)
            wait = _retry_after(answer.headers.get("Retry-After", ""))
    except TimeoutError:
        raise Unavailable(f"it did not answer within {timeout:g} s") from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise Refused("its URL is none") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"it cannot be reached: {type(error).__name__}") from None
    if 200 <= status < 300:
        return
    why = one_line(f"it answered {status} {said.decode(errors='replace')}", 200)
    if status in {408, 429} or status >= 500:
        raise Unavailable(why, wait)
    raise Refused(why)


def _retry_after(said: str) -> timedelta | None:
    """RFC 9110, 10.2.3: seconds, or a date."""
    if said.isdecimal():
        return timedelta(seconds=min(int(said[:9]), 86400))
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(timedelta(0), until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC))
