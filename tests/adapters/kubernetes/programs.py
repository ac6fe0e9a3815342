"""What runs in previews on the fake cluster: the application of the stories, seeds and migrations, PostgreSQL, smoke.

A database is a text. On a server for all it is the file `rows` in the folder that the URL names (FakeDatabases); in a
preview's own PostgreSQL it is an entry of the folder that its pod keeps. Whoever needs another program adds it to
`cluster.programs`: the latest that matches is taken.
"""

import asyncio
import gzip
import io
import itertools
import re
import shlex
import tarfile
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from smoke.handover import encode
from smoke.model import Attempt, CheckResult, Outcome, SuiteRun
from tests.fakes.cluster.programs import Folder, Programs, Run

MAYFLY, POSTGRES, SHOP = "registry.test/mayfly:1", "registry.test/postgres:18", "registry.test/shop:1"
PICTURE = b"a picture"
DATA = "/mayfly/data"


def add(programs: Programs, databases: Path) -> None:
    """`databases`: the root of FakeDatabases, where a seed finds its unfinished template by name."""
    programs.add(serve, command="serve *")
    programs.add(command, command="seed*")
    programs.add(command, command="migrate*")
    programs.add(command, command="fail*")
    programs.add(shell, command="sh -ec *")
    programs.add(partial(psql, databases), command="psql *")
    programs.add(unpack, command="tar *")
    programs.add(postgres, image=POSTGRES, command="sh -ec *initdb*")
    programs.add(seeded, image="registry.test/seeded:*")
    programs.add(smoke, image=MAYFLY)


class Database:
    """What a URL leads to. Raises ConnectionRefusedError where its server does not answer."""

    def __init__(self, run: Run, url: str) -> None:
        parts = urlsplit(url)
        self._file = next((Path(folder, "rows") for folder in parse_qs(parts.query).get("folder", ())), None)
        self._server: Folder = {} if self._file else run.reach(str(parts.hostname), parts.port or 5432)
        self._name = parts.path.lstrip("/")

    @property
    def rows(self) -> str:
        if self._file is not None:
            return self._file.read_text() if self._file.exists() else ""
        return self._server[self._name].decode()

    @rows.setter
    def rows(self, rows: str) -> None:
        if self._file is not None:
            self._file.write_text(rows)
        else:
            self._server[self._name] = rows.encode()


async def serve(run: Run) -> int:
    """`serve STORY VERSION`"""
    _, story, version = run.command
    if story == "crashing":
        run.print("no such table: users")
        return 3
    if story == "slow":
        await asyncio.Event().wait()
    run.print("listening")
    run.published[run.port] = lambda path: _answer(run, version, path)
    await run.serve(run.published[run.port])
    return 0


def _answer(run: Run, version: str, path: str) -> tuple[int, str]:
    if "DATABASE_URL" not in run.env:
        return 200, version
    try:
        database = Database(run, run.env["DATABASE_URL"])
    except ConnectionRefusedError as error:
        return 500, str(error)
    if path.startswith("/add/"):
        database.rows += "," + path.removeprefix("/add/")
    return 200, f"{version} {database.rows}".strip()


async def command(run: Run) -> int:
    """`seed`, `migrate` or `fail`, as a container of its own."""
    return _command(run, run.command, run.env)


def _command(run: Run, words: tuple[str, ...], env: dict[str, str]) -> int:
    if words[0] == "psql":
        return _psql(run, words, env)
    database = Database(run, env["DATABASE_URL"])
    match words[0]:
        case "seed":
            database.rows = "seeded"
        case "migrate":
            database.rows += ",migrated"
        case "fail":
            database.rows += ",half"
            run.print(env["DATABASE_URL"])
            run.print('ERROR:  column "email" contains null values')
            return 1
        case _:
            run.print(f"sh: {words[0]}: not found")
            return 127
    return 0


async def shell(run: Run) -> int:
    """As much of a shell as the platform's own scripts need: a command a line, with variables before it."""
    _, _, script, *arguments = run.command
    env = dict(run.env)
    for line in script.splitlines():
        words = _words(line, env, arguments[1:])
        while words and re.match(r"^[A-Z_]+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            env[name] = value
        if words and (status := _command(run, tuple(words), env)):
            return status
    return 0


def _words(line: str, env: dict[str, str], arguments: list[str]) -> list[str]:
    """With `${NAME}`, `${NAME%/*}` and `exec "$@"` as they are meant."""

    def value(found: re.Match[str]) -> str:
        text = env.get(found[1], "")
        return text.rpartition("/")[0] if found[2] else text

    words = shlex.split(re.sub(r"\$\{(\w+)(%/\*)?\}", value, line))
    if words and words[0].startswith("#"):
        return []
    return [one for word in words if word != "exec" for one in (arguments if word == "$@" else [word])]


async def psql(databases: Path, run: Run) -> int:
    unfinished = databases / "unfinished" / run.env["PGDATABASE"]
    if run.env["PGHOST"] == "127.0.0.1":
        (unfinished / "rows").write_text(_loaded(run, run.command))
        return 0
    return _psql(run, run.command, run.env)


def _psql(run: Run, words: tuple[str, ...], env: dict[str, str]) -> int:
    """Files are what the database holds, joined; of statements it knows those that make and drop databases."""
    server: Folder = run.reach(env["PGHOST"], int(env["PGPORT"]))
    if rows := _loaded(run, words):
        server[env["PGDATABASE"]] = rows.encode()
    return max((_statement(run, server, text) for flag, text in itertools.pairwise(words) if flag == "-c"), default=0)


def _loaded(run: Run, words: tuple[str, ...]) -> str:
    files = [path for flag, path in itertools.pairwise(words) if flag == "-f"]
    return "+".join(run.folders["/workspace"][path].decode().strip() for path in files)


def _statement(run: Run, server: Folder, text: str) -> int:
    if found := re.match(r"DROP DATABASE IF EXISTS (\w+)", text):
        server.pop(found[1], None)
    elif found := re.match(r"CREATE DATABASE (\w+)(?: TEMPLATE (\w+))?", text):
        if found[1] in server:
            run.print(f'ERROR:  database "{found[1]}" already exists')
            return 1
        server[found[1]] = server[found[2]] if found[2] else b""
    elif found := re.match(r"SELECT pg_database_size\('(\w+)'\)", text):
        run.print(len(server[found[1]]))
    else:
        run.print(f"ERROR:  this PostgreSQL does not know: {text}")
        return 1
    return 0


async def unpack(run: Run) -> int:
    """`tar -xzf ARCHIVE -C FOLDER`"""
    options = dict(zip(run.command[1::2], run.command[2::2], strict=False))
    plain = gzip.decompress(run.files[options["-xzf"]])
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        for member in archive:
            if (file := archive.extractfile(member)) is not None:
                run.folders[options["-C"]][member.name.removeprefix("./")] = file.read()
    return 0


async def postgres(run: Run) -> int:
    """A server with an empty database `app` when it starts for the first time; its data lives as long as its volume."""
    data = run.folders[DATA]
    data.setdefault("app", b"")
    run.publish(5432, data)
    await asyncio.Event().wait()
    return 0


async def seeded(run: Run) -> int:
    """An image that has its data already."""
    run.publish(5432, {"app": b"seeded"})
    await asyncio.Event().wait()
    return 0


async def smoke(run: Run) -> int:
    """Hands over a run in which every check asked the application once."""
    told = dict(itertools.pairwise(run.command))
    checks = yaml.safe_load(run.files["/mayfly/config/checks.yaml"])["checks"]
    began = datetime.now(UTC)
    results = tuple(_asked(run, told["--url"], check["name"]) for check in checks)
    found = SuiteRun(told["--suite"], told["--revision"], began, datetime.now(UTC) - began, results)
    for line in encode(found, {"page.png": PICTURE}):
        run.print(line)
    return 0 if found.outcome is Outcome.PASSED else 1


def _asked(run: Run, url: str, name: str) -> CheckResult:
    parts = urlsplit(url)
    try:
        status, said = run.reach(str(parts.hostname), parts.port or 80)("/")
    except ConnectionRefusedError as error:
        status, said = 0, str(error)
    outcome = Outcome.PASSED if status == 200 else Outcome.FAILED
    message = "" if status == 200 else said
    return CheckResult(name, "http", (Attempt(outcome, timedelta(milliseconds=2), message),), screenshot="page.png")
