"""One WebSocket, between a person and the application: messages, subprotocol and close codes pass both ways.

either side closes with a code       the other is closed with the same code and reason
the application breaks off           the person is told 1014 (bad gateway)
the person breaks off                the application is told 1001 (going away)
a message is larger than allowed     1009 to both
the application refuses the upgrade  its status, to the person
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

import aiohttp
from starlette.types import Receive, Scope, Send

from controller.gateway.headers import marks
from controller.gateway.upstream import Ask, NoAnswer, NotTaken

MAX_MESSAGE = 16 * 2**20
"""Bytes of one message, either way."""
OPEN_WITHIN = 30.0
"""Seconds."""
CLOSE_WITHIN = 5.0
HEARTBEAT = 30.0
"""Seconds between pings to the application; one that does not answer is given up."""
_NORMAL, _GOING_AWAY, _BAD_GATEWAY = 1000, 1001, 1014
_CONTROL = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)

Socket: TypeAlias = "aiohttp.ClientWebSocketResponse[Literal[True]]"


@dataclass(frozen=True, slots=True)
class _Closing:
    """Which side is still there to be told, and what."""

    person: bool
    code: int
    reason: str = ""


async def bridge(session: aiohttp.ClientSession, ask: Ask, scope: Scope, receive: Receive, send: Send) -> None:
    """Returns when both sides are closed. Raises NotTaken or NoAnswer where the application never had a say."""
    await receive()  # websocket.connect
    try:
        upstream = await _open(session, ask, scope["subprotocols"])
    except aiohttp.WSServerHandshakeError as error:
        return await decline(scope, send, error.status, b"", [*marks(ask.key)])
    try:
        with suppress(OSError):  # the person went away as we spoke
            await send({"type": "websocket.accept", "subprotocol": upstream.protocol, "headers": marks(ask.key)})
            await _pump(upstream, receive, send)
    finally:
        await upstream.close(code=_GOING_AWAY)


async def decline(scope: Scope, send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """An HTTP response in place of the upgrade, where the server can send one; 403 where it cannot."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def _open(session: aiohttp.ClientSession, ask: Ask, protocols: list[str]) -> Socket:
    try:
        async with asyncio.timeout(OPEN_WITHIN):
            return await session.ws_connect(
                ask.url,
                headers=ask.headers,
                protocols=protocols,
                max_msg_size=MAX_MESSAGE,
                heartbeat=HEARTBEAT,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN),
            )
    except aiohttp.WSServerHandshakeError:
        raise
    except aiohttp.ClientConnectorError as error:
        raise NotTaken from error
    except (aiohttp.ClientError, OSError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error


async def _pump(upstream: Socket, receive: Receive, send: Send) -> None:
    """Until either side closes; then tells the other."""
    tasks = (asyncio.create_task(_down(upstream, send)), asyncio.create_task(_up(upstream, receive)))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    closing = next(task for task in tasks if task in done).result()
    if closing.person:
        await send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})
    else:
        await upstream.close(code=closing.code, message=closing.reason.encode())


async def _down(upstream: Socket, send: Send) -> _Closing:
    while (message := await upstream.receive()).type not in _CONTROL:
        kind = "text" if message.type is aiohttp.WSMsgType.TEXT else "bytes"
        try:
            await send({"type": "websocket.send", kind: message.data})
        except OSError:
            return _Closing(person=False, code=_GOING_AWAY)
    if message.type is aiohttp.WSMsgType.CLOSE:
        return _Closing(person=True, code=_sendable(message.data or _NORMAL, _BAD_GATEWAY), reason=message.extra or "")
    if message.type is aiohttp.WSMsgType.ERROR:
        return _Closing(person=True, code=_sendable(upstream.close_code or 0, _BAD_GATEWAY))
    return _Closing(person=True, code=_BAD_GATEWAY)


async def _up(upstream: Socket, receive: Receive) -> _Closing:
    while (message := await receive())["type"] != "websocket.disconnect":
        text, data = message.get("text"), message.get("bytes")
        try:
            await (upstream.send_str(text) if text is not None else upstream.send_bytes(data or b""))
        except OSError:
            return _Closing(person=True, code=_BAD_GATEWAY)
    code = _sendable(message.get("code", 0), _GOING_AWAY)
    return _Closing(person=False, code=code, reason=message.get("reason") or "")


def _sendable(code: int, otherwise: int) -> int:
    """A close frame may carry no other (RFC 6455 §7.4): 1005, 1006 and 1015 only name what was missing."""
    return code if code in {*range(1000, 1004), *range(1007, 1015)} or 3000 <= code <= 4999 else otherwise
