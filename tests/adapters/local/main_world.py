"""Main on this machine: real git, real processes, databases that are folders; for the contract, and for more."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.adapters.local import processes
from controller.adapters.local.targets import LocalTargets
from controller.adapters.local.work import home_mark
from controller.common.nouns import Commit
from controller.common.spec import Spec
from controller.deploys.model import Release
from controller.deploys.secret import secret_digest
from controller.ports import Databases
from controller.settings import Local, Policy, Target
from smoke.spec import CheckFile
from tests.adapters.local.world import APP, DATA, PYTHON, LocalWorld, git
from tests.asking import ask
from tests.sources import from_folder

TARGET = "production"
CRASHING = "import os; print('no such table: users', os.environ.get('API_KEY'), flush=True); raise SystemExit(3)"
UNDO = '''
"""Undoes what a migration did, or fails to."""
import os, sys
from urllib.parse import parse_qs, urlsplit

if sys.argv[1] == "bad":
    sys.exit("ERROR:  cannot undo")
rows = parse_qs(urlsplit(os.environ["DATABASE_URL"]).query)["folder"][0] + "/rows"
open(rows, "a").write(f",undone-{open('version').read()}-{sys.argv[2][:7]}")
'''
CHECKS = {"failing checks": "it fails", "broken checks": "it dies"}


class MainWorld:
    """`policy` and `environment` may be changed before `open`."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "main"
        self.repository = LocalWorld(root)
        self.databases: Databases = self.repository.databases
        self.psql = self.repository.psql
        self.environment: dict[str, str] = {}
        self.policy = Policy(
            local=Local(path=os.environ["PATH"], stop_within=timedelta(seconds=1), log_size=2**20),
            targets=[Target(name=TARGET, repository="shop", secrets={"API_KEY": "API_KEY"})],
        )
        self._digests: dict[int, str] = {}
        self.targets = self._targets()

    def _targets(self) -> LocalTargets:
        return LocalTargets(
            self.home,
            policy=self.policy,
            source=from_folder(self.repository.checkout),
            databases=self.databases,
            psql=lambda: self.psql,
            secrets=self.environment,
            smoke=self.repository.smoke,
        )

    async def open(self) -> None:
        self.targets = self._targets()
        await self.targets.open()

    async def reopen(self) -> None:
        await self.targets.close()
        await self.open()

    async def close(self) -> None:
        """Nothing of this world runs on."""
        await self.targets.close()
        await processes.kill_marked(home_mark(self.home))

    def release(
        self, number: int, story: str = "good", *, version: str = "one", greeting: str = "", secret: str = ""
    ) -> Release:
        files = {"app.py": APP, "data.py": DATA, "undo.py": UNDO, "version": version}
        revision = self.repository.commit(files)
        secrets = {}
        if secret:
            self.environment["API_KEY"] = secret
            secrets = {"API_KEY": secret_digest(secret)}
            self._digests[number] = secrets["API_KEY"]
        check = self.repository.check(CHECKS.get(story, "it answers"))
        return Release(
            number,
            Commit(revision, datetime.now(UTC)),
            Spec.model_validate(_spec(story)),
            tuple(CheckFile.model_validate({"checks": [check]}).checks),
            datetime.now(UTC),
            "a push",
            env={"GREETING": greeting} if greeting else {},
            secrets=secrets,
        )

    async def ask(self, path: str = "/") -> str:
        return await ask(self.targets, TARGET, path)

    async def variable(self, name: str) -> str | None:
        found = dict(line.partition("=")[::2] for line in (await self.ask("/environment")).splitlines())
        return found.get(name)

    def marks(self) -> set[str]:
        """What runs for any target, without the part that names this home."""
        home = home_mark(self.home)
        return {mark.removeprefix(home) for mark in processes.marked(home).values()}

    def running(self) -> set[tuple[int, str]]:
        found = (mark.split("/") for mark in self.marks())
        return {(int(parts[1]), parts[3]) for parts in found if parts[0] == TARGET and parts[2] == "services"}

    def folder(self, number: int) -> Path:
        return self.home / TARGET / "releases" / str(number)

    def leftovers(self, number: int) -> list[str]:
        secret = self.home / TARGET / "secrets" / self._digests.get(number, "none")
        found = [str(path) for path in (self.folder(number), secret) if path.exists()]
        found += [mark for mark in self.marks() if mark.startswith(f"{TARGET}/{number}/")]
        mirrors = (self.home / ".sources").glob("*.git")
        refs = [line for mirror in mirrors for line in git(mirror, "for-each-ref").splitlines()]
        return found + [ref for ref in refs if ref.endswith(f"/{TARGET}-{number}")]

    def without_database(self, release: Release) -> Release:
        """The application alone."""
        return replace(
            release, spec=release.spec.model_copy(update={"database": Spec.model_fields["database"].default})
        )


def _spec(story: str) -> dict[str, object]:
    command = [*PYTHON, "-c", CRASHING] if story == "crashing" else [*PYTHON, "app.py", *_options(story)]
    web: dict[str, object] = {"command": command, "port": 8000, "health": "/", "env": {"GREETING": "hello"}}
    if story == "unmakeable":
        web["build"] = {"command": [*PYTHON, "-c", "raise SystemExit('error: no compiler')"], "outputs": ["out"]}
    services = {"web": web}
    if story == "two services":
        services["extra"] = {"command": [*PYTHON, "app.py"], "port": 8001, "health": "/"}
    return {"services": services, "database": _database(story), "checks": {}}


def _options(story: str) -> list[str]:
    return [story] if story in {"slow", "late", "deaf"} else []


def _database(story: str) -> dict[str, object]:
    postgres: dict[str, object] = {"seed": {"command": [*PYTHON, "data.py", "seed"], "inputs": ["data.py"]}}
    if story != "plain":
        postgres["migrate"] = [*PYTHON, "data.py", "fail" if story == "bad migration" else "migrate"]
    if story in {"undoing", "bad undo"}:
        word = "bad" if story == "bad undo" else "good"
        return {"postgres": postgres, "rollback": {"command": [*PYTHON, "undo.py", word, "{to}"]}}
    return {"postgres": postgres}
