"""A real cluster with a repository to deploy from: real git, pods, PostgreSQL, checks and forwarded ports."""

import asyncio
import os
import secrets
from pathlib import Path

import psycopg

from controller.adapters.kubernetes.api import NAMESPACE, Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.names import PREVIEW
from controller.adapters.kubernetes.platform import KubernetesPlatform, namespaces_of
from controller.adapters.postgres.databases import PostgresDatabases
from controller.adapters.shared.orders import slug
from controller.common.nouns import PreviewKey
from controller.common.spec import Spec
from controller.ports import Databases
from controller.previews.model import DeployOrder
from controller.settings import Policy
from tests.adapters.local.world import git
from tests.asking import ask
from tests.sources import from_folder

APP = '''
"""Answers with its version and what its database holds. A word makes it misbehave."""
import os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote
import psycopg

if "crashing" in sys.argv:
    sys.exit(print("no such table: users", flush=True) or 3)
if "slow" in sys.argv:
    time.sleep(3600)


class App(BaseHTTPRequestHandler):
    def do_GET(self):
        with psycopg.connect(os.environ["DATABASE_URL"]) as database:
            if self.path.startswith("/add/"):
                database.execute("INSERT INTO rows (word) VALUES (%s)", [unquote(self.path[5:])])
            held = database.execute("SELECT string_agg(word, ',' ORDER BY n) FROM rows").fetchone()[0]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{open('version').read()} {held}".encode())


print("listening", flush=True)
HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), App).serve_forever()
'''
SEED = "CREATE TABLE rows (n serial, word text); INSERT INTO rows (word) VALUES ('seeded');"
MIGRATE = """
import os, sys
import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as database:
    database.execute("INSERT INTO rows (word) VALUES (%s)", ["half" if "fail" in sys.argv else "migrated"])
if "fail" in sys.argv:
    sys.exit('ERROR:  column "email" contains null values')
"""


class ClusterWorld:
    """Implements `tests.contracts.platform.World`. What it makes carries a label of its own, and goes with it."""

    platform: KubernetesPlatform
    api: Api

    def __init__(
        self, root: Path, image: str, isolation: str, *, kubeconfig: Path | None = None, namespace: str = "default"
    ) -> None:
        self.root, self.checkout = root, root / "checkout"
        self.checkout.mkdir(parents=True)
        git(self.checkout, "init", "--quiet", "--initial-branch=main")
        images = {"mayfly": image, "runner": image, "postgres": image, "postgres_user": 10001}
        instance = f"test-{secrets.token_hex(4)}"
        cluster = {"namespace": namespace, "instance": instance, "prefix": f"{instance}-", "images": images}
        self.policy = Policy.model_validate(
            {"platform": "kubernetes", "kubernetes": cluster | {"databases": {"isolation": isolation}}}
        )
        if kubeconfig is not None:
            own = {"kubeconfig": str(kubeconfig), "reach": "direct"}  # the account may not forward ports
            kubernetes = self.policy.kubernetes.model_copy(update=own)
            self.policy = self.policy.model_copy(update={"kubernetes": kubernetes})
        self.databases: Databases | None = None
        if isolation == "server":
            self.owner = instance.replace("-", "")[:16]
            self.databases = PostgresDatabases(os.environ["MAYFLY_TEST_DATABASES_URL"], self.owner)

    async def open(self) -> None:
        self.api = await connect(self.policy.kubernetes)
        self.platform = KubernetesPlatform(
            self.api,
            policy=self.policy,
            source=from_folder(self.checkout),
            home=self.root / "home",
            databases=self.databases,
        )
        await self.platform.open()
        await self.platform.lead()

    async def reopen(self) -> None:
        await self._close()
        await self.open()

    async def _close(self) -> None:
        await self.platform.close()
        await self.api.close()

    async def end(self) -> None:
        """Nothing of it is left in the cluster, or will be in a moment."""
        for preview in await self.platform.previews():
            await self.platform.remove(preview.key, preview.uid)
        async with asyncio.timeout(120):
            while await namespaces_of(self.api, self.policy.kubernetes):
                await asyncio.sleep(0.5)
        for seed in await self.databases.templates() if self.databases else ():
            await self.databases.drop_template(seed)
        await self._close()

    def push(self, story: str = "good", *, version: str = "one", number: int = 7, order: int = 0) -> DeployOrder:
        files = {"app.py": APP, "migrate.py": MIGRATE, "seed.sql": SEED, "version": version}
        for name, text in files.items():
            (self.checkout / name).write_text(text)
        git(self.checkout, "add", "--all")
        git(self.checkout, "commit", "--quiet", "--allow-empty", "--message", "a change")
        postgres = {
            "seed": ["seed.sql"],
            "migrate": ["python", "migrate.py", *(["fail"] if story == "bad migration" else [])],
            "on_push": "keep" if story == "keeping" else "fresh",
        }
        spec = {
            "services": {"web": {"command": ["python", "app.py", *story.split()], "port": 8000, "health": "/"}},
            "database": {"postgres": postgres},
            "checks": {"smoke": [{"name": "it answers", "http": {"path": "/"}}]},
        }
        revision = git(self.checkout, "rev-parse", "HEAD")
        return DeployOrder(PreviewKey("shop", number), revision, Spec.model_validate(spec), f"pr-{number}-shop", order)

    async def ask(self, host: str, path: str = "/") -> str:
        return await ask(self.platform, host, path)

    async def enter_data(self, host: str, text: str) -> None:
        await self.ask(host, f"/add/{text}")

    def leftovers(self, number: int) -> list[str]:
        """Namespaces, as the platform has heard of them, and databases."""
        wanted = slug(PreviewKey("shop", number))
        heard = self.platform._means.cache.all(NAMESPACE)
        found = [one["metadata"]["name"] for one in heard if one["metadata"]["labels"][PREVIEW] == wanted]
        return found + self._databases_of(wanted)

    def _databases_of(self, name: str) -> list[str]:
        if self.databases is None:
            return []
        with psycopg.connect(os.environ["MAYFLY_TEST_DATABASES_URL"]) as server:
            like = f"{self.owner}_p_{name}%"
            return [row[0] for row in server.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [like])]
