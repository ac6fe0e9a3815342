"""Writes down every call that changes something, or tried to: who, what, how it ended. Never what it carried.

It is written before the answer goes out, so that whoever has the answer finds it. History that cannot be reached stops
nothing: the deed is done, and the log has it instead.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from controller.access.desk import AccessDesk
from controller.access.model import Entry
from controller.access.needs import is_audited
from controller.api.access import address_of
from controller.api.calls import call_in
from controller.common.markdown import cut, plain
from controller.errors import MayflyError

log = structlog.get_logger()
MAX_PATH = 300
MAX_DETAIL = 200


class Audited:
    """ASGI middleware, around all that can refuse."""

    def __init__(self, app: ASGIApp, *, desk: AccessDesk, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._desk = desk
        self._clock = clock

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = False

        async def writing(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start" and not told:
                told = True
                await self._write(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, writing)
        except Exception:
            if not told:
                await self._write(scope, 500)
            raise

    async def _write(self, scope: Connection, status: int) -> None:
        if not is_audited(scope["method"], scope["path"], status):
            return
        entry = entry_of(scope, status, self._clock())
        try:
            await self._desk.write(entry)
        except MayflyError as error:
            log.error("the audit could not be written", reason=error.reason, call=repr(entry))


def entry_of(scope: Connection, status: int, at: datetime) -> Entry:
    call = call_in(scope)
    return Entry(
        at=at,
        actor=call.identity.name,
        token=call.identity.token,
        method=scope["method"],
        path=cut(plain(scope["path"]), MAX_PATH),
        status=status,
        address=address_of(scope),
        detail=cut(plain(call.detail), MAX_DETAIL),
    )
