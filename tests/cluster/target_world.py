"""Main on a real cluster: real git, pods, PostgreSQL, checks and forwarded ports; a namespace for each world."""

import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from controller.adapters.kubernetes import names
from controller.adapters.kubernetes.api import POD, Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.kinds import NAMESPACE
from controller.adapters.kubernetes.main.targets import KubernetesTargets
from controller.adapters.postgres.databases import PostgresDatabases
from controller.common.nouns import Commit
from controller.common.spec import Spec
from controller.deploys.model import Release
from controller.deploys.secret import secret_digest
from controller.ports import Databases
from controller.settings import Policy
from smoke.spec import CheckFile
from tests.adapters.local.world import git
from tests.asking import ask
from tests.sources import from_folder

TARGET = "production"
KEPT = "secrets,configmaps,deployments,jobs,services,pods"
"""Kinds that anything of a release could be."""
APP = '''
"""Answers with its version and what its database holds. A word makes it misbehave."""
import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if "crashing" in sys.argv:
    sys.exit(print("no such table: users", os.environ.get("API_KEY"), flush=True) or 3)
if "slow" in sys.argv:
    time.sleep(3600)


def holds():
    if "DATABASE_URL" not in os.environ:
        return ""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        return " " + database.execute("SELECT string_agg(word, ',' ORDER BY n) FROM rows").fetchone()[0]


class App(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/environment":
            said = "\\n".join(f"{name}={value}" for name, value in os.environ.items())
        else:
            said = open("version").read() + holds()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said.encode())


print("listening", flush=True)
HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), App).serve_forever()
'''
SEED = "CREATE TABLE rows (n serial, word text); INSERT INTO rows (word) VALUES ('seeded');"
MIGRATE = """
import os, sys
import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as database:
    database.execute(f"CREATE TABLE made_by_{sys.argv[1]} ()")
    database.execute("INSERT INTO rows (word) VALUES (%s)", ["half" if "fail" in sys.argv else "migrated"])
if "fail" in sys.argv:
    sys.exit('ERROR:  column "email" contains null values')
"""
UNDO = """
import os, sys
import psycopg

if sys.argv[1] == "bad":
    sys.exit("ERROR:  cannot undo")
with psycopg.connect(os.environ["DATABASE_URL"]) as database:
    word = f"undone-{open('version').read()}-{sys.argv[2][:7]}"
    database.execute("INSERT INTO rows (word) VALUES (%s)", [word])
"""
FILES = {"app.py": APP, "migrate.py": MIGRATE, "undo.py": UNDO, "seed.sql": SEED}
CHECKS = {
    "failing checks": {"name": "it fails", "http": {"path": "/", "expect": {"status": "418"}}},
    "broken checks": {"name": "it breaks", "command": {"run": ["there-is-no-such-program"]}},
}


