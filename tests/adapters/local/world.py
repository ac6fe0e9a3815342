"""The embedded platform with a repository to deploy from: real git, real processes, databases that are folders."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from controller.adapters.local import processes
from controller.adapters.local.cell import Cell
from controller.adapters.local.platform import LocalPlatform
from controller.adapters.local.work import home_mark
from controller.adapters.shared.orders import slug
from controller.common.nouns import PreviewKey
from controller.common.spec import Spec
from controller.ports import Databases
from controller.previews.model import DeployOrder
from controller.settings import Local, Policy
from tests.asking import ask
from tests.fakes.databases import FakeDatabases
from tests.sources import from_folder

ENV = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
PYTHON = (sys.executable, "-I", "-S")

APP = '''
"""Answers with its version and what its database holds. Options make it misbehave."""
import os, signal, socket, sys, time
from urllib.parse import parse_qs, unquote, urlsplit

OPTIONS = sys.argv[1:]
if "crashing" in OPTIONS:
    sys.exit(print("no such table: users", flush=True) or 3)
if "deaf" in OPTIONS:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "daemon" in OPTIONS:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
if "chatty" in OPTIONS:
    if os.fork() == 0:
        line = b"x" * 1023 + b"\\\\n"
        while True:
            os.write(1, line * 64)
if "slow" in OPTIONS:
    time.sleep(3600)
if "late" in OPTIONS:
    time.sleep(0.7)
data = parse_qs(urlsplit(os.environ.get("DATABASE_URL", "")).query).get("folder", [""])[0]
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
print("listening", flush=True)
while True:
    client, _ = server.accept()
    path = unquote(client.recv(65536).split(b" ")[1].decode())
    if path.startswith("/add/") and data:
        open(data + "/rows", "a").write("," + path[5:])
    if path == "/die":
        os._exit(7)
    if path == "/environment":
        body = "\\\\n".join(f"{name}={value}" for name, value in sorted(os.environ.items()))
    else:
        rows = open(data + "/rows").read() if data else ""
        body = open("version").read() + (" " + rows if rows else "")
    client.sendall(b"HTTP/1.1 200 OK\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n" + body.encode())
    client.close()
'''.replace("\\\\", "\\")
DATA = '''
"""Seeds, migrates, or fails to."""
import os, sys
from urllib.parse import parse_qs, urlsplit

rows = parse_qs(urlsplit(os.environ["DATABASE_URL"]).query)["folder"][0] + "/rows"
if sys.argv[1] == "seed":
    open(rows, "w").write("seeded")
elif sys.argv[1] == "migrate":
    open(rows, "a").write(",migrated")
else:
    open(rows, "a").write(",half")
    print(os.environ["DATABASE_URL"])
    sys.exit('ERROR:  column "email" contains null values')
'''

SMOKE = '''
"""Stands for `python -m smoke`: passes, or does as the check's name says."""
import datetime, json, os, sys, time, urllib.request

words = sys.argv[1:]
told = {words[i][2:]: words[i + 1] for i in range(len(words) - 1) if words[i].startswith("--")}
name = json.load(open(words[1]))["checks"][0]["name"]
if name == "it hangs":
    time.sleep(3600)
if name == "it dies":
    sys.exit("Traceback: no module named checks, " + json.loads(os.environ["MAYFLY_VARS"])["database_url"])
answered = urllib.request.urlopen(told["url"], timeout=30).status == 200
outcome = "passed" if answered and name != "it fails" else "failed"
open(told["output"] + "/page.png", "wb").write(b"a picture")
os.symlink("/etc/passwd", told["output"] + "/link.png")
revision = "f" * 40 if name == "it lies" else told["revision"]
now = datetime.datetime.now(datetime.timezone.utc).isoformat()
attempt = {"outcome": outcome, "took": "PT0.02S"}
result = {"name": name, "kind": "http", "attempts": [attempt]}
run = {"suite": told["suite"], "revision": revision, "started_at": now, "took": "PT0.1S", "results": [result]}
json.dump(run, open(told["json"], "w"))
'''

PSQL = '''
"""Stands for psql where databases are folders: its files, one after the other, are what the database holds."""
import os, pathlib, sys

words = sys.argv[1:]
assert words[:5] == ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"], words
assert (os.environ["PGUSER"], os.environ["PGHOST"]) == ("ada", "127.0.0.1")
texts = [pathlib.Path(file).read_text() for flag, file in zip(words[5::2], words[6::2]) if flag == "-f"]
if "BROKEN" in "".join(texts):
    sys.exit(f'psql:{words[6]}:3: ERROR:  syntax error at or near "BROKEN"')
