"""What an agent says to its controller, and hears from it: HTTP with its token.

what came back                        what is raised
------------------------------------  --------------------------------------------
2xx                                   nothing
400, 409, 413, 422                    Refused: the same will be refused again
3xx                                   Unavailable: a token is carried nowhere else
401, 403, another 4xx, 5xx, silence   Unavailable, with what it said
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from types import TracebackType
from urllib.parse import urlsplit

import aiohttp

from controller.errors import Refused, Unavailable

WITHIN = aiohttp.ClientTimeout(total=15)
MOST = 16 * 2**20
"""Bytes of an assignment: ten thousand probes are 3 MB."""
_NEVER = frozenset({400, 409, 413, 422})
_SAID = 300


class Link:
    """An asynchronous context manager."""

    def __init__(self, controller: str, token: str, *, insecure: bool = False) -> None:
        """Raises Refused for a URL over which the token would go in the clear, unless told to."""
        if problem := why_not(controller, insecure=insecure):
            raise Refused(problem)
        self._place = f"{controller.rstrip('/')}/api/v1/agent"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Link":
        # A new connection each time: behind one address there may be replicas, of which one takes samples.
        connector = aiohttp.TCPConnector(force_close=True)
        jar = aiohttp.DummyCookieJar()
        self._session = aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=WITHIN, cookie_jar=jar
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def assignment(self) -> bytes:
        """As it came: nothing of it is believed yet. Raises Unavailable or Refused."""
        return await self._asked("GET", "assignment")

    async def deliver(self, batch: str, samples: Sequence[bytes]) -> None:
        """`samples` are JSON. Taken once, however often it is sent. Raises Unavailable or Refused."""
        await self._asked("POST", "samples", b'{"batch":%b,"samples":[%b]}' % (_quoted(batch), b",".join(samples)))

    async def _asked(self, method: str, what: str, body: bytes | None = None) -> bytes:
        assert self._session is not None, "it is not entered"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        url = f"{self._place}/{what}"
        try:
            async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                said = await _read(answer)
                if answer.status >= 300:
                    raise _problem(answer, said)
                return said
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"the controller does not answer: {str(error) or type(error).__name__}") from None


def why_not(controller: str, *, insecure: bool) -> str:
    """What is wrong with the URL; empty where nothing is."""
    try:
        parts = urlsplit(controller)
        host = parts.hostname or ""
    except ValueError:
        return f"{controller!r} is no URL"
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.username:
        return f"{controller!r} is no URL like `https://previews.example.com`"
    if parts.scheme == "http" and not insecure and not _is_here(host):
        return f"{controller} is not https: whoever listens reads the token (`--insecure` does it all the same)"
    return ""


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    said = bytearray()
    async for part in answer.content.iter_chunked(64 * 1024):
        said += part
        if len(said) > MOST:
            raise Unavailable(f"{answer.url} answers more than {MOST:,} bytes: that is no controller")
    return bytes(said)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()


def _problem(answer: aiohttp.ClientResponse, said: bytes) -> Unavailable | Refused:
    if answer.status < 400:
        return Unavailable(f"{answer.url} leads elsewhere ({answer.status}): name the controller where it answers")
    text = f"the controller answers {answer.status}: {_detail(said) or answer.reason}"
    if answer.status in _NEVER:
        return Refused(text)
    wait = answer.headers.get("Retry-After", "")
    return Unavailable(text, timedelta(seconds=min(int(wait), 3600)) if wait.isdigit() else None)


def _detail(said: bytes) -> str:
    try:
        problem = json.loads(said)
    except ValueError:
        return ""
    detail = problem.get("detail") if isinstance(problem, dict) else None
    return " ".join(str(detail or "").split())[:_SAID]
