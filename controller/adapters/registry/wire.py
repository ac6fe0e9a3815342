"""One question to a registry over HTTP, redirects followed with care, and its whole, bounded answer.

Names of images come from pull requests, so where they lead is not trusted: never from https to http, never to an
address of this machine's own or its cloud's metadata, and what we say who we are goes to nobody else.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from controller.errors import Refused, Unavailable

MAX_BODY = 4 * 2**20
"""Bytes; no manifest is larger (OCI distribution 1.1, "Pushing Manifests")."""
MAX_HOPS = 5
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


def is_own(host: str | None) -> bool:
    """Whether a host is this machine; registries there speak plain http, as everywhere."""
    if host is None or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_metadata(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_link_local
    except ValueError:
        return False


class Wire:
    """`timeout` is for one question, with its redirects."""

    def __init__(self, timeout: timedelta) -> None:
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, method: str, url: URL, headers: Mapping[str, str], began: URL) -> Answer:
        """`began` is the registry, whose own scheme and place decide where we may be sent.

        Raises Unavailable where nobody answers, Refused where we are sent astray.
        """
        try:
            return await self._follow(method, url, headers, began)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            why = "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            raise Unavailable(f"the registry at {url.authority} does not answer: {why[:300]}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(self, method: str, url: URL, headers: Mapping[str, str], began: URL) -> Answer:
        sent = dict(headers)
        for _ in range(MAX_HOPS):
            _mind(url, began)
            answer = await self._once(method, url, sent)
            if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                return answer
            to = url.join(URL(answer.headers["Location"]))
            if to.origin() != url.origin():
                sent.pop("Authorization", None)
            url = to
        raise Unavailable(f"the registry at {began.authority} redirects without end")

    async def _once(self, method: str, url: URL, headers: Mapping[str, str]) -> Answer:
        async with self._open().request(method, url, headers=headers, allow_redirects=False) as response:
            body = bytearray()
            async for part in response.content.iter_any():
                body += part
                if len(body) > MAX_BODY:
                    raise Refused(f"{url.authority} answers with more than {MAX_BODY:,} bytes")
            return Answer(response.status, response.headers, bytes(body))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            seconds = self._timeout.total_seconds()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=20),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "mayfly"},
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, 5)),
                auto_decompress=False,
            )
        return self._session


def _mind(url: URL, began: URL) -> None:
    if url.scheme not in {"https", began.scheme} or url.user is not None:
        raise Refused(f"the registry at {began.authority} sends us to {url.scheme}://{url.host}, which is not safe")
    if _is_metadata(url.host) or (is_own(url.host) and not is_own(began.host)):
        raise Refused(f"the registry at {began.authority} sends us to {url.host}, which is no place for a registry")
