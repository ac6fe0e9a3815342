"""A repository at the fake GitHub, the people who work on it, and us as an App that is installed there."""

import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from controller.adapters.github import markers
from controller.adapters.github.forge import GitHubForge
from controller.adapters.github.opening import open_github
from controller.common.nouns import PreviewKey
from controller.common.words import (
    Annotation,
    CheckReport,
    CheckStatus,
    CommitSaid,
    CommitState,
    CommitStatus,
    Conversation,
    DeploymentReport,
    DeploymentState,
    Entry,
)
from controller.errors import Refused
from controller.ports import Webhooks
from controller.settings import GITHUB_KEY, GITHUB_TOKEN, WEBHOOK_SECRET, GitHub
from tests.fakes.github import FakeGitHub
from tests.fakes.github.checks import latest
from tests.fakes.github.people import Installation, User
from tests.fakes.github.pulls import Pull
from tests.fakes.github.repositories import Repository
from tests.fakes.github.things import CheckRun, Comment, Deployment, Status
from tests.fakes.history import FakeHistory

REPO = "acme/shop"
APP = 17
SECRET = "it rings, and nothing more"
PROXY, BEHIND = "MAYFLY_GITHUB_PROXY", "MAYFLY_GITHUB_PORT"
"""Root of the API as it is seen through a proxy, and the port where that finds the fake."""
_ANSWER = re.compile(r"<!-- mayfly answer (\S+) -->")
_STICKY = re.compile(r"<!-- mayfly \S+#[0-9]+(?: (\S+))? -->")


@cache
def app_key() -> tuple[str, str]:
    """Private and public, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@dataclass
class Place:
    """What the tests of reading stand on. `ledger` outlives every forge."""

    github: FakeGitHub
    shop: Repository
    ada: User
    installation: Installation
    ledger: FakeHistory

    @asynccontextmanager
    async def forge(self, **settings: object) -> AsyncIterator[GitHubForge]:
        """Of a controller that has just begun, as the App; `settings` are the policy's (`mode`, `fresh`, ...)."""
        environ = {GITHUB_KEY: app_key()[0], WEBHOOK_SECRET: SECRET}
        policy = GitHub.model_validate(
            {"api": self.github.api, "app_id": APP, "mode": "poll", "fresh": "0s"} | settings
        )
        async with open_github(policy, environ, self.ledger, clock=self.github.clock.now) as forge:
            yield forge

    @asynccontextmanager
    async def forge_of(self, person: User, **settings: object) -> AsyncIterator[GitHubForge]:
        """The same with that person's token."""
        environ = {GITHUB_TOKEN: self.github.token(person)}
        policy = {"api": self.github.api, "mode": "poll", "fresh": "0s", "repositories": [REPO]} | settings
        async with open_github(GitHub.model_validate(policy), environ, self.ledger) as forge:
            yield forge

    def asked(self) -> dict[tuple[str, str], int]:
        """What GitHub was asked since the last time, by method and what comes after the repository."""
        found = {
            (method, template.removeprefix("/repos/{owner}/{repo}")): count
            for (method, template), count in self.github.requests.items()
        }
        self.github.requests.clear()
        return found

    @property
    def purse(self) -> str:
        """Whose quota the App uses up here."""
        return f"installation {self.installation.id}"

    @property
    def used(self) -> int:
        """Of that quota, by now."""
        return self.github.limits.quota(self.purse).used


def a_github(folder: Path) -> FakeGitHub:
    """Behind a proxy, where the environment names one (`.ci/prism`)."""
    return FakeGitHub(folder, port=int(os.environ.get(BEHIND, "0")), front=os.environ.get(PROXY, ""))


@asynccontextmanager
async def a_place(folder: Path) -> AsyncIterator[Place]:
    async with a_github(folder) as github:
        shop = github.repository(REPO, {"README.md": "shop"}, private=True)
        ada = github.user("ada", shop, permission="write")
        app = github.app(APP, app_key()[1])
        yield Place(github, shop, ada, github.install(app, shop), FakeHistory())


def key_of(pull: Pull) -> PreviewKey:
    return PreviewKey(pull.repo.full_name, pull.number)


