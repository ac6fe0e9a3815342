"""A whole Mayfly on this machine, as a person would run it: a checkout, real pushes, `mayfly serve` in its own process.

Everything is looked at from outside: over HTTP, in the forge's database, on the disk, in /proc.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from controller.adapters.git.forge import GitForge
from controller.adapters.git.setup import connect
from controller.adapters.local.cluster import open_cluster
from controller.adapters.local.processes import identify, marked
from controller.adapters.local.server import EmbeddedPostgres
from controller.adapters.local.work import home_mark
from controller.adapters.postgres.databases import PostgresDatabases
from controller.common.nouns import PreviewKey
from controller.common.words import Conversation
from controller.settings import Home

APP = """
import http.server, json, os, psycopg

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with psycopg.connect(os.environ["DATABASE_URL"]) as db:
            rows = db.execute("SELECT count(*) FROM things").fetchone()[0]
        body = json.dumps({"revision": os.environ["REVISION"], "things": rows}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
MIGRATE = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as db:
    db.execute("CREATE TABLE IF NOT EXISTS migrated (at timestamptz DEFAULT now())")
"""
SEED = "CREATE TABLE things (n int);\nINSERT INTO things SELECT generate_series(1, 1000);\n"
SPEC = """
services:
  web: {command: python app.py, port: 8000, health: /, env: {REVISION: "{sha}"}}
database:
  postgres: {seed: [seed.sql], migrate: python migrate.py}
checks:
  smoke: [{name: things, http: {path: /, expect: {json: {"$.things": 1000}}}}]
"""
FILES = {"app.py": APP, "migrate.py": MIGRATE, "seed.sql": SEED, ".preview.yaml": SPEC}
PATIENCE = 60
"""Seconds until something that should happen counts as not happening."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def get(url: str, host: str = "localhost") -> str | None:
    """The body of a 200 answer; None otherwise."""
    try:
        with urlopen(Request(url, headers={"Host": host}), timeout=10) as answer:
            body: bytes = answer.read()
            return body.decode()
    except (HTTPError, URLError, OSError):
        return None


class World:
    def __init__(self, folder: Path, policy: str = "") -> None:
        self.checkout = folder / "shop"
        self.home = Home(self.checkout / ".mayfly")
        self.port = free_port()
        self.key = PreviewKey("shop", 1)
        self._server: subprocess.Popen[bytes] | None = None
        self._log = folder / "serve.log"
        self._prepare(policy)

    def _prepare(self, policy: str) -> None:
        self.checkout.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        (self.checkout / "README").write_text("a shop\n")
        self.commit("first")
        connect(self.checkout, self.home.forge)
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        self.home.policy_file.write_text(
            f"listen: 127.0.0.1:{self.port}\nlocal: {{path: '{path}', stop_within: 1s}}\n{policy}\n"
        )
        self.git("switch", "--quiet", "-c", "feature")
        self.write(FILES)
        self.commit("the shop")

    def git(self, *words: str) -> str:
        identity = {"GIT_AUTHOR_NAME": "ada", "GIT_AUTHOR_EMAIL": "ada@example.com"}
        identity |= {"GIT_COMMITTER_NAME": "ada", "GIT_COMMITTER_EMAIL": "ada@example.com"}
        done = subprocess.run(
            ["git", *words], cwd=self.checkout, env=os.environ | identity, capture_output=True, text=True, check=True
        )
        return done.stdout.strip() or done.stderr.strip()

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.checkout / name).write_text(text)

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *more: str) -> str:
        """What the push said."""
        return self.git("push", "--force", "preview", *(more or ("feature",)))

    def mayfly(self, *words: str, code: int = 0) -> str:
        """What the command said, on both streams."""
        command = [sys.executable, "-m", "controller", *words, "--home", str(self.home.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == code, done
        return done.stdout + done.stderr

    def start(self) -> None:
        self.launch()
        self.wait(lambda: self.get("/healthz") is not None, "the controller to answer")

    def launch(self) -> None:
        """It answers a little later."""
        if self._server is not None:
            self._server.wait(PATIENCE)
        command = [sys.executable, "-m", "controller", "serve", "--home", str(self.home.path)]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def ready(self) -> int:
        """How many previews are ready."""
        cards = json.loads(self.get("/api/v1/previews") or '{"previews": []}')["previews"]
        return sum(card["state"] == "ready" for card in cards)

    def kill(self) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()

    def restart(self, after: float) -> None:
        """Killed so many seconds from now, and started again."""
        time.sleep(after)
        self.kill()
        self.start()

    def power_cut(self) -> None:
        """Every process is gone at once, and what PostgreSQL wrote down is of another boot."""
        cluster = open_cluster(self.home.postgres)
        state = json.loads(cluster.state_file.read_text())
        for pid in (state["pid"], *self.processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait(lambda: identify(state["pid"]) is None and self.processes() == [], "everything to be dead")
        cluster.state_file.write_text(json.dumps(state | {"boot": "another"}))

    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> int:
        assert self._server is not None
        self._server.send_signal(signal.SIGTERM)
        return self._server.wait(timeout=PATIENCE)

    def get(self, path: str, host: str = "localhost") -> str | None:
        return get(f"http://127.0.0.1:{self.port}{path}", f"{host}:{self.port}")

    def card(self) -> dict[str, object]:
        return dict(json.loads(self.get(f"/api/v1/previews/{self.key.repo}/{self.key.number}") or "{}"))

    def page(self) -> dict[str, object]:
        """What the preview itself answers."""
        return dict(json.loads(self.get("/", host=f"pr-{self.key.number}-shop.localhost") or "{}"))

    async def until_said(self, holds: Callable[[Conversation], bool]) -> Conversation:
        """The pull request's page, as soon as it is as it should be."""
        forge, deadline = GitForge(self.home.forge), time.monotonic() + PATIENCE
        while not holds(talk := await forge.conversation(self.key)):
            assert time.monotonic() < deadline, f"it is not said: {talk}"
            await asyncio.sleep(0.05)
        return talk

    def wait(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}\n{self.card()}\n{self._log.read_text()[-6000:]}")
            time.sleep(0.05)

    def directories(self) -> list[str]:
        return sorted(path.name for path in (self.home.platform / "previews").glob("*"))

    def processes(self) -> list[int]:
        """Every process that a preview of this home ever started and that still runs, by the mark they all carry."""
        return sorted(one.pid for one in marked(home_mark(self.home.platform)))

    def timeline(self) -> list[dict[str, str]]:
        return list(json.loads(self.get(f"/api/v1/previews/shop/{self.key.number}/timeline") or "{}").get("events", []))

    def command(self, text: str) -> dict[str, object]:
        body = json.dumps({"command": text, "actor": "ada"}).encode()
        url = f"http://127.0.0.1:{self.port}/api/v1/previews/shop/{self.key.number}/commands"
        with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=10) as answer:
            return dict(json.load(answer))

    async def nothing_is_left(self) -> None:
        """No process, directory or database of the preview; its host name leads nowhere."""
        self.wait(lambda: self.directories() == [] and self.processes() == [], "everything to be gone")
        postgres = EmbeddedPostgres(self.home.postgres)
        assert await PostgresDatabases(postgres.url, awake=postgres.ensure).names() == frozenset()
        assert self.page() == {}

    async def clean(self) -> None:
        """Ends whatever a failed test left running."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await EmbeddedPostgres(self.home.postgres).remove()
