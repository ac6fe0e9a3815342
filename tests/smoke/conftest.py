import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from aiohttp import web

from controller.adapters.local.server import EmbeddedPostgres
from smoke.target import Target


@dataclass
class App:
    """A small application, and what it saw."""

    url: str = ""
    flaky_left: int = 0
    orders: dict[str, str] = field(default_factory=dict)
    """Orders that exist, with the session that made each."""
    agents: list[str] = field(default_factory=list)
    most_at_once: int = 0
    under_way: int = 0

    async def front(self, request: web.Request) -> web.Response:
        self.agents.append(request.headers["User-Agent"])
        return web.Response(text="<html><title>Shop</title><body>Welcome, Zoë</body></html>", content_type="text/html")

    async def items(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"items": [{"id": 3, "price": 1.0, "new": True}], "none": None}, headers={"X-Kind": "list"}
        )

    async def slow(self, _: web.Request) -> web.Response:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await asyncio.sleep(0.1)
        self.under_way -= 1
        return web.Response(text="slow")

    async def never(self, _: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async def flaky(self, _: web.Request) -> web.Response:
        self.flaky_left -= 1
        return web.Response(status=500 if self.flaky_left >= 0 else 200)

    async def status(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]), text="the reason is 42")

    async def redirect(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.query.get("status", "302")), headers={"Location": request.query["to"]})

    async def echo(self, request: web.Request) -> web.Response:
        body = await request.text()
        sent = dict(request.headers)
        return web.json_response({"method": request.method, "body": body, "headers": sent, "path": request.path_qs})

    async def login(self, _: web.Request) -> web.Response:
        answer = web.json_response({"token": "s3cret-token", "user": {"id": 7}})
        answer.set_cookie("session", f"session-{len(self.orders)}")
        return answer

    async def order(self, request: web.Request) -> web.Response:
        session = request.cookies.get("session")
        if session is None or request.headers.get("Authorization") != "Bearer s3cret-token":
            return web.Response(status=401, text="who are you? " + request.headers.get("Authorization", ""))
        number = str(len(self.orders) + 1)
        self.orders[number] = session
        return web.Response(status=201, text=f"order={number};", headers={"Location": f"/orders/{number}"})

    async def cancel(self, request: web.Request) -> web.Response:
        return web.Response(status=204 if self.orders.pop(request.match_info["number"], None) else 404)

    async def big(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * (3 * 2**20) + b"the end")

    async def backtrack(self, _: web.Request) -> web.Response:
        return web.Response(text="a" * 60 + "!")

    async def broken_page(self, _: web.Request) -> web.Response:
        text = "<title>Oh</title><img src=/status/404><script>console.error('no basket'); nothing.here()</script>"
        return web.Response(text=text, content_type="text/html")

    async def form(self, _: web.Request) -> web.Response:
        text = """<title>Form</title><input id=who><button onclick="document.querySelector('p').textContent
          = 'Hello ' + document.querySelector('#who').value">Greet</button><p></p>"""
        return web.Response(text=text, content_type="text/html")


def _routes(app: App) -> web.Application:
    site = web.Application()
    site.add_routes(
        [
            web.get("/", app.front),
            web.get("/items", app.items),
            web.get("/slow", app.slow),
            web.get("/never", app.never),
            web.get("/flaky", app.flaky),
            web.get("/status/{status}", app.status),
            web.route("*", "/redirect", app.redirect),
            web.route("*", "/echo", app.echo),
            web.post("/login", app.login),
            web.post("/orders", app.order),
            web.delete("/orders/{number}", app.cancel),
            web.get("/big", app.big),
            web.get("/backtrack", app.backtrack),
            web.get("/broken-page", app.broken_page),
            web.get("/form", app.form),
        ]
    )
    return site


@pytest.fixture
async def app() -> AsyncIterator[App]:
    app = App()
    runner = web.AppRunner(_routes(app), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [(host, port, *_)] = runner.addresses
    app.url = f"http://{host}:{port}"
    yield app
    await runner.cleanup()


@pytest.fixture
def target(app: App, tmp_path: Path) -> Target:
    """Untrusted, as from a pull request."""
    (tmp_path / "output").mkdir()
    (tmp_path / "work").mkdir()
    return Target(app.url, {"sha": "a" * 40}, tmp_path / "work", tmp_path / "output")


@dataclass
class Certificate:
    ca: Path
    key: Path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Of `localhost`, good for 30 days, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    made = Certificate(folder / "ca.pem", folder / "key.pem")
    words = "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = ["-keyout", str(made.key), "-out", str(made.ca)]
    subprocess.run(["openssl", *words.split(), *files], check=True, capture_output=True, timeout=60)
    return made


@pytest.fixture(scope="session")
def database(postgres: EmbeddedPostgres) -> str:
    """URL of a real, empty database, as its owner."""
    url = postgres.url()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE smoke LOGIN PASSWORD 'hunter2pass'")
        admin.execute("CREATE DATABASE smoke OWNER smoke")
    address = urlsplit(url).netloc.rpartition("@")[2]
    return f"postgresql://smoke:hunter2pass@{address}/smoke"
