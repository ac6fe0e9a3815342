"""A whole Mayfly with a target, `production`, as a person would run it: branches are merged to main and pushed.

The shop answers with what it was deployed as, and says in a file whenever it starts.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from controller.adapters.git.forge import GitForge
from controller.adapters.local.processes import Process, marked
from controller.adapters.local.work import home_mark
from controller.common.nouns import PreviewKey
from controller.common.words import CommitSaid
from tests.scenarios.world import PATIENCE, World

TARGET = "production"
APP = """
import http.server, json, os, psycopg, time

with open(os.environ["STARTS"], "a") as starts:
    starts.write(f"{os.environ['REVISION']} {time.time()}\\n")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with psycopg.connect(os.environ["DATABASE_URL"]) as db:
            tables = [name for name, in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
            things, = db.execute("SELECT count(*) FROM things").fetchone()
        told = {name: os.environ[name.upper()] for name in ("revision", "colour", "works")}
        body = json.dumps({**told, "tables": sorted(tables), "things": things}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
RUN = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as db:
    db.execute(open(sys.argv[1]).read())
"""
SEED = "CREATE TABLE things (n int);\nINSERT INTO things SELECT generate_series(1, 1000);\n"
FILES = {"app.py": APP, "run.py": RUN, "seed.sql": SEED, "migrate.sql": "CREATE TABLE IF NOT EXISTS users ();\n"}


def spec(*, works: bool = True, colour: str = "blue", rollback: str = "") -> str:
    """`rollback` is what `database` says of it."""
    told = {"REVISION": "{sha}", "WORKS": "yes" if works else "no", "COLOUR": colour}
    database: dict[str, object] = {"postgres": {"seed": ["seed.sql"], "migrate": "python run.py migrate.sql"}}
    if rollback:
        database["rollback"] = {"command": rollback}
    return json.dumps(
        {
            "services": {"web": {"command": "python app.py", "port": 8000, "health": "/", "env": told}},
            "database": database,
            "checks": {"smoke": [{"name": "works", "http": {"path": "/", "expect": {"json": {"$.works": "yes"}}}}]},
            "trigger": {"authors": ["nobody"]},
        }
    )


class MainWorld(World):
    """`routes` are of `notify`, `more` is policy besides."""

    def __init__(
        self, folder: Path, *, routes: Sequence[dict[str, object]] = (), more: dict[str, object] | None = None
    ):
        self.starts_file = folder / "starts"
        target = {
            "name": TARGET,
            "repository": "shop",
            "env": {"STARTS": str(self.starts_file)},
            "thresholds": {"failures": 2, "pause": "200ms"},
        }
        policy = {"targets": [target], "notify": list(routes), **(more or {})}
        super().__init__(folder, "\n".join(f"{name}: {json.dumps(value)}" for name, value in policy.items()))

    def merge(self, branch: str, files: dict[str, str]) -> str:
        """A pull request, pushed and merged; returns the merge's revision."""
        self.git("switch", "--quiet", "-C", branch, "main")
        self.write(files)
        self.commit(branch)
        self.git("push", "--quiet", "--force", "preview", branch)
        self.git("switch", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
        self.git("push", "--quiet", "preview", "main")
        return self.git("rev-parse", "HEAD")

    def target(self) -> dict[str, Any]:
        return dict(json.loads(self.get(f"/api/v1/targets/{TARGET}") or "{}"))

    def stands(self, state: str, release: int, revision: str = "") -> bool:
        """Whether the target is in that state with the release live."""
        card = self.target()
        live = card.get("live") or {}
        same = (card.get("state"), live.get("number")) == (state, release)
        return same and revision in {"", live["revision"]}

    def until(self, state: str, release: int, revision: str = "", patience: float = PATIENCE) -> None:
        try:
            self.wait(lambda: self.stands(state, release, revision), f"{TARGET} {state} at #{release}", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(self.target(), indent=1)[:6000]}") from None

    def shop(self) -> dict[str, Any]:
        """What the main URL answers."""
        return dict(json.loads(self.get("/", host=f"{TARGET}.localhost") or "{}"))

    def ask(self, verb: str, key: str = "", **said: object) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        body = json.dumps({"actor": "ada", **said}).encode()
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        url = f"http://127.0.0.1:{self.port}/api/v1/targets/{TARGET}/{verb}"
        try:
            with urlopen(Request(url, body, headers), timeout=10) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def events(self, *kinds: str) -> list[tuple[str, int]]:
        """Of the timeline: kind and release."""
        path = f"/api/v1/targets/{TARGET}/timeline?limit=1000"
        told = json.loads(self.get(path) or '{"events": []}')["events"]
        return [(event["kind"], event["release"]) for event in told if not kinds or event["kind"] in kinds]

    def releases(self) -> list[dict[str, Any]]:
        """Newest first."""
        return list(json.loads(self.get(f"/api/v1/targets/{TARGET}/releases") or "{}").get("releases", []))

    def starts(self) -> list[tuple[str, float]]:
        """The revisions whose process was started, and when, in order."""
        told = (line.split() for line in self.starts_file.read_text().splitlines())
        return [(revision, float(at)) for revision, at in told]

    async def said_of(self, revision: str) -> CommitSaid:
        return await GitForge(self.home.forge).said_of("shop", revision)

    async def comments(self, number: int) -> list[str]:
        """Ours, about the target, on a pull request."""
        talk = await GitForge(self.home.forge).conversation(PreviewKey("shop", number))
        return [entry.body for entry in talk.entries if entry.topic == f"deploy-{TARGET}"]

    async def until_told(self, number: int, words: str) -> None:
        """On a pull request: what is said of a target, its comments last, follows what is done."""
        deadline = time.monotonic() + PATIENCE
        while words not in "".join(told := await self.comments(number)):
            assert time.monotonic() < deadline, f"it is not said: {told}"
            await asyncio.sleep(0.05)

    def processes(self) -> list[int]:
        return sorted([*super().processes(), *(one.pid for one in self.marks())])

    def marks(self) -> dict[Process, str]:
        """What runs for the target: the mark of each process."""
        return marked(home_mark(self.home.targets))
