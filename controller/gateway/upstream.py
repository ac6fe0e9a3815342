"""One HTTP exchange with the application, streamed both ways, bytes untouched.

the application refuses the connection      NotTaken, before anything was sent down
it breaks off before its answer begins      NoAnswer, likewise
it breaks off in the middle of its answer   the answer is left unfinished, so that the server cuts the connection
the person goes away                        the exchange with the application is cut
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
from starlette.types import Receive, Send
from yarl import URL

from controller.common.nouns import PreviewKey
from controller.gateway.headers import downwards

CONNECT_WITHIN = 5.0
"""Seconds."""
KEEP_IDLE = 2.0
"""Seconds; shorter than servers keep a connection, so that they seldom close it as we use it."""
_MAX_HEADER = 64 * 1024


class NotTaken(Exception):
    """Nobody accepts connections there."""


class NoAnswer(Exception):
    """It accepted the connection, and no usable answer began. The message says what happened."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it goes up, and whose it is."""

    key: PreviewKey
    name: str
    """The host name it was asked at, without a port."""
    method: str
    url: URL
    headers: list[tuple[str, str]]
    with_body: bool

    @property
    def repeatable(self) -> bool:
        """Whether a connection kept from before may serve it: one found closed is replaced, and it is sent again."""
        return not self.with_body and self.method in {"GET", "HEAD", "OPTIONS"}


class Upstream:
    """Connections to applications. Made at first use, within the running loop."""

    def __init__(self) -> None:
        self._kept: aiohttp.ClientSession | None = None
        self._single: aiohttp.ClientSession | None = None
        self._exchanges: set[asyncio.Task[None]] = set()

    async def exchange(self, ask: Ask, receive: Receive, send: Send) -> None:
        """Raises NotTaken or NoAnswer where nothing has been sent down."""
        upload = _Upload(receive, with_body=ask.with_body)
        work = asyncio.create_task(self._exchange(ask, upload, send))
        gone = asyncio.create_task(upload.gone())
        self._exchanges.add(work)
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and not work.cancelled():
                work.result()
        finally:
            self._exchanges.discard(work)
            await _end(work, gone)

    def cut(self) -> None:
        """Ends what goes on, streams that never end by themselves included."""
        for exchange in self._exchanges:
            exchange.cancel()

    async def close(self) -> None:
        for session in (self._kept, self._single):
            if session:
                await session.close()

    def session(self, *, keep: bool) -> aiohttp.ClientSession:
        if keep:
            self._kept = self._kept or _session(aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_IDLE))
            return self._kept
        self._single = self._single or _session(aiohttp.TCPConnector(limit=0, force_close=True))
        return self._single

    async def _exchange(self, ask: Ask, upload: "_Upload", send: Send) -> None:
        answer = await self._begin(ask, upload)
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": answer.status,
                    "headers": downwards(answer.raw_headers, key=ask.key, name=ask.name),
                }
            )
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except (aiohttp.ClientError, OSError):
            return  # unfinished, on purpose: what ended well would look complete
        finally:
            answer.close()

    async def _begin(self, ask: Ask, upload: "_Upload") -> aiohttp.ClientResponse:
        session = self.session(keep=ask.repeatable)
        data = upload.chunks() if ask.with_body else None
        try:
            answer = await session.request(ask.method, ask.url, headers=ask.headers, data=data, allow_redirects=False)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotTaken from error
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        if not 200 <= answer.status < 600:
            answer.close()
            raise NoAnswer(f"its status was {answer.status}")
        return answer


class _Upload:
    """The one reader of what the person sends: first the content of the request, then that they went away."""

    def __init__(self, receive: Receive, *, with_body: bool) -> None:
        self._receive = receive
        self._lost = False
        self._read = asyncio.Event()
        if not with_body:
            self._read.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._lost = True
                self._read.set()
                raise ConnectionResetError("the person went away")
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                yield body
        self._read.set()

    async def gone(self) -> None:
        await self._read.wait()
        while not self._lost:
            self._lost = (await self._receive())["type"] == "http.disconnect"


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_line_size=_MAX_HEADER,
        max_field_size=_MAX_HEADER,
    )


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
