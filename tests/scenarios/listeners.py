"""Who is there besides Mayfly: somebody who visits a page all the time, and somebody who takes notices."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from typing import Any

from tests.scenarios.world import get

EVERY = 0.02
"""Seconds between two visits."""


@dataclass
class Visits:
    """What came of them, in order."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: int = 0

    def seen(self, *names: str) -> list[tuple[Any, ...]]:
        """What was answered, one after the other; what was the same again is left out."""
        told = (tuple(answer[name] for name in names) for answer in self.answers)
        return [one for one, _ in groupby(told)]


@contextmanager
def visited(url: str, host: str) -> Iterator[Visits]:
    """All the time, until the end."""
    visits, over = Visits(), threading.Event()

    def visit() -> None:
        while not over.wait(EVERY):
            body = get(url, host)
            if body is None:
                visits.failures += 1
            else:
                visits.answers.append(json.loads(body))

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield visits
    finally:
        over.set()
        visitor.join()


class Receiver:
    """Takes notices over HTTP. `mood`: it takes them (200), answers another status, or (0) never answers."""

    def __init__(self, mood: int = 200) -> None:
        self.mood = mood
        self.taken: list[tuple[str, dict[str, Any]]] = []
        """`Idempotency-Key` and body of each that was answered 200, in order."""
        self.tried: Counter[str] = Counter()
        """By `Idempotency-Key`, however it was answered."""
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def titles(self, severity: str) -> list[str]:
        """Of what was taken, each once."""
        told = {key: body["alerts"][0] for key, body in self.taken}
        return [one["annotations"]["summary"] for one in told.values() if one["labels"]["severity"] == severity]

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, args=(0.05,)).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                key, mood = self.headers["Idempotency-Key"], receiver.mood
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.tried[key] += 1
                if mood == 0:
                    receiver._over.wait()
                    return
                if mood == 200:
                    receiver.taken.append((key, body))
                self.send_response(mood)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler
