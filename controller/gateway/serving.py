"""How the gateway is served: uvicorn, set up so that it adds nothing, believes nothing and ends when told to."""

import asyncio
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from controller.gateway.sockets import MAX_MESSAGE
from controller.stopping import Pace, Stopping


class Server(uvicorn.Server):
    """`await server.serve(sockets=[listener])` serves until `server.should_exit`.

    `on_stop` is called first thing then, to end the streams that do not end by themselves. `stopping` says how fast a
    signal stops it; without one, as fast as on one's own machine.
    """

    def __init__(self, app: ASGIApp, on_stop: Callable[[], None], stopping: Stopping | None = None) -> None:
        self._stopping = stopping or Stopping(Pace(timedelta(seconds=20)))
        super().__init__(_config(app, self._stopping.pace.requests))
        self._on_stop = on_stop

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or ():
            # Connections inherit it. Without, an answer on a kept connection waits 40 ms between its head and content.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await super().serve(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A first SIGINT or SIGTERM stops, a second one at once. uvicorn's own would kill us after a clean stop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Interrupts whatever is under way, and leaves the rest to the event loop."""
        self._stopping.told()
        self._loop.call_soon_threadsafe(self._stopping.begin, self._close)

    def _close(self, at_once: bool) -> None:
        self.should_exit = True
        self.force_exit = at_once or self.force_exit

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)


def settle() -> None:
    """What is loaded by now stays: without, looking for garbage among it stops every request for 100 ms and more.

    Once, when the process is ready to serve.
    """
    gc.collect()
    gc.freeze()


def _config(app: ASGIApp, requests: timedelta) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # X-Forwarded-For is what we say, not what we are told
        server_header=False,
        date_header=False,  # the application's own passes through
        timeout_graceful_shutdown=max(1, round(requests.total_seconds())),
        h11_max_incomplete_event_size=64 * 1024,
    )
