"""The real desk, on a loop whose forge, platform and History are in memory."""

from datetime import datetime, timedelta

import pytest

from controller.common.nouns import PreviewKey
from controller.previews.desk import Desk
from controller.previews.frontdesk import FrontDesk
from controller.previews.model import Rules
from controller.previews.reconcile import Reconciler, Setting
from controller.settings import Allowed
from tests.contracts.desk import DeskContract, World
from tests.examples import NOON
from tests.fakes.forge import FakeForge
from tests.fakes.history import FakeHistory
from tests.fakes.platform import FakePlatform

FILES = {".preview.yaml": "services: {web: {command: serve, port: 8000}}"}


class Silent:
    """A meter that nobody reads."""

    def round_took(self, seconds: float) -> None: ...

    def acted(self, kind: str) -> None: ...

    def deployed(self, seconds: float, outcome: str) -> None: ...

    def checked(self, suite: str, outcome: object) -> None: ...

    def set_previews(self, counts: object) -> None: ...


class FrontWorld:
    """A loop that has gone round: one preview is ready, and one was removed."""

    def __init__(self) -> None:
        self.time = NOON
        self.forge, self.platform = FakeForge(self.now), FakePlatform(self.now)
        self.history = FakeHistory()
        setting = Setting(Rules(), Allowed(), "http://localhost:8080", timedelta(seconds=10))
        self.controller = Reconciler(self.forge, self.platform, self.history, setting, Silent(), self.now)
        self.desk: Desk = FrontDesk(self.controller, self.platform, self.history, Rules(), self.now)
        self.ready = self.gone = PreviewKey("shop", 0)

    def now(self) -> datetime:
        return self.time

    async def begin(self) -> None:
        self.ready, self.gone = (self.forge.open("shop", branch, FILES) for branch in ("stays", "goes"))
        await self.settle()
        self.forge.close(self.gone)
        await self.settle()

    async def settle(self) -> None:
        self.time += timedelta(seconds=5)
        for _ in range(3):
            await self.controller.round()

    def break_it(self) -> None:
        self.platform.down = self.history.down = self.forge.down = True

    async def decided(self) -> int:
        return sum(map(len, (await self.history.decisions()).values()))


class TestFrontDesk(DeskContract):
    @pytest.fixture
    async def world(self) -> World:
        world = FrontWorld()
        await world.begin()
        return world