class ClusterTargetWorld:
    """Implements `tests.contracts.targets.World`. `account` is policy of the cluster, `target` of the target."""

    targets: KubernetesTargets
    api: Api

    def __init__(
        self,
        root: Path,
        image: str,
        isolation: str = "server",
        account: Mapping[str, object] | None = None,
        **target: object,
    ) -> None:
        self.root, self.checkout = root, root / "checkout"
        self.checkout.mkdir(parents=True)
        git(self.checkout, "init", "--quiet", "--initial-branch=main")
        instance = f"test-{secrets.token_hex(4)}"
        self.image, self.namespace = image, str(target.get("namespace", f"{instance}-main"))
        images = {"mayfly": image, "runner": image, "postgres": image, "postgres_user": 10001}
        cluster = {"namespace": "default", "instance": instance, "images": images, "wait_for_image": "0s"}
        known = {"name": TARGET, "repository": "shop", "namespace": self.namespace, "secrets": {"API_KEY": "API_KEY"}}
        self.policy = Policy.model_validate(
            {
                "platform": "kubernetes",
                "kubernetes": cluster | {"databases": {"isolation": isolation}} | dict(account or {}),
                "targets": [known | target],
            }
        )
        self.environment: dict[str, str] = {}
        self.told: list[tuple[str, bytes]] = []
        self.databases: Databases | None = None
        if isolation == "server":
            owner = instance.replace("-", "")[:16]
            self.databases = PostgresDatabases(os.environ["MAYFLY_TEST_DATABASES_URL"], owner)

    async def open(self) -> None:
        self.api = await connect(self.policy.kubernetes)
        self.targets = KubernetesTargets(
            self.api,
            policy=self.policy,
            source=from_folder(self.checkout),
            home=self.root / "home",
            databases=self.databases,
            secrets=self.environment,
            tell=self._tell,
        )
        await self.targets.open()
        await self.targets.lead()

    async def _tell(self, url: str, body: bytes) -> None:
        self.told.append((url, body))

    async def reopen(self) -> None:
        await self._close()
        await self.open()

    async def _close(self) -> None:
        await self.targets.close()
        await self.api.close()

    async def end(self) -> None:
        """Nothing of it will be left in the cluster in a moment."""
        await self.targets.close()
        await self.api.delete(NAMESPACE, self.namespace)
        await self.api.close()
        if self.databases is not None:
            for name in await self.databases.names():
                await self.databases.drop(name)
            for seed in await self.databases.templates():
                await self.databases.drop_template(seed)

    def commit(self, files: Mapping[str, str]) -> str:
        for name, text in files.items():
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (self.checkout / name).write_text(text)
        git(self.checkout, "add", "--all")
        git(self.checkout, "commit", "--quiet", "--allow-empty", "--message", "a change")
        return git(self.checkout, "rev-parse", "HEAD")

    def release(
        self, number: int, story: str = "good", *, version: str = "one", greeting: str = "", secret: str = ""
    ) -> Release:
        revision = self.commit(FILES | {"version": version})
        checks = [CHECKS.get(story, {"name": "it answers", "http": {"path": "/"}})]
        return self.release_of(number, revision, _spec(story, version), checks, greeting=greeting, secret=secret)

    def release_of(
        self, number: int, revision: str, spec: object, checks: object = (), *, greeting: str = "", secret: str = ""
    ) -> Release:
        if secret:
            self.environment["API_KEY"] = secret
        return Release(
            number,
            Commit(revision, datetime.now(UTC)),
            Spec.model_validate(spec),
            tuple(CheckFile.model_validate({"checks": checks}).checks) if checks else (),
            datetime.now(UTC),
            "a push",
            env={"GREETING": greeting} if greeting else {},
            secrets={"API_KEY": secret_digest(secret)} if secret else {},
        )

    async def ask(self, path: str = "/") -> str:
        return await ask(self.targets, TARGET, path)

    async def variable(self, name: str) -> str | None:
        found = dict(line.partition("=")[::2] for line in (await self.ask("/environment")).splitlines())
        return found.get(name)

    def running(self) -> set[tuple[int, str]]:
        """As the platform has heard of it."""
        found = set()
        for pod in self.targets._means.cache.of(POD, self.namespace):
            labels, phase = pod["metadata"].get("labels", {}), pod.get("status", {}).get("phase")
            alive = "deletionTimestamp" not in pod["metadata"] and phase in {"Pending", "Running"}
            if alive and names.RELEASE in labels:
                found.add((int(labels[names.RELEASE]), labels[names.SERVICE]))
        return found

    def leftovers(self, number: int) -> list[str]:
        """Objects that say that they are of it, by label or by name."""
        mine = {names.RELEASE: str(number), names.DEPLOY: str(number)}
        return [
            f"{one['kind']} {one['metadata']['name']}"
            for one in json.loads(self.kubectl("get", KEPT, "--output", "json"))["items"]
            if mine.items() & one["metadata"].get("labels", {}).items()
            or one["metadata"]["name"].startswith(f"mayfly-release-{number}")
        ]

    def kubectl(self, *words: str, given: str = "") -> str:
        """In the target's namespace."""
        command = ["kubectl", "--namespace", self.namespace, *words]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, check=True).stdout


def _spec(story: str, version: str) -> dict[str, object]:
    word = story if story in {"crashing", "slow"} else "good"
    web: dict[str, object] = {"command": ["python", "app.py", word], "port": 8000, "health": "/"}
    services = {"web": web | {"env": {"GREETING": "hello"}}}
    if story == "two services":
        services["extra"] = {"command": ["python", "app.py"], "port": 8001, "health": "/"}
    spec: dict[str, object] = {"services": services, "database": _database(story, version)}
    return spec | {"deploy": {"manifests": "there-is-no-such-folder"}} if story == "unmakeable" else spec


def _database(story: str, version: str) -> dict[str, object]:
    postgres: dict[str, object] = {"seed": ["seed.sql"]}
    if story != "plain":
        failing = ["fail"] if story == "bad migration" else []
        postgres["migrate"] = ["python", "migrate.py", version, *failing]
    if story in {"undoing", "bad undo"}:
        word = "bad" if story == "bad undo" else "good"
        return {"postgres": postgres, "rollback": {"command": ["python", "undo.py", word, "{to}"]}}
    return {"postgres": postgres}
