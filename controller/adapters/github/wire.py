"""One exchange with GitHub's API over HTTP, bounded in time and size. Redirects are answers like any other.

What says who we are goes to this one API and nowhere else: never to where an answer leads, and it is struck out of
whatever comes back or goes wrong before anybody reads it.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version

import aiohttp
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from controller.adapters.shared.words import redact
from controller.errors import Unavailable

CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 20.0
MAX_ANSWER = 20 * 2**20
"""Bytes, unpacked."""
CONNECTIONS = 20
KEPT_SECONDS = 15.0
"""That a connection is kept for the next request: sooner than GitHub would close it, or a change may be lost on it."""
_HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": f"mayfly/{version('mayfly')}",
}


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is below the API's address; `token` is what `Authorization: Bearer` says."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    token: str = field(default="", repr=False)
    body: bytes | None = field(default=None, repr=False)
    etag: str = ""

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    def by(self, token: str) -> "Request":
        return replace(self, token=token)


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` are found by their name in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Broken(Unavailable):
    """The line broke before the answer was whole: nobody knows whether it was heard."""


class Silent(Unavailable):
    """It took too long to connect or to answer: nobody knows whether it was heard."""


class Wire:
    def __init__(self, api: str, seconds: float = WHOLE_SECONDS) -> None:
        """`api` is GitHub's address, with `/api/v3` of an Enterprise Server; `seconds` is for one exchange."""
        self.api = api.rstrip("/")
        self._seconds = seconds
        self._http: httpx.AsyncClient | None = None

    async def ask(self, request: Request) -> Answer:
        """Raises Broken, Silent, or Unavailable where the answer is too large."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(request)
        except TimeoutError:
            raise Silent("GitHub does not answer: it takes too long") from None
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
            why = redact(str(error) or type(error).__name__, [request.token])
            kind = Silent if isinstance(error.__cause__, TimeoutError) else Broken
            raise kind(f"GitHub does not answer: {why[:300]}") from None

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _exchange(self, request: Request) -> Answer:
        async with self._open().stream(
            request.method,
            f"{self.api}/{request.path}",
            params=request.query,
            content=request.body,
            headers=_headers(request),
        ) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER:
                    raise Unavailable(f"GitHub answers with more than {MAX_ANSWER:,} bytes")
            return Answer(response.status_code, response.headers, _without(bytes(body), request.token))

    def _open(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = HttpxAiohttpClient(
                follow_redirects=False,
                headers=_HEADERS,
                limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEPT_SECONDS),
                timeout=httpx.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds)),
                verify=_trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
            )
        return self._http


@cache
def _trusted(*_: str | None) -> ssl.SSLContext:
    """Whom the environment lets vouch for servers; read once for each of its answers, as that takes a while."""
    return httpx.create_ssl_context()


def _headers(request: Request) -> dict[str, str]:
    asked = {
        "Authorization": f"Bearer {request.token}" if request.token else "",
        "If-None-Match": request.etag,
        "Content-Type": "application/json" if request.body is not None else "",
    }
    return {name: value for name, value in asked.items() if value}


def _without(body: bytes, token: str) -> bytes:
    return body.replace(token.encode(), "•••".encode()) if token else body
