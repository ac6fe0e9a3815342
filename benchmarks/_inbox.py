"""A controller's inbox, to be run: `python -m benchmarks._inbox PORT FOLDER`. Every ring is a line of FOLDER/rung."""

import asyncio
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from controller.adapters.github.inbox import Inbox
from controller.adapters.github.signature import Signatures
from controller.adapters.history import open_history, sqlite_url
from controller.api import create_api
from controller.api.metrics import Metrics
from controller.gateway.serving import Server, settle
from controller.previews.model import Delivery
from controller.settings import Policy
from tests.fakes.desk import FakeDesk

SECRET = "between us"


async def serve(port: int, folder: Path) -> None:
    history = await open_history(sqlite_url(folder / "history.sqlite3"))
    rung = os.open(folder / "rung", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hear(delivery: Delivery) -> None:
        os.write(rung, f"{delivery.id} {delivery.key}\n".encode())

    metrics = Metrics()
    inbox = Inbox(Signatures(SECRET), history, hear, lambda *_: False, lambda: datetime.now(UTC), metrics)
    api = create_api(FakeDesk(), version="0", policy=Policy(), ready=_ready, metrics=metrics, webhooks=inbox)
    settle()
    bound = socket.create_server(("127.0.0.1", port))
    await Server(api, on_stop=lambda: None).serve(sockets=[bound])
    await inbox.close()
    await history.close()
    os.close(rung)


async def _ready() -> dict[str, str]:
    return {}


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
