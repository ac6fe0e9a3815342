"""Who is on call in the demo: a webhook that takes what is signed, and remembers it.

Standard library only: whatever is proved with it is not proved with Mayfly's own code.
"""

import hashlib
import hmac
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import BaseModel, ValidationError

SECRET = "MAYFLY_DEMO_PAGER"  # noqa: S105 - a variable's name
MOST = 2**20
"""Bytes of a notice."""


class Words(BaseModel):
    summary: str
    description: str


class Told(BaseModel):
    """One notice, in Alertmanager's words."""

    groupKey: str  # noqa: N815 - the name is Alertmanager's
    status: str
    commonLabels: dict[str, str]  # noqa: N815 - likewise
    commonAnnotations: Words  # noqa: N815 - likewise

    @property
    def is_page(self) -> bool:
        return self.commonLabels.get("severity") == "page"

    @property
    def title(self) -> str:
        return self.commonAnnotations.summary

    @property
    def text(self) -> str:
        return self.commonAnnotations.description


class Pager:
    """Listens from the beginning until `close`."""

    def __init__(self) -> None:
        self.secret = secrets.token_hex(16)
        self._told: list[Told] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def pages(self, about: str, status: str) -> list[Told]:
        """As they came, each as often as it came."""
        return [told for told in self._told if told.is_page and (told.groupKey, told.status) == (about, status)]

    def close(self) -> None:
        """May be called twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, body: bytes, timestamp: str, signature: str) -> bool:
        expected = hmac.new(self.secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(f"sha256={expected}", signature):
            return False
        try:
            self._told.append(Told.model_validate(json.loads(body)))
        except (ValueError, ValidationError):
            return False
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(MOST, int(self.headers.get("Content-Length", "0"))))
                names = ("X-Mayfly-Timestamp", "X-Mayfly-Signature-256")
                taken = take(body, *(self.headers.get(name, "") for name in names))
                self.send_response(204 if taken else 401)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Quiet."""

        return Handler
