"""A controller that is only its API: answers what a test put there, and remembers what it was told."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from controller.cli.main import app

Mayfly = Callable[..., Result]


@dataclass
class Stub:
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By `METHOD /path?query`: a status and a body."""
    later: dict[str, list[str]] = field(default_factory=dict)
    """Bodies that take its place one by one, whenever it was given."""
    told: list[dict[str, object]] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    """By which it was asked."""
    tokens: set[str | None] = field(default_factory=set)
    """The `Authorization` it was asked with."""

    def says(self, what: str, body: object, status: int = 200) -> None:
        self.answers[what] = (status, body if isinstance(body, str) else json.dumps(body))

    def answer(self, what: str) -> tuple[int, str]:
        unknown = (404, json.dumps({"title": "Not found", "detail": f"nothing at {what.partition(' ')[2]}"}))
        status, body = self.answers.get(what, unknown)
        if later := self.later.get(what):
            self.answers[what] = (status, later.pop(0))
        return status, body


FORGE = {
    "name": "git",
    "remaining": None,
    "limit": None,
    "resets_at": None,
    "waits_until": None,
    "why": "",
    "heard_at": None,
    "lag": None,
}
"""How the embedded forge is, as the API says it."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An embedded Mayfly's home that nobody serves: its port is taken, and closed again at once by a test's end."""
    folder = tmp_path / ".mayfly"
    folder.mkdir()
    return folder


@pytest.fixture
def stub(home: Path) -> Iterator[Stub]:
    world = Stub()
    world.says("GET /api/v1/status", {"version": "0.1.0", "alarm": "", "forge": FORGE})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            world.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer()

        def _answer(self) -> None:
            world.hosts.add(self.headers["Host"])
            world.tokens.add(self.headers["Authorization"])
            status, body = world.answer(f"{self.command} {self.path}")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is the base class's
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        (home / "mayfly.yaml").write_text(f"listen: 127.0.0.1:{server.server_port}\n")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield world
        server.shutdown()
        thread.join()


@pytest.fixture
def mayfly(home: Path, monkeypatch: pytest.MonkeyPatch) -> Mayfly:
    """Runs the command in the home's folder."""
    monkeypatch.delenv("MAYFLY_HOME", raising=False)
    monkeypatch.delenv("MAYFLY_TOKEN", raising=False)
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str) -> Result:
        result = CliRunner().invoke(app, [*map(str, words)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run
