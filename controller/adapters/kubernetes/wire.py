"""HTTP to one API server: who we are, how fast we may ask, and what is asked again. Knows no objects."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import aiohttp
import structlog

from controller.adapters.kubernetes import answers
from controller.adapters.kubernetes.answers import Refusal
from controller.adapters.kubernetes.retry import Backoff, Pace
from controller.errors import MayflyError, Refused, Unavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONNECT_SECONDS = 10.0
_TOKEN_SECONDS = 60.0
"""How long a token that changes is used before it is read again: projected ones are replaced minutes ahead."""
_TOKEN_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """`what` says what is asked for, for the person who reads why it failed."""

    method: str
    path: str
    what: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    seconds: float = 30.0
    """Longest one try may take."""
    paced: bool = True


class Account:
    """Who we are to the API server: the value of `Authorization`, read again where it changes."""

    def __init__(self, value: str, read: Callable[[bool], Awaitable[str]] | None = None, *, ages: bool = False) -> None:
        self._value = value
        self._read = read
        self._ages = ages
        self._read_at = time.monotonic()
        self._turn = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        if self._ages and self._age() > _TOKEN_SECONDS:
            async with self._turn:
                if self._age() > _TOKEN_SECONDS:
                    await self._renew(anew=False)
        return {"Authorization": self._value} if self._value else {}

    async def rejected(self, headers: Mapping[str, str]) -> bool:
        """Whether there are other credentials now that the server did not take these."""
        value = headers.get("Authorization", "")
        async with self._turn:  # one asks for all
            if value == self._value and self._age() > _TOKEN_PAUSE_SECONDS:
                await self._renew(anew=True)
        return value != self._value

    async def _renew(self, *, anew: bool) -> None:
        self._read_at = time.monotonic()
        if self._read is None:
            return
        try:
            self._value = await self._read(anew)
        except MayflyError as error:
            log.warning("our credentials could not be read again", reason=error.reason)

    def _age(self) -> float:
        return time.monotonic() - self._read_at


@dataclass(slots=True)
class Wire:
    url: str
    session: aiohttp.ClientSession
    account: Account
    pace: Pace
    server_hostname: str | None = None
    proxy: str | None = None
    patience: timedelta = timedelta(seconds=10)
    """How long what may pass is asked again."""

    async def ask(self, request: Request) -> bytes | Refusal:
        """Asked again with back-off while that may help; raises Unavailable where it did not, or Refused."""
        deadline = time.monotonic() + self.patience.total_seconds()
        backoff = Backoff(0.1, 3.0)
        while True:
            if request.paced:
                await self.pace.turn()
            try:
                answer = await self._once(request)
            except Unavailable as error:
                trouble: MayflyError = error
            else:
                if isinstance(answer, bytes) or not answers.may_pass(answer):
                    return answer
                trouble = answers.error(answer, request.what)
            pause = backoff.pause(trouble.retry_after if isinstance(trouble, Unavailable) else None)
            if time.monotonic() + pause > deadline:
                raise trouble
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(self, request: Request, silence: float | None) -> AsyncIterator[AsyncIterator[bytes] | Refusal]:
        """Its lines as they come, asked for once. `silence`: seconds without a byte after which it counts as dead."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence)
        with _in_our_words():
            async with asyncio.timeout(request.seconds):
                response = await self._open(request, timeout)
            async with response:
                yield await _refusal(response) if response.status >= 400 else _lines(response)

    @asynccontextmanager
    async def socket(self, path: str, protocol: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
        """A WebSocket. Raises Unavailable where there is none to be had."""
        with _in_our_words():
            websocket = await self.session.ws_connect(
                self.url + path,
                protocols=(protocol,),
                headers=await self.account.headers(),
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                max_msg_size=0,
                **self._route(),
            )
        async with websocket:
            yield websocket

    async def _once(self, request: Request) -> bytes | Refusal:
        timeout = aiohttp.ClientTimeout(total=request.seconds, sock_connect=CONNECT_SECONDS)
        with _in_our_words():
            async with await self._open(request, timeout) as response:
                return await _refusal(response) if response.status >= 400 else await response.read()

    async def _open(self, request: Request, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = await self.account.headers()
        response = await self._send(request, timeout, headers)
        if response.status != 401 or not await self.account.rejected(headers):
            return response
        response.release()
        return await self._send(request, timeout, await self.account.headers())

    async def _send(
        self, request: Request, timeout: aiohttp.ClientTimeout, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        typed = headers if request.body is None else headers | {"Content-Type": request.content_type}
        return await self.session.request(
            request.method,
            self.url + request.path,
            params=request.query,
            data=request.body,
            headers=typed,
            timeout=timeout,
            allow_redirects=False,
            **self._route(),
        )

    def _route(self) -> dict[str, Any]:
        return {"server_hostname": self.server_hostname, "proxy": self.proxy}


def session(context: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """As many connections as are needed at a time (a watch keeps one), kept alive, and noticed when they are dead."""
    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=60, ssl=context or True, socket_factory=_keep_alive, happy_eyeballs_delay=None
    )
    return aiohttp.ClientSession(
        connector=connector, trust_env=True, read_bufsize=2**20, headers={"User-Agent": f"mayfly/{version('mayfly')}"}
    )


def _keep_alive(address: tuple[Any, ...]) -> socket.socket:
    """A quiet connection (a log that is followed) whose other end is gone breaks after about two minutes."""
    made = socket.socket(family=address[0], type=address[1], proto=address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):  # not every system has these
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


async def _refusal(response: aiohttp.ClientResponse) -> Refusal:
    return answers.read(response.status, await response.read(), response.headers)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """However long they are; the last one too where nothing ends it."""
    rest = b""
    async for chunk in response.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
    if rest:
        yield rest


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientConnectorCertificateError, aiohttp.InvalidURL) as error:
        raise Refused(f"the API server cannot be trusted or its address is wrong: {error}") from error
    except aiohttp.WSServerHandshakeError as error:
        raise Unavailable(f"the API server opens no connection: HTTP {error.status} {error.message}") from error
    except TimeoutError as error:
        raise Unavailable(f"the API server does not answer: {str(error) or 'it takes too long'}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"the API server does not answer: {str(error) or type(error).__name__}") from error
