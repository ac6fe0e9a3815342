"""A server to be stopped, as a process: `python -m tests.gateway.stoppable WITHIN GRACE REQUESTS ROUND` (seconds).

Prints its port, and at the end `round finished` or `round cut`. `/slow` answers after 1 s, `/deaf` never ends by itself
and does not let go, `/readyz` says 200 or 503.
"""

import asyncio
import socket
import sys
import time
from datetime import timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from controller.gateway.serving import Server
from controller.stopping import Pace, Stopping


def say(what: object) -> None:
    print(what, flush=True)  # noqa: T201 - the test reads it


async def run(within: float, grace: float, requests: float, round_takes: float) -> None:
    stopping = Stopping(Pace(*(timedelta(seconds=one) for one in (within, grace, requests))))
    idle = asyncio.Event()

    async def ready(_: Request) -> Response:
        async def well() -> dict[str, str]:
            return {}

        parts = await stopping.readiness(well)
        return JSONResponse(parts, 503 if any(parts.values()) else 200)

    async def slow(_: Request) -> Response:
        await asyncio.sleep(1)
        return PlainTextResponse("done")

    async def deaf(_: Request) -> Response:
        say("deaf")
        time.sleep(60)  # noqa: ASYNC251 - a bug that holds the whole event loop is the point
        return PlainTextResponse("done")

    async def rounds() -> None:
        await stopping.begun.wait()
        await asyncio.sleep(round_takes)
        say("round finished")
        idle.set()
        await asyncio.Event().wait()

    app = Starlette(routes=[Route("/readyz", ready), Route("/slow", slow), Route("/deaf", deaf)])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(app, lambda: None, stopping)
        loop = asyncio.create_task(rounds())
        say(listener.getsockname()[1])
        await server.serve(sockets=[listener])
        await stopping.hand_over(loop, idle.wait)
    if not idle.is_set():
        say("round cut")


if __name__ == "__main__":
    asyncio.run(run(*(float(word) for word in sys.argv[1:])))