class WithPages:
    """A forge whose pages can be read and written on as people do; the rest is the forge's own."""

    def __init__(self, forge: GitHubForge, place: Place) -> None:
        self._forge = forge
        self._place = place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._forge, name)

    async def conversation(self, key: PreviewKey) -> Conversation:
        pull = self._pull(key)
        deployed = [_deployment(one) for one in pull.deployments]
        return Conversation(
            tuple(_entry(one) for one in pull.comments),
            tuple(_check(run) for run in sorted(pull.checks, key=lambda run: run.name)),
            deployed[-1] if deployed else None,
        )

    async def comment(self, key: PreviewKey, author: str, body: str) -> str:
        person = self._place.github.user(author, self._place.shop)
        return str(self._pull(key).comment(body, by=person))

    async def said_of(self, repo: str, revision: str) -> CommitSaid:
        shop = self._place.shop
        statuses = {one.context: one for one in shop.statuses if one.sha == revision}
        runs = latest(run for run in shop.check_runs.values() if run.head_sha == revision)
        deployments = {one.environment: one for one in shop.deployments.values() if one.sha == revision}
        return CommitSaid(
            tuple(_status(one) for _, one in sorted(statuses.items())),
            tuple(_check(run) for run in sorted(runs, key=lambda run: run.name)),
            tuple(_deployment(one) for _, one in sorted(deployments.items())),
        )

    def _pull(self, key: PreviewKey) -> Pull:
        if key.number not in self._place.shop.pulls:
            raise Refused(f"there is no pull request {key}")
        return self._place.shop.pulls[key.number]


class GitHubWorld:
    """`tests.contracts.forge.World`."""

    repo = REPO

    def __init__(self, place: Place, forge: GitHubForge) -> None:
        self.forge = WithPages(forge, place)
        self._place = place

    async def open_pull(
        self, branch: str, files: Mapping[str, str] | None = None, title: str = "A change"
    ) -> PreviewKey:
        return key_of(self._place.shop.open(branch, files, self._place.ada, title=title))

    async def push(self, key: PreviewKey, files: Mapping[str, str] | None = None) -> str:
        pull = self._pull(key)
        return pull.push(files or {f"{pull.branch}.txt": f"after {pull.head}"})

    async def close(self, key: PreviewKey) -> None:
        self._pull(key).close()

    async def merge(self, key: PreviewKey) -> None:
        self._pull(key).merge()

    async def push_main(self, files: Mapping[str, str], title: str = "A commit") -> str:
        return self._place.shop.push(files, by=self._place.ada, message=title)

    async def break_it(self) -> None:
        self._place.github.down()

    def _pull(self, key: PreviewKey) -> Pull:
        return self._place.shop.pulls[key.number]


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[GitHubWorld]:
    """Where GitHub tells us, too."""
    async with a_place(folder) as place, place.forge(mode="webhook") as forge:
        assert forge.webhooks is not None
        async with listening(forge.webhooks) as url:
            place.github.webhooks.to(url, SECRET)
            yield GitHubWorld(place, forge)


@asynccontextmanager
async def listening(webhooks: Webhooks) -> AsyncIterator[str]:
    async def receive(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        receipt = await webhooks.receive(headers, await request.read())
        return web.json_response({"status": receipt.reason}, status=receipt.status)

    application = web.Application(client_max_size=webhooks.max_body)
    application.router.add_post("/webhooks/github", receive)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/github"
    finally:
        await runner.cleanup()


def _entry(comment: Comment) -> Entry:
    """Our markers name the comments that are ours, and are not shown."""
    answer, sticky = _ANSWER.match(comment.body), _STICKY.match(comment.body)
    return Entry(
        str(comment.id),
        comment.author,
        markers.unmarked(comment.body),
        _moment(comment.created_at),
        _moment(comment.updated_at),
        sticky=sticky is not None,
        answers=answer[1] if answer else "",
        topic=(sticky[1] or "") if sticky else "",
    )


def _check(run: CheckRun) -> CheckReport:
    return CheckReport(
        run.name,
        run.head_sha,
        CheckStatus(run.conclusion or run.status),
        run.title or "",
        run.summary or "",
        run.external_id or "",
        tuple(Annotation(one["path"], one["start_line"], one["title"], one["message"]) for one in run.annotations),
        _moment(run.started_at),
        _moment(run.completed_at) if run.completed_at else None,
    )


def _deployment(made: Deployment) -> DeploymentReport:
    latest = made.statuses[-1]
    state = DeploymentState(latest.state)
    return DeploymentReport(
        made.environment, made.sha, state, latest.environment_url, latest.description, made.production
    )


def _status(made: Status) -> CommitStatus:
    return CommitStatus(made.context, CommitState(made.state), made.description or "", made.target_url or "")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