folder = pathlib.Path(__file__).parent / "databases" / "unfinished" / os.environ["PGDATABASE"]
(folder / "rows").write_text("+".join(texts))
'''


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *words], env=ENV, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


class LocalWorld:
    """`policy` may be changed before `open`."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.databases = FakeDatabases(root / "databases")
        self.policy = Policy(local=Local(path=os.environ["PATH"], stop_within=timedelta(seconds=1), log_size=2**20))
        root.mkdir(parents=True, exist_ok=True)
        (root / "smoke.py").write_text(SMOKE)
        (root / "psql").write_text(f"#!{sys.executable} -IS\n{PSQL}")
        (root / "psql").chmod(0o755)
        self.smoke = (*PYTHON, str(root / "smoke.py"))
        self.checkout = root / "checkout"
        if not self.checkout.exists():
            self.checkout.mkdir(parents=True)
            git(self.checkout, "init", "--quiet", "--initial-branch=main")
        self.real_databases: Databases | None = None
        self.psql = root / "psql"
        self.platform = self._platform()

    def with_databases(self, databases: Databases, psql: Path) -> None:
        """Real ones, before the platform is opened."""
        self.real_databases, self.psql = databases, psql
        self.platform = self._platform()

    def _platform(self) -> LocalPlatform:
        return LocalPlatform(
            self.home,
            policy=self.policy,
            source=from_folder(self.checkout),
            databases=self.real_databases or self.databases,
            psql=lambda: self.psql,
            smoke=self.smoke,
        )

    def use(self, policy: Policy) -> None:
        """Another policy, before anything is deployed."""
        self.platform._means = replace(self.platform._means, policy=policy)
        self.policy = policy

    def check(self, name: str) -> dict[str, object]:
        return A_CHECK | {"name": name}

    def commit(self, files: Mapping[str, str]) -> str:
        """The revision with these files, and those of the commits before."""
        for name, text in files.items():
            path = self.checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.checkout, "add", "--all")
        git(self.checkout, "commit", "--quiet", "--allow-empty", "--message", "a change")
        return git(self.checkout, "rev-parse", "HEAD")

    def push(self, story: str = "good", *, version: str = "one", number: int = 7, order: int = 0) -> DeployOrder:
        revision = self.commit({"app.py": APP, "data.py": DATA, "version": version})
        migrate = "fail" if story == "bad migration" else "migrate"
        postgres: dict[str, object] = {
            "seed": {"command": [*PYTHON, "data.py", "seed"], "inputs": ["data.py"]},
            "migrate": [*PYTHON, "data.py", migrate],
            "on_push": "keep" if story == "keeping" else "fresh",
        }
        spec = {
            "services": {"web": {"command": [*PYTHON, "app.py", *story.split()], "port": 8000, "health": "/"}},
            "database": {"postgres": postgres},
            "checks": {"smoke": [A_CHECK]},
        }
        return self.order(revision, spec, number=number, order=order)

    def order(self, revision: str, spec: object, *, number: int = 7, order: int = 0) -> DeployOrder:
        key = PreviewKey("shop", number)
        return DeployOrder(key, revision, Spec.model_validate(spec), f"pr-{number}-shop", order)

    def app(self, *options: str, **more: object) -> DeployOrder:
        """An order for the application alone, without a database. `more` goes into the spec of its service."""
        revision = self.commit({"app.py": APP, "version": "one"})
        service = {"command": [*PYTHON, "app.py", *options], "port": 8000, "health": "/"} | more
        return self.order(revision, {"services": {"web": service}})

    async def ask(self, host: str, path: str = "/") -> str:
        return await ask(self.platform, host, path)

    async def enter_data(self, host: str, text: str) -> None:
        await self.ask(host, f"/add/{text}")

    async def reopen(self) -> None:
        await self.platform.close()
        self.platform = self._platform()
        await self.platform.open()

    def folder(self, number: int = 7) -> Path:
        return self.home / "previews" / slug(PreviewKey("shop", number))

    @property
    def mark(self) -> str:
        return home_mark(self.home)

    def cell(self, number: int = 7) -> Cell:
        """What the platform itself knows, for what no port tells."""
        return self.platform._cells[PreviewKey("shop", number)]

    def processes(self) -> list[int]:
        """Everything that runs for any preview of this world."""
        return sorted(process.pid for process in processes.marked(home_mark(self.home)))

    def marks(self) -> list[str]:
        return sorted(processes.marked(home_mark(self.home)).values())

    def leftovers(self, number: int) -> list[str]:
        folder = self.folder(number)
        ours = processes.marked(f"{home_mark(self.home)}{folder.name}/")
        found = [f"process {process.pid} {mark}" for process, mark in ours.items()]
        found += [str(path) for path in (folder, self.databases.folder(folder.name)) if path.exists()]
        return found + [line for line in self._refs() if folder.name in line]

    def _refs(self) -> list[str]:
        mirrors = (self.home / "sources").glob("*.git")
        return [line for mirror in mirrors for line in git(mirror, "for-each-ref").splitlines()]

    async def close(self) -> None:
        """Nothing of this world runs on."""
        await self.platform.close()
        await processes.kill_marked(home_mark(self.home))


A_CHECK: dict[str, object] = {"name": "it answers", "http": {"path": "/"}}
