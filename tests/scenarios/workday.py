"""A day at work on GitHub: a whole controller, but for the platform, between its people and their pull requests.

    async with a_workday(tmp_path) as day:
        pull = day.open()
        await day.settle()
        pull.comment("/preview pin")
        day.github.down()
        await day.settle(minutes=10)

GitHub is the stateful fake over real HTTP, with real git and signed webhooks; the API that they come to, the adapter,
History and the loop are the real ones. Nothing happens but in `settle`, and time passes only there.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path

import aiohttp

from controller.common.nouns import PreviewKey
from controller.previews.frontdesk import FrontDesk
from controller.previews.model import Forks, Rules
from controller.previews.reconcile import Reconciler
from tests.adapters.github.world import APP, REPO, SECRET, a_github, app_key
from tests.fakes.github import FakeGitHub, Pull, Repository
from tests.fakes.github.people import PERMISSIONS, App, Installation
from tests.fakes.platform import FakePlatform
from tests.scenarios.replica import Around, Replica

SPEC = """\
services: {web: {command: "serve --port {port}", port: 8000}}
checks:
  smoke: [{name: home page, http: {path: /}}]
  e2e: [{name: checkout, http: {path: /checkout}}]
"""


@dataclass
class Workday:
    """`ada` may write, `eve` is a stranger with an account."""

    github: FakeGitHub
    shop: Repository
    app: App
    installation: Installation
    folder: Path
    rules: Rules
    mode: str = "webhook"
    platform: FakePlatform = field(init=False)
    ours: Replica = field(init=False)

    def __post_init__(self) -> None:
        self.platform = FakePlatform(self.now)
        self.ada = self.github.user("ada", self.shop, permission="write")
        self.eve = self.github.user("eve")

    def now(self) -> datetime:
        return self.github.clock.now()

    @property
    def loop(self) -> Reconciler:
        return self.ours.loop

    @property
    def desk(self) -> FrontDesk:
        return self.ours.desk

    async def start(self, around: Around = lambda part: part) -> None:
        """A controller that knows nothing but what History and the world tell it."""
        self.ours = Replica(self, around)
        await self.ours.start()
        if self.ours.url:
            self.github.webhooks.to(self.ours.url, SECRET)

    async def stop(self) -> None:
        self.github.webhooks.stop()
        await self.ours.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def open(self, branch: str = "feature", files: dict[str, str] | None = None, **changes: object) -> Pull:
        values = {"title": "A change"} | changes
        by = values.pop("by", self.ada)
        return self.shop.open(branch, {".preview.yaml": SPEC} | (files or {}), by, **values)

    async def settle(self, rounds: int = 6, **later: float) -> None:
        """Everything that is on its way arrives, and the loop goes round until nothing more comes of it."""
        self.github.clock.advance(**(later or {"seconds": 5}))
        for _ in range(rounds):
            await self.github.webhooks.settled()
            await self.loop.round()
            self.github.clock.advance(seconds=1)

    def alive(self) -> dict[int, str]:
        """What runs: revision by number."""
        return {key.number: preview.revision for key, preview in self.platform.alive.items()}

    async def deliver(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Somebody posts this to where webhooks come to; what they are answered."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.ours.url, data=BytesIO(body), headers=headers) as answer,
        ):
            return answer.status, await answer.text()


@asynccontextmanager
async def a_workday(
    folder: Path, *, forks: Forks = Forks.APPROVE, mode: str = "webhook", **rules: object
) -> AsyncIterator[Workday]:
    async with a_github(folder) as github:
        shop = github.repository(REPO, {".preview.yaml": SPEC, "README.md": "shop"}, private=True)
        app = github.app(APP, app_key()[1], permissions=PERMISSIONS | {"administration": "write"})
        policy = Rules(forks=forks, **rules)  # type: ignore[arg-type]  # fields by name
        day = Workday(github, shop, app, github.install(app, shop), folder, policy, mode)
        await day.start()
        try:
            yield day
        finally:
            await day.stop()


def key_of(pull: Pull) -> PreviewKey:
    return PreviewKey(pull.repo.full_name, pull.number)
